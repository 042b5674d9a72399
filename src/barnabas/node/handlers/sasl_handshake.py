"""SaslHandshake (17), versions 0-1. Needs nothing. KIP-43, KIP-152.

Versions are alike. There are no listeners with SASL here yet (docs/differences.md): as on Apache Kafka's listeners without it, and on those that are
through with it, the answer is ILLEGAL_SASL_STATE, and the connection goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.messages.sasl_handshake import SaslHandshakeResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.sasl_handshake import SaslHandshakeRequest


def handle(request: SaslHandshakeRequest, call: Call) -> SaslHandshakeResponse:
    return SaslHandshakeResponse(error_code=Error.ILLEGAL_SASL_STATE, mechanisms=[])
