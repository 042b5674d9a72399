"""Envelope (58): version 0."""

from __future__ import annotations

from barnabas.wire.schema import Message, always
from barnabas.wire.types import Bytes, Int16


class EnvelopeRequest(Message, key=58, versions="0", flexible="0+"):
    request_data: Bytes
    request_principal: Bytes | None
    client_host_address: Bytes


class EnvelopeResponse(Message, key=58, versions="0", flexible="0+"):
    response_data: Bytes | None = always(default=None)
    error_code: Int16
