"""Envelopes: a client's request, and who made it, as brokers send it to the controller, and the answer in it (KIP-590, W23).

Owns making and opening them. Source: Apache's `EnvelopeUtils`, `DefaultKafkaPrincipalBuilder`.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from barnabas.wire.apis import APIS
from barnabas.wire.errors import Error
from barnabas.wire.framing import encode_request, encode_response, read_request_header, read_response_header
from barnabas.wire.messages.default_principal import DefaultPrincipalData
from barnabas.wire.messages.envelope import EnvelopeRequest, EnvelopeResponse
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.apis import Api
    from barnabas.wire.framing import RequestHeader
    from barnabas.wire.schema import Message

_ADDRESS_SIZES = (4, 16)
_VERSION = b"\0\0"  # of a serialized principal


class EnvelopeRefused(Exception):
    """What is in the envelope can't be served."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.name)
        self.error = error


# At the broker


def seal(call: Call, request: Message) -> EnvelopeRequest:
    """`request` of `call`'s client, in `call`'s version."""
    host = call.client_host.removeprefix("/")
    return EnvelopeRequest(
        request_data=encode_request(call.api, call.version, call.correlation_id, call.client_id, request)[4:],
        request_principal=principal_bytes(call.principal),
        client_host_address=socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host),
    )


def read_response(call: Call, data: bytes) -> Message:
    """The answer to `call` in an envelope's. Raises DecodeError."""
    correlation_id, body = read_response_header(data, call.api, call.version)
    if correlation_id != call.correlation_id:
        raise DecodeError(f"it is for request {correlation_id}, asked was {call.correlation_id}")
    return call.api.response().decode(data[body:], call.version)


def principal_bytes(principal: str) -> bytes:
    """A principal "Type:name" as brokers tell one another."""
    kind, _, name = principal.partition(":")
    return _VERSION + DefaultPrincipalData(type=kind, name=name, token_authenticated=False).encode(0)


# At the controller


class Opened:
    """What an envelope holds, as the request of `principal` at `client_host`."""

    __slots__ = ("api", "client_host", "client_id", "correlation_id", "principal", "request", "version")

    def __init__(self, envelope: EnvelopeRequest, forwardable: frozenset[str]) -> None:
        """Raises EnvelopeRefused, in Apache's order."""
        self.principal = _principal_text(envelope.request_principal)
        if len(envelope.client_host_address) not in _ADDRESS_SIZES:
            raise EnvelopeRefused(Error.INVALID_REQUEST)
        family = socket.AF_INET if len(envelope.client_host_address) == _ADDRESS_SIZES[0] else socket.AF_INET6
        self.client_host = "/" + socket.inet_ntop(family, envelope.client_host_address)
        self.api, header = _read_header(envelope.request_data)
        if self.api.name not in forwardable:
            raise EnvelopeRefused(Error.INVALID_REQUEST)
        self.version, self.correlation_id, self.client_id = header.version, header.correlation_id, header.client_id or ""
        try:
            self.request = self.api.request().decode(envelope.request_data[header.body :], header.version)
        except DecodeError:
            raise EnvelopeRefused(Error.UNSUPPORTED_VERSION) from None

    def answer(self, response: Message) -> EnvelopeResponse:
        return EnvelopeResponse(response_data=encode_response(self.api, self.version, self.correlation_id, response)[4:], error_code=0)


def _read_header(data: bytes) -> tuple[Api, RequestHeader]:
    api = APIS.get(int.from_bytes(data[:2], "big", signed=True))
    version = int.from_bytes(data[2:4], "big", signed=True)
    if len(data) < 4 or api is None or not api.first <= version <= api.last:
        raise EnvelopeRefused(Error.UNSUPPORTED_VERSION)
    try:
        return api, read_request_header(data, version >= api.flexible_since)
    except DecodeError:
        raise EnvelopeRefused(Error.UNSUPPORTED_VERSION) from None


def _principal_text(data: bytes | None) -> str:
    try:
        if data is None or data[:2] != _VERSION:
            raise DecodeError("no principal of a known version")
        found = DefaultPrincipalData.decode_from(data, 0, 2)[0]
    except DecodeError:
        raise EnvelopeRefused(Error.PRINCIPAL_DESERIALIZATION_FAILURE) from None
    return f"{found.type}:{found.name}"
