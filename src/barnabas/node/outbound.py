"""One connection to another node, on a loop: requests out, answers back in their order.

Owns connecting without waiting and for how long that is tried, ApiVersions first (Q1), the version of each request, frames. Doesn't own how long an answer is
waited for, reconnecting or what is asked: whoever has waited long enough closes it and makes a new one. Everything here happens on the loop's own thread, and
every answer comes there; none of them from within `ask`.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from barnabas import SOFTWARE_NAME, __version__
from barnabas.node.loop import READ, WRITE
from barnabas.wire.apis import API_VERSIONS, APIS
from barnabas.wire.errors import Error
from barnabas.wire.framing import encode_request, read_response_header
from barnabas.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from barnabas.wire.types import DecodeError, EncodeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from barnabas.node.loop import Loop, Timer
    from barnabas.wire.apis import Api
    from barnabas.wire.schema import Message

_SIZE = Struct(">i")
_FIRST_BUFFER = 16 * 1024
_KEEP_BUFFER = 1 << 20


class Failure(NamedTuple):
    """Why a request has no answer."""

    reason: str
    is_refused: bool = False
    """Nobody listens there: the process is gone."""
    is_unsupported: bool = False
    """The other node doesn't know this API in any version that was wanted; the connection goes on."""


class SetupLimits:
    """How long setting up the next connection to a node may take: longer after each that wasn't set up, a fifth more or less, so that not all try at once."""

    __slots__ = ("_first_ms", "_most_ms", "failures")

    def __init__(self, first_ms: int, most_ms: int) -> None:
        self._first_ms = first_ms
        self._most_ms = most_ms
        self.failures = 0

    def next_ms(self) -> int:
        limit_ms = min(self._first_ms << min(self.failures, 30), self._most_ms)
        return limit_ms * (800 + 400 * os.urandom(1)[0] // 255) // 1000


class _Waiting(NamedTuple):
    correlation_id: int
    api: Api
    version: int
    on_answer: Callable[[Any], object]
    is_raw: bool


class Outbound:
    """Connects at once. `on_closed(failure)` is called once, after all that waited have been told; not after `close`."""

    __slots__ = (
        "_buffer",
        "_client_id",
        "_early",
        "_end",
        "_events",
        "_is_connected",
        "_last_correlation_id",
        "_limits",
        "_loop",
        "_on_closed",
        "_out",
        "_receive_buffer_bytes",
        "_setup",
        "_socket",
        "_versions",
        "_waiting",
        "address",
        "is_closed",
    )

    def __init__(
        self,
        loop: Loop,
        host: str,
        port: int,
        client_id: str,
        on_closed: Callable[[Failure], object] = lambda failure: None,
        *,
        limits: SetupLimits | None = None,
        receive_buffer_bytes: int = -1,
    ) -> None:
        """`limits`: of the connections to this node, one after the other; without, the system's. `receive_buffer_bytes`: -1 for the system's."""
        self.address = (host, port)
        self.is_closed = False
        self._loop = loop
        self._client_id = client_id
        self._on_closed = on_closed
        self._socket: socket.socket | None = None
        self._limits = limits
        self._receive_buffer_bytes = receive_buffer_bytes
        self._setup: Timer | None = None
        self._is_connected = False
        self._events = 0
        self._last_correlation_id = 0
        self._versions: dict[int, tuple[int, int]] | None = None
        self._early: list[tuple[Message, int | None, Callable[[Any], object], bool]] = []  # before the versions are known
        self._waiting: deque[_Waiting] = deque()
        self._out = bytearray()
        self._buffer = bytearray(_FIRST_BUFFER)
        self._end = 0
        loop.call(self._resolve)

    @property
    def versions(self) -> dict[int, tuple[int, int]] | None:
        """First and last version of each API by its key, as the other end said; None before."""
        return self._versions

    @property
    def unanswered(self) -> int:
        """Requests whose answers are to come."""
        return len(self._early) + sum(waiting.api.key != API_VERSIONS for waiting in self._waiting)

    @property
    def has_ended(self) -> bool:
        """The other side has gone, whether or not this loop has come to know it. From any thread."""
        made = self._socket
        if made is None or not self._is_connected:
            return False
        try:
            return not made.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    # --- asking

    def ask(self, request: Message, on_answer: Callable[[Message | Failure], object], *, version: int | None = None) -> None:
        """`version`: the highest to use; without, the highest that both sides know. `on_answer` is called once."""
        self._ask(request, version, on_answer, is_raw=False)

    def ask_raw(self, request: Message, on_answer: Callable[[tuple[memoryview, int] | Failure], object], *, version: int | None = None) -> None:
        """As `ask`, but the answer is (body, version), the body not decoded and valid only during the call."""
        self._ask(request, version, on_answer, is_raw=True)

    def close(self) -> None:
        """Let go of it: nobody is told anything more."""
        self.is_closed = True
        self._early.clear()
        self._waiting.clear()
        self._forget_setup()
        if self._socket is not None:
            if self._events:
                self._loop.unregister(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _ask(self, request: Message, version: int | None, on_answer: Callable[[Any], object], *, is_raw: bool) -> None:
        if self.is_closed:
            self._loop.call(on_answer, Failure("the connection is closed"))
        elif self._versions is None:
            self._early.append((request, version, on_answer, is_raw))
        else:
            self._send(request, version, on_answer, is_raw=is_raw)

    def _send(self, request: Message, most: int | None, on_answer: Callable[[Any], object], *, is_raw: bool) -> None:
        assert self._versions is not None
        api = APIS[request.api_key]
        first, last = self._versions.get(api.key, (0, -1))
        version = min(api.last if most is None else most, last)
        if version < max(first, api.first):
            reason = f"{self._where} doesn't serve {api.name} in a version that this node can use"
            self._loop.call(on_answer, Failure(reason, is_unsupported=True))
            return
        self._write(api, version, request, on_answer, is_raw=is_raw)

    def _write(self, api: Api, version: int, request: Message, on_answer: Callable[[Any], object], *, is_raw: bool) -> None:
        self._last_correlation_id = correlation_id = (self._last_correlation_id + 1) & 0x7FFF_FFFF
        try:
            frame = encode_request(api, version, correlation_id, self._client_id, request)
        except EncodeError as error:
            self._loop.call(on_answer, Failure(f"{api.name} version {version}: {error}", is_unsupported=True))
            return
        self._waiting.append(_Waiting(correlation_id, api, version, on_answer, is_raw))
        self._out += frame
        self._flush()

    # --- the socket

    @property
    def _where(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def _resolve(self) -> None:
        """A name may take a name server's time: off this thread with it. A number doesn't."""
        if self.is_closed:
            return
        try:
            found = socket.getaddrinfo(*self.address, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except OSError:
            from threading import Thread

            Thread(target=self._look_up, name="resolver", daemon=True).start()
        else:
            self._connect(found)

    def _look_up(self) -> None:
        try:
            found = socket.getaddrinfo(*self.address, type=socket.SOCK_STREAM)
        except OSError as error:
            self._loop.call(self._fail, Failure(f"{self._where}: {error.strerror or error}"))
        else:
            self._loop.call(self._connect, found)

    def _connect(self, found: list[Any]) -> None:
        if self.is_closed:
            return
        family, kind, protocol, _, address = found[0]
        try:
            self._socket = made = socket.socket(family, kind, protocol)
            made.setblocking(False)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._receive_buffer_bytes != -1:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer_bytes)
            code = made.connect_ex(address)
        except OSError as error:
            self._fail(self._failure(error.errno or 0))
            return
        if code not in (0, errno.EINPROGRESS):
            self._fail(self._failure(code))
            return
        self._events = WRITE
        self._loop.register(made.fileno(), WRITE, self._on_event)
        if self._limits is not None:
            limit_ms = self._limits.next_ms()
            self._setup = self._loop.call_later(limit_ms, self._not_set_up, limit_ms)

    def _not_set_up(self, limit_ms: int) -> None:
        self._setup = None
        self._fail(Failure(f"{self._where}: no connection within {limit_ms} ms"))

    def _forget_setup(self) -> None:
        if self._setup is not None:
            self._setup.cancel()
            self._setup = None

    def _on_event(self, mask: int) -> None:
        assert self._socket is not None
        if not self._is_connected:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._fail(self._failure(code))
                return
            self._is_connected = True
            self._forget_setup()
            if self._limits is not None:
                self._limits.failures = 0
            request = ApiVersionsRequest(client_software_name=SOFTWARE_NAME, client_software_version=__version__)
            self._write(APIS[API_VERSIONS], 4, request, self._learn_versions, is_raw=False)
        elif mask & WRITE:
            self._flush()
        if not self.is_closed and mask & ~WRITE:
            self._receive()

    def _flush(self) -> None:
        if self._socket is None or not self._is_connected:
            return
        try:
            while self._out:
                del self._out[: self._socket.send(self._out)]
        except BlockingIOError:
            pass
        except OSError as error:
            self._loop.call(self._fail, self._failure(error.errno or 0))
            return
        events = READ | WRITE if self._out else READ
        if events != self._events:
            self._events = events
            self._loop.modify(self._socket.fileno(), events)

    def _receive(self) -> None:
        assert self._socket is not None
        if self._end == len(self._buffer):
            self._buffer += bytes(len(self._buffer))
        try:
            with memoryview(self._buffer)[self._end :] as room:
                received = self._socket.recv_into(room)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(self._failure(error.errno or 0))
            return
        if not received:
            self._fail(Failure(f"{self._where} closed the connection"))
            return
        self._end += received
        self._take_frames()

    def _take_frames(self) -> None:
        position = 0
        view = memoryview(self._buffer)
        try:
            while self._end - position >= 4:
                (size,) = _SIZE.unpack_from(view, position)
                if size < 4:
                    raise DecodeError(f"an answer of {size} bytes")
                if self._end - position - 4 < size:
                    break
                with view[position + 4 : position + 4 + size] as frame:
                    self._take(frame)
                if self.is_closed:
                    return
                position += 4 + size
        except DecodeError as error:
            self._fail(Failure(f"{self._where} sent what can't be read: {error}"))
            return
        finally:
            view.release()
        if position:
            self._keep_from(position)

    def _keep_from(self, position: int) -> None:
        """What is left of the next answer moves to the front, into a small buffer when a large one isn't needed any more."""
        left = self._end - position
        if len(self._buffer) > _KEEP_BUFFER and left < _FIRST_BUFFER:
            self._buffer = self._buffer[position : self._end] + bytes(_FIRST_BUFFER - left)
        else:
            self._buffer[:left] = self._buffer[position : self._end]
        self._end = left

    def _take(self, frame: memoryview) -> None:
        if not self._waiting:
            raise DecodeError("an answer to nothing that was asked")
        waiting = self._waiting.popleft()
        correlation_id, body = read_response_header(frame, waiting.api, waiting.version)
        if correlation_id != waiting.correlation_id:
            raise DecodeError(f"an answer to request {correlation_id}, request {waiting.correlation_id} is next")
        if waiting.is_raw:
            with frame[body:] as rest:
                waiting.on_answer((rest, waiting.version))
            return
        version = waiting.version
        if waiting.api.key == API_VERSIONS and frame[body : body + 2] == Error.UNSUPPORTED_VERSION.to_bytes(2, "big"):
            version = 0  # a node that doesn't know the version answers in the oldest (W4)
        waiting.on_answer(waiting.api.response().decode(frame[body:], version))

    def _learn_versions(self, answer: ApiVersionsResponse | Failure) -> None:
        if isinstance(answer, Failure):
            return
        if answer.error_code == Error.UNSUPPORTED_VERSION:
            self._write(APIS[API_VERSIONS], 0, ApiVersionsRequest(), self._learn_versions, is_raw=False)
            return
        if answer.error_code:
            self._fail(Failure(f"{self._where} refuses to tell its versions: error {answer.error_code}"))
            return
        self._versions = {entry.api_key: (entry.min_version, entry.max_version) for entry in answer.api_keys}
        early, self._early = self._early, []
        for request, version, on_answer, is_raw in early:
            self._send(request, version, on_answer, is_raw=is_raw)

    # --- the end

    def _failure(self, code: int) -> Failure:
        return Failure(f"{self._where}: {os.strerror(code)}", is_refused=code == errno.ECONNREFUSED)

    def _fail(self, failure: Failure) -> None:
        if self.is_closed:
            return
        if self._limits is not None and not self._is_connected:
            self._limits.failures += 1
        told = [waiting.on_answer for waiting in self._waiting] + [early[2] for early in self._early]
        self.close()
        for on_answer in told:
            on_answer(failure)
        self._on_closed(failure)
