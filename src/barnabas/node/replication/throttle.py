"""How many bytes a second replicas may move with: between nodes, on the leader's side and on the follower's, and between a node's directories (R34, R35).

Owns what went by lately and the bounds. Which partitions are meant stands with the `Partition`; replicas that are in sync aren't held up, though their bytes
count, so that all of it together keeps to the bound. As in Apache Kafka a bound holds over the windows that it is measured in, and so lets ten seconds' worth
go at once after a quiet time. Of a leader's answers the records count, not the few bytes around them.

Source: ReplicationQuotaManager of 4.3.1; KIP-73, KIP-113.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from barnabas.core.rate import Rate
from barnabas.node.call import steady_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.node.config.sections import Throttling

NO_LIMIT = (1 << 63) - 1
ALL = ("*",)


class Throttle:
    """From any thread. `limit` is in bytes a second."""

    __slots__ = ("_lock", "_rate", "limit")

    def __init__(self, window_ms: int, windows: int) -> None:
        self._rate = Rate(window_ms, windows)
        self._lock = Lock()
        self.limit = NO_LIMIT

    def record(self, count: int) -> None:
        """So many bytes were moved."""
        with self._lock:
            self._rate.record(steady_ms(), count)

    @property
    def is_exceeded(self) -> bool:
        if self.limit == NO_LIMIT:
            return False
        with self._lock:
            return self._rate.per_second(steady_ms()) > self.limit


class Throttles:
    """A node's."""

    __slots__ = ("directories", "follower", "leader")

    def __init__(self, throttling: Throttling) -> None:
        self.leader = Throttle(throttling.window_ms, throttling.windows)
        self.follower = Throttle(throttling.window_ms, throttling.windows)
        self.directories = Throttle(throttling.directory_window_ms, throttling.directory_windows)

    def take(self, throttling: Throttling) -> None:
        """These bounds are in force from now on."""
        self.leader.limit = throttling.leader_rate
        self.follower.limit = throttling.follower_rate
        self.directories.limit = throttling.directory_rate


def is_listed(entries: Iterable[str], partition: int, broker: int) -> bool:
    """Whether a topic's list of throttled replicas (`partition:broker`, or `*` alone) names this one."""
    entries = tuple(entries)
    if entries == ALL:
        return True
    for entry in entries:
        first, colon, second = entry.partition(":")
        if colon and int(first) == partition and int(second) == broker:
            return True
    return False
