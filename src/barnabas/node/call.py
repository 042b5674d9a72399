"""One request on its way: what a handler is told beside the request itself, and how it answers later.

Owned by the connection until it is answered: `reply` and `close` may come from any thread, exactly one of them, once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.connection import Connection
    from barnabas.node.controller_host import OnError, OnReply, Operation
    from barnabas.node.server import Node
    from barnabas.wire.apis import Api
    from barnabas.wire.schema import Message


_BEGAN_NS = time.time_ns() - time.monotonic_ns()


def clock_ms() -> int:
    """Wall-clock time in milliseconds, as records and group state carry it."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """The same as of this process's start, but whoever sets the clock doesn't change it: for sessions, elections and everything else that waits."""
    return (_BEGAN_NS + time.monotonic_ns()) // 1_000_000


class Call:
    """`version` and `client_id` come from the request's header; `principal` is "User:ANONYMOUS" until there is security."""

    __slots__ = ("api", "client_id", "connection", "correlation_id", "version")

    principal = "User:ANONYMOUS"

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

    def submit(self, operation: Operation, on_reply: OnReply, on_error: OnError) -> None:
        """Have this node's controller run `operation`, as `ControllerHost.submit` does."""
        self.node.controller.submit(operation, on_reply, on_error)

    def reply(self, response: Message) -> None:
        """Answer now; for handlers that returned None. From any thread."""
        self.connection.network.call(self.connection.deliver, self, response)

    def close(self) -> None:
        """End the connection without an answer. From any thread."""
        self.connection.network.call(self.connection.close)


class InnerCall(Call):
    """A request that came by no connection of its own: this node asks its own controller. It counts as come by the controller's listener.

    `on_answer(response)` or `on_other_controller()` is called, once, by whoever answers.
    """

    __slots__ = ("_node", "_on_answer", "_on_other_controller")

    on_controller_listener = True
    listener = ""
    client_host = ""

    def __init__(self, node: Node, api: Api, version: int, on_answer: Callable[[Message], object], on_other_controller: Callable[[], object]) -> None:
        self._node = node
        self._on_answer = on_answer
        self._on_other_controller = on_other_controller
        self.api = api
        self.version = version
        self.correlation_id = 0
        self.client_id = ""

    @property
    def node(self) -> Node:
        return self._node

    def submit(self, operation: Operation, on_reply: OnReply, on_error: OnError) -> None:
        def failed(error: Error, message: str | None) -> None:
            if error == Error.NOT_CONTROLLER:
                self._on_other_controller()
            else:
                on_error(error, message)

        self._node.controller.submit(operation, on_reply, failed)

    def reply(self, response: Message) -> None:
        self._on_answer(response)
