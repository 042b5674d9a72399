"""One connection to a broker or controller: requests out, replies matched by correlation id.

Owns: headers, choosing a version both sides have (ApiVersions with Kafka's way down, W4), pipelining.
Doesn't own: the socket's bytes (`frames`), which node, retries (`cluster`), what SASL says (`sasl`).
"""

from __future__ import annotations

import asyncio
import struct
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from barnabas import SOFTWARE_NAME, __version__
from barnabas.wire.errors import Error
from barnabas.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from barnabas.wire.messages.header import RequestHeader, ResponseHeader
from barnabas.wire.types import DecodeError

from .errors import ConnectionLost, KafkaError, TimedOut, WrongProtocol, check
from .frames import Frames

if TYPE_CHECKING:
    import ssl

    from barnabas.wire.schema import Message

    from .sasl import Credentials

M = TypeVar("M", bound="Message")

MAX_IN_FLIGHT = 10_000
_API_VERSIONS = ApiVersionsRequest.api_key


class Security(NamedTuple):
    """How to speak to every node: TLS if there is a context, SASL if there are credentials."""

    tls: ssl.SSLContext | None = None
    credentials: Credentials | None = None


class _Waiting(NamedTuple):
    future: asyncio.Future[Any]
    response: type[Message]
    version: int


def response_class(request: type[Message]) -> type[Message]:
    """The class of the reply, which stands beside the request."""
    return cast("type[Message]", getattr(sys.modules[request.__module__], request.__name__.removesuffix("Request") + "Response"))


def _constant_name(request: type[Message]) -> str:
    """`DESCRIBE_CLIENT_QUOTAS` of DescribeClientQuotasRequest, as Kafka's clients write it."""
    name = request.__name__.removesuffix("Request")
    return "".join(f"_{c}" if c.isupper() and position else c.upper() for position, c in enumerate(name))


def _refusal(error: BaseException | None, host: str, port: int) -> WrongProtocol | None:
    """What TLS says of a certificate, theirs or ours; trying again changes nothing about it."""
    distrust, reason = (getattr(error, name, None) or "" for name in ("verify_message", "reason"))
    if distrust:
        problem = f"the certificate of {host}:{port} isn't trusted ({distrust})"
    elif "ALERT" in reason and "CERTIFICATE" in reason:
        problem = f"{host}:{port} wants clients to show a certificate that it trusts: set ssl.keystore.* in the client's properties"
    else:
        return None
    return WrongProtocol(f"SSL handshake failed: {problem}", "SslAuthenticationException")


