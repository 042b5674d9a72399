"""A principal as Envelope carries it (W23)."""

from __future__ import annotations

from barnabas.wire.schema import Message
from barnabas.wire.types import Bool, String


class DefaultPrincipalData(Message, versions="0", flexible="0+"):
    type: String
    name: String
    token_authenticated: Bool
