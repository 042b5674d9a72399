"""One request on its way: what a handler is told beside the request itself, and how it answers later.

Owned by the connection until it is answered: `reply` and `close` may come from any thread, exactly one of them, once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from barnabas.node.connection import Connection
    from barnabas.node.server import Node
    from barnabas.wire.apis import Api
    from barnabas.wire.schema import Message


def clock_ms() -> int:
    """Wall-clock time in milliseconds, as records and group state carry it."""
    return time.time_ns() // 1_000_000


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

    def reply(self, response: Message) -> None:
        """Answer now; for handlers that returned None. From any thread."""
        self.connection.network.call(self.connection.deliver, self, response)

    def close(self) -> None:
        """End the connection without an answer. From any thread."""
        self.connection.network.call(self.connection.close)
