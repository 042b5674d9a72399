"""One request on its way: what a handler is told beside the request itself, and how it answers later.

Owned by the connection until it is answered: `reply` and `close` may come from any thread, exactly one of them, once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.connection import Connection
    from barnabas.node.controller_host import OnError, OnReply, Operation
    from barnabas.node.server import Node
    from barnabas.wire.apis import Api
    from barnabas.wire.framing import EncodedResponse
    from barnabas.wire.schema import Message


_BEGAN_NS = time.time_ns() - time.monotonic_ns()


def clock_ms() -> int:
    """Wall-clock time in milliseconds, as records and group state carry it."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """The same as of this process's start, but whoever sets the clock doesn't change it: for sessions, elections and everything else that waits."""
    return (_BEGAN_NS + time.monotonic_ns()) // 1_000_000


class Client(Protocol):
    """Who asks."""

    @property
    def client_id(self) -> str: ...

    @property
    def client_host(self) -> str: ...

    @property
    def principal(self) -> str: ...


class Call:
    """`version` and `client_id` come from the request's header; `principal` is "User:ANONYMOUS" until there is security. `is_forwarded`: a broker has
    seen the request before this controller does."""

    __slots__ = ("api", "client_id", "connection", "correlation_id", "version")

    principal = "User:ANONYMOUS"
    is_forwarded = False

    def __init__(self, connection: Connection, api: Api, version: int, correlation_id: int, client_id: str | None) -> None:
        self.connection = connection
        self.api = api
        self.version = version
        self.correlation_id = correlation_id
        self.client_id = client_id or ""

    @property
    def node(self) -> Node:
        return self.connection.node

    @property
    def client_host(self) -> str:
        """The client's address as groups show it, "/127.0.0.1"."""
        return "/" + self.connection.peer

    @property
    def listener(self) -> str:
        """The name of the listener that the request came in by."""
        return self.connection.listener.name

    @property
    def on_controller_listener(self) -> bool:
        return self.connection.listener.is_controller

    @property
    def now_ms(self) -> int:
        return clock_ms()

    def submit(self, operation: Operation, on_reply: OnReply, on_error: OnError, *, at_commit: bool = False) -> None:
        """Have this node's controller run `operation`, as `ControllerHost.submit` does."""
        self.node.controller.submit(operation, on_reply, on_error, at_commit=at_commit)

    def submit_within(self, timeout_ms: int, operation: Operation, on_reply: OnReply, on_error: OnError) -> None:
        """`submit`, for requests that say how long they wait: with no time at all nothing is done, as with Apache Kafka."""
        if timeout_ms > 0:
            self.submit(operation, on_reply, on_error)
        else:
            on_error(Error.REQUEST_TIMED_OUT, None)

    def reply(self, response: Message | EncodedResponse) -> None:
        """Answer now; for handlers that returned None. From any thread."""
        self.connection.network.hand(self.connection.deliver, self, response)

    def close(self) -> None:
        """End the connection without an answer. From any thread."""
        self.connection.network.call(self.connection.close)


class InnerCall(Call):
    """A request that came by no connection of its own: what this node asks its own controller, or what a client asked a broker that forwards it.

    It counts as come by the controller's listener. Once `on_answer(response)` is called, or `on_failure` with NOT_CONTROLLER (another one is it) or
    UNSUPPORTED_VERSION (such a request ends its client's connection).
    """

    __slots__ = ("_client_host", "_node", "_on_answer", "_on_failure", "is_forwarded", "principal")

    on_controller_listener = True
    listener = ""

    def __init__(
        self,
        node: Node,
        api: Api,
        version: int,
        on_answer: Callable[[Message], object],
        on_failure: Callable[[Error], object],
        client: Client | None = None,
    ) -> None:
        self._node = node
        self._on_answer = on_answer
        self._on_failure = on_failure
        self.api = api
        self.version = version
        self.correlation_id = 0
        self.is_forwarded = client is not None
        self.client_id = client.client_id if client is not None else ""
        self._client_host = client.client_host if client is not None else ""
        self.principal = client.principal if client is not None else Call.principal

    @property
    def node(self) -> Node:
        return self._node

    @property
    def client_host(self) -> str:
        return self._client_host

    def submit(self, operation: Operation, on_reply: OnReply, on_error: OnError, *, at_commit: bool = False) -> None:
        def failed(error: Error, message: str | None) -> None:
            if error == Error.NOT_CONTROLLER:
                self._on_failure(error)
            else:
                on_error(error, message)

        self._node.controller.submit(operation, on_reply, failed, at_commit=at_commit)

    def reply(self, response: Message | EncodedResponse) -> None:
        self._on_answer(response)  # type: ignore[arg-type]  # only Metadata's is encoded once for many, and nobody forwards that

    def close(self) -> None:
        self._on_failure(Error.UNSUPPORTED_VERSION)
