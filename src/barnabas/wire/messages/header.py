"""The headers in front of every request (versions 1 and 2) and response (0 and 1)."""

from __future__ import annotations

from barnabas.wire.schema import Message, always
from barnabas.wire.types import Int16, Int32, String


class RequestHeader(Message, versions="1-2", flexible="2+"):
    request_api_key: Int16
    request_api_version: Int16
    correlation_id: Int32
    client_id: String | None = always(default="", plain=True)


class ResponseHeader(Message, versions="0-1", flexible="1+"):
    correlation_id: Int32
