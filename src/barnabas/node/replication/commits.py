"""Produce requests with acks=all that wait for the other replicas, each with its place among its connection's replies.

Owns the answer that becomes known when all partitions of a request are committed, refused, or out of time (REQUEST_TIMED_OUT). Unlike Apache Kafka, which
serves one request of a connection at a time to its end, a connection goes on with the next requests meanwhile; replies keep their order (W11).
Source: DelayedProduce of 4.3.1.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from barnabas.node.call import steady_ms
from barnabas.node.connection import PendingReply
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.connection import Connection
    from barnabas.node.handlers.produce import Route
    from barnabas.wire.messages.produce import ProduceResponse

_LOCK = Lock()  # who settles first; held for an assignment


class RouteCommit:
    """One batch for one partition by a Route."""

    __slots__ = ("append_time_ms", "base_offset", "correlation_id", "deadline_ms", "is_placed", "is_settled", "route", "slot")

    def __init__(self, connection: Connection, route: Route, correlation_id: int) -> None:
        self.slot = PendingReply(connection)
        self.route = route
        self.correlation_id = correlation_id
        self.deadline_ms = 0
        self.base_offset = self.append_time_ms = -1
        self.is_placed = self.is_settled = False

    def place(self, base_offset: int, append_time_ms: int) -> None:
        self.base_offset, self.append_time_ms = base_offset, append_time_ms
        self.is_placed = True

    def settle(self, error: Error) -> None:
        with _LOCK:
            if self.is_settled:
                return
            self.is_settled = True
        route = self.route
        if error:
            self.slot.known(route.refusal(self.correlation_id, error))
        else:
            self.slot.known(route.answer(self.correlation_id, self.base_offset, self.append_time_ms))

    def expire(self) -> None:
        self.settle(Error.REQUEST_TIMED_OUT)
        self.route.partition.forget_settled()


class RequestCommit:
    """A request for any number of partitions. `finish` makes the reply once the outcome of all is known."""

    __slots__ = ("_finish", "_parts", "deadline_ms", "is_settled", "missing", "slot")

    def __init__(self, connection: Connection, finish: Callable[[], bytes]) -> None:
        self.slot = PendingReply(connection)
        self.deadline_ms = 0
        self.is_settled = False
        self.missing = 1  # `begin` is the last part
        self._finish = finish
        self._parts: list[PartCommit] = []

    def part(self, row: ProduceResponse.TopicProduce.PartitionProduce) -> PartCommit:
        """For one partition: given to its append."""
        return PartCommit(self, row)

    def add(self, part: PartCommit) -> None:
        self._parts.append(part)
        with _LOCK:
            self.missing += 1

    @property
    def waits(self) -> bool:
        """Whether any partition has it to be waited for."""
        return bool(self._parts)

    def begin(self) -> None:
        """All partitions have been given theirs."""
        self.one_less()

    def one_less(self) -> None:
        with _LOCK:
            self.missing -= 1
            if self.missing:
                return
            self.is_settled = True
        self.slot.known(self._finish())

    def expire(self) -> None:
        for part in self._parts:
            part.settle(Error.REQUEST_TIMED_OUT)


class PartCommit:
    __slots__ = ("_request", "_row", "is_placed", "is_settled")

    def __init__(self, request: RequestCommit, row: ProduceResponse.TopicProduce.PartitionProduce) -> None:
        self._request = request
        self._row = row
        self.is_placed = self.is_settled = False

    def place(self, base_offset: int, append_time_ms: int) -> None:
        self.is_placed = True
        self._request.add(self)

    def settle(self, error: Error) -> None:
        with _LOCK:
            if self.is_settled:
                return
            self.is_settled = True
        row = self._row
        if error:
            row.error_code, row.base_offset, row.log_append_time_ms, row.log_start_offset = error, -1, -1, -1
        self._request.one_less()


def await_reply(connection: Connection, commit: RouteCommit | RequestCommit, timeout_ms: int) -> None:
    """Put the reply into its place, and see to it that it is known in `timeout_ms`. On the connection's thread."""
    commit.deadline_ms = steady_ms() + timeout_ms
    connection.out.append(commit.slot)
    connection.pending.append(commit)
    if connection.expiry is None:
        connection.expiry = connection.network.call_later(timeout_ms, expire, connection)


def expire(connection: Connection) -> None:
    """Answer those that have waited too long; later, look again."""
    connection.expiry = None
    now_ms = steady_ms()
    for commit in list(connection.pending):
        if commit.deadline_ms <= now_ms and not commit.is_settled:
            commit.expire()
    soonest = min((commit.deadline_ms for commit in connection.pending if not commit.is_settled), default=None)
    if soonest is not None and not connection.closed:
        connection.expiry = connection.network.call_later(max(soonest - now_ms, 1), expire, connection)
