"""SaslAuthenticate (36): versions 0-2, flexible from 2. One step of a SASL exchange (KIP-152).

1 how long the session lasts before the client must authenticate again (KIP-368).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, since
from barnabas.wire.types import Bytes, Int16, Int64, String


class SaslAuthenticateRequest(Message, key=36, versions="0-2", flexible="2+"):
    auth_bytes: Bytes


class SaslAuthenticateResponse(Message, key=36, versions="0-2", flexible="2+"):
    error_code: Int16
    error_message: String | None
    auth_bytes: Bytes
    session_lifetime_ms: Int64 = since(1, default=0, ignorable=True)
