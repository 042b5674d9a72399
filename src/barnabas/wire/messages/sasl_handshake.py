"""SaslHandshake (17): versions 0-1, never flexible. Which SASL mechanism is to be used.

0 is followed by bare SASL frames, 1 by SaslAuthenticate requests (KIP-152).
"""

from __future__ import annotations

from barnabas.wire.schema import Message
from barnabas.wire.types import Array, Int16, String


class SaslHandshakeRequest(Message, key=17, versions="0-1"):
    mechanism: String


class SaslHandshakeResponse(Message, key=17, versions="0-1"):
    error_code: Int16
    mechanisms: Array[String]