class Connection:
    """Open with `Connection.open`; `call` from any task of its loop; `close` at the end."""

    def __init__(self, frames: Frames, address: tuple[str, int], client_id: str | None, request_timeout_s: float) -> None:
        self.address = address
        self._frames = frames
        frames.accept, frames.ended = self._accept, self._ended
        self._client_id = client_id
        self._request_timeout_s = request_timeout_s
        self._correlation = 0
        self._waiting: dict[int, _Waiting] = {}
        self._failure: KafkaError | None = None
        self.versions: dict[int, tuple[int, int]] = {}
        self.features: dict[str, int] = {}
        self.proven = False
        """It has answered more than ApiVersions."""

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        *,
        client_id: str | None = None,
        security: Security | None = None,
        connect_timeout_s: float = 10.0,
        request_timeout_s: float = 30.0,
    ) -> Connection:
        """Connected, versions known, authenticated. Raises ConnectionLost, KafkaError."""
        security = security or Security()
        try:
            async with asyncio.timeout(connect_timeout_s):
                _, frames = await asyncio.get_running_loop().create_connection(Frames, host, port, ssl=security.tls)
        except (OSError, TimeoutError) as error:
            refusal = _refusal(error, host, port)
            if refusal is not None:
                raise refusal from error
            raise ConnectionLost(f"{host}:{port}: {error or 'timed out'}") from error
        connection = cls(frames, (host, port), client_id, request_timeout_s)
        try:
            await connection._learn_versions()
            if security.credentials is not None:
                from .sasl import authenticate

                await authenticate(connection, security.credentials, host)
        except BaseException:
            connection.close()
            raise
        return connection

    @property
    def usable(self) -> bool:
        return self._failure is None

    def version_of(self, request: type[Message]) -> int:
        """The highest version that both sides have. Raises KafkaError UNSUPPORTED_VERSION."""
        low, high = request.valid_versions
        served = self.versions.get(request.api_key)
        if served is None or served[0] > high or served[1] < low:
            raise KafkaError(Error.UNSUPPORTED_VERSION, f"The node does not support {_constant_name(request)}")
        return min(high, served[1])

    async def call(self, request: Message, *, version: int | None = None, timeout_s: float | None = None) -> Any:
        """The reply to `request`. Raises ConnectionLost, TimedOut, KafkaError."""
        if version is None:
            version = self.version_of(type(request))
        future = self._send(request, version, answered=True)
        assert future is not None
        try:
            async with asyncio.timeout(timeout_s or self._request_timeout_s):  # wait_for forgets a cancellation that comes with the answer
                return await future
        except TimeoutError:
            self._fail(ConnectionLost())
            raise TimedOut(f"{type(request).__name__} was not answered in time.") from None

    def submit(self, request: Message, version: int) -> asyncio.Future[Any]:
        """As `call`, without waiting for the reply, for many requests at once: who submits watches the time. Raises KafkaError."""
        future = self._send(request, version, answered=True)
        assert future is not None
        return future

    async def drain(self) -> None:
        """Waits until the socket has taken most of what was sent. Raises ConnectionLost."""
        await self._frames.drain()
        if self._failure is not None:
            raise self._failure

    def send_only(self, request: Message) -> None:
        """Sends what isn't answered (Produce with acks=0)."""
        self._send(request, self.version_of(type(request)), answered=False)

    def close(self) -> None:
        self._fail(ConnectionLost("The connection was closed."))

    async def _learn_versions(self) -> None:
        version = 4
        while True:
            request = ApiVersionsRequest(client_software_name=SOFTWARE_NAME, client_software_version=__version__)
            reply: ApiVersionsResponse = await self.call(request, version=version)
            if reply.error_code != Error.UNSUPPORTED_VERSION or version == 0:
                break
            offered = next((entry.max_version for entry in reply.api_keys if entry.api_key == _API_VERSIONS), 0)
            version = max(0, min(offered, version - 1))
        check(reply.error_code)
        self.versions = {entry.api_key: (entry.min_version, entry.max_version) for entry in reply.api_keys}
        self.features = {feature.name: feature.max_version_level for feature in reply.finalized_features}

    def _send(self, request: Message, version: int, *, answered: bool) -> asyncio.Future[Any] | None:
        if self._failure is not None:
            raise self._failure
        if len(self._waiting) >= MAX_IN_FLIGHT:
            raise KafkaError(Error.NETWORK_EXCEPTION, f"{MAX_IN_FLIGHT} requests are unanswered on one connection.")
        self._correlation = correlation = (self._correlation + 1) & 0x7FFFFFFF
        header = RequestHeader(request_api_key=request.api_key, request_api_version=version, correlation_id=correlation, client_id=self._client_id)
        body = header.encode(2 if request.is_flexible(version) else 1) + request.encode(version)
        future: asyncio.Future[Any] | None = None
        if answered:
            future = asyncio.get_running_loop().create_future()
            self._waiting[correlation] = _Waiting(future, response_class(type(request)), version)
        self._frames.write(struct.pack(">i", len(body)) + body)
        return future

    def _ended(self, error: BaseException | None) -> None:
        refusal = _refusal(error, *self.address)
        if refusal is not None:
            self._fail(refusal)
            return
        self._fail(ConnectionLost(None if error is None else str(error)))

    def _accept(self, frame: bytes | memoryview) -> None:
        """Raises DecodeError."""
        correlation = int.from_bytes(frame[:4], "big", signed=True)
        waiting = self._waiting.pop(correlation, None)
        if waiting is None:
            raise DecodeError(f"a reply with correlation id {correlation} answers nothing that was asked")
        response, version = waiting.response, waiting.version
        if waiting.future.done():
            return
        if response is ApiVersionsResponse:
            # Its header is always the old one, and a node that doesn't know the version answers in version 0 (W4, W8).
            refused = len(frame) >= 6 and int.from_bytes(frame[4:6], "big") == Error.UNSUPPORTED_VERSION
            waiting.future.set_result(response.decode(memoryview(frame)[4:], 0 if refused else version))
            return
        self.proven = True
        _, position = ResponseHeader.decode_from(frame, 1 if response.is_flexible(version) else 0)
        waiting.future.set_result(response.decode_from(frame, version, position)[0])

    def _fail(self, failure: KafkaError) -> None:
        if self._failure is not None:
            return
        self._failure = failure
        self._frames.close()
        for waiting in self._waiting.values():
            if not waiting.future.done():
                waiting.future.set_exception(failure)
        self._waiting.clear()
