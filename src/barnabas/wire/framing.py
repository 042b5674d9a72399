"""A connection's bytes -> frames -> headers, and back. Sans-IO.

A frame is an int32 size and that many bytes: a header, then the body. Request headers are version 1 (key, version, correlation id, nullable client id)
or 2 (and tagged fields); response headers 0 (correlation id) or 1 (and tagged fields). W8; KIP-482, KIP-511.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.types import AS_JAVA, DecodeError, EncodeError, read_length, read_uvarint

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.wire.apis import Api
    from barnabas.wire.schema import Message

_REQUEST_START = Struct(">hhih")  # key, version, correlation id, client id's length
_MOST_TAGS = 1000  # Kafka has none so far; a frame of 100 MB would have room for fifty million
_MAX_CLIENT_ID_BYTES = 0x7FFF
_SIZE = Struct(">i")
_SIZE_AND_CORRELATION = Struct(">ii")


class RequestHeader(NamedTuple):
    """The header of a request. `body` is the position behind it."""

    key: int
    version: int
    correlation_id: int
    client_id: str | None
    body: int


def read_request_header(buffer: bytes | bytearray | memoryview, flexible: bool) -> RequestHeader:
    """The header at the start of one frame (without its size). Unknown tagged fields are skipped. Raises DecodeError."""
    try:
        key, version, correlation_id, length = _REQUEST_START.unpack_from(buffer)
        position = 10
        client_id = None
        if length >= 0:
            position += length
            if position > len(buffer):
                raise DecodeError(f"client id claims {length} bytes, {len(buffer) - 10} are left")
            client_id = str(buffer[10:position], "utf-8", AS_JAVA)
        if flexible:
            position = position + 1 if not buffer[position] else _skip_tags(buffer, position)
    except (IndexError, ValueError) as error:
        raise DecodeError(f"request header: {error}") from None
    except Exception as error:  # struct.error
        raise DecodeError(f"request header: {error}") from None
    return RequestHeader(key, version, correlation_id, client_id, position)


def _skip_tags(buffer: bytes | bytearray | memoryview, position: int) -> int:
    count, position = read_length(buffer, position)
    if count > _MOST_TAGS:
        raise DecodeError(f"a header with {count} tagged fields; {_MOST_TAGS} are the most")
    for _ in range(count):
        _, position = read_uvarint(buffer, position)
        size, position = read_uvarint(buffer, position)
        position += size
        if position > len(buffer):
            raise DecodeError("a tagged field of the header is longer than the frame")
    return position


def encode_request(api: Api, version: int, correlation_id: int, client_id: str | None, request: Message) -> bytes:
    """A whole frame. Raises EncodeError."""
    name = b"" if client_id is None else client_id.encode("utf-8", "replace")
    if len(name) > _MAX_CLIENT_ID_BYTES:
        raise EncodeError(f"client id has {len(name)} bytes; {_MAX_CLIENT_ID_BYTES} are the most")
    tags = b"\0" if version >= api.flexible_since else b""
    body = request.encode(version)
    size = _REQUEST_START.size + len(name) + len(tags) + len(body)
    return b"".join(
        (_SIZE.pack(size), _REQUEST_START.pack(api.key, version, correlation_id, -1 if client_id is None else len(name)), name, tags, body)
    )


class EncodedResponse:
    """A response's body for one version, encoded once and sent more than once."""

    __slots__ = ("body",)

    def __init__(self, response: Message, version: int) -> None:
        self.body = response.encode(version)

    def encode_to(self, put: Callable[[bytes], object], version: int) -> None:
        put(self.body)


def encode_response(api: Api, version: int, correlation_id: int, response: Message | EncodedResponse) -> bytes:
    """A whole frame. Raises EncodeError."""
    parts = [b""]
    if api.response_header_version(version):
        parts.append(b"\0")
    response.encode_to(parts.append, version)
    parts[0] = _SIZE_AND_CORRELATION.pack(4 + sum(map(len, parts)), correlation_id)
    return b"".join(parts)


def read_response_header(buffer: bytes | bytearray | memoryview, api: Api, version: int) -> tuple[int, int]:
    """The header at the start of one response frame (without its size): (correlation id, position of the body). Raises DecodeError."""
    if len(buffer) < 4:
        raise DecodeError("response shorter than its header")
    position = 4
    if api.response_header_version(version):
        try:
            position = _skip_tags(buffer, position)
        except IndexError:
            raise DecodeError("response header: truncated") from None
    return _SIZE.unpack_from(buffer)[0], position
