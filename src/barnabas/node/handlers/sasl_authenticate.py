"""SaslAuthenticate (36), versions 0-2. Needs nothing. KIP-152, KIP-368.

1 tells how long a session lasts. There are no listeners with SASL here yet (docs/differences.md): as on Apache Kafka's listeners without it, and on those
that are through with it, the answer is ILLEGAL_SASL_STATE, and the connection goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.messages.sasl_authenticate import SaslAuthenticateResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.sasl_authenticate import SaslAuthenticateRequest

_LATE = "SaslAuthenticate request received after successful authentication"


def handle(request: SaslAuthenticateRequest, call: Call) -> SaslAuthenticateResponse:
    return SaslAuthenticateResponse(error_code=Error.ILLEGAL_SASL_STATE, error_message=_LATE, auth_bytes=b"")
