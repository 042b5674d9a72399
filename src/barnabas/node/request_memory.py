"""How much memory requests that are being read may take, all connections together: queued.max.request.bytes.

A buffer of ordinary size is every connection's own. Larger ones are counted as they grow, by what they have, never by what a client claims. Where there is no
room, a connection isn't read from until there is. One at a time may go beyond the limit: otherwise connections with halves of requests would wait for one
another for ever. Apache Kafka's SimpleMemoryPool takes the whole size at once, and overdraws by one request too; without the setting it has no limit.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.connection import Connection

_SHARE = 8
_LEAST_REQUESTS = 4


def memory_share() -> int:
    """What one use of memory that clients decide may take: an eighth of the machine's."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _SHARE


def default_limit(largest_request: int) -> int:
    """An eighth of the machine's memory, but room for some requests of the largest size."""
    return max(memory_share(), largest_request * _LEAST_REQUESTS)


class RequestMemory:
    """From any thread."""

    __slots__ = ("_lock", "_on_short", "_overdrawn_by", "_waiting", "limit", "used")

    def __init__(self, limit: int, on_short: Callable[[], object]) -> None:
        """`on_short` is called when a connection has to wait: whoever has memory that isn't in use should give it back."""
        self.limit = limit
        self.used = 0
        self._on_short = on_short
        self._lock = threading.Lock()
        self._waiting: dict[Connection, None] = {}
        self._overdrawn_by: Connection | None = None

    @property
    def is_short(self) -> bool:
        return bool(self._waiting)

    def is_awaited(self, connection: Connection) -> bool:
        """Whether a connection should give back what it has as soon as it doesn't need it: others wait, or it is beyond the limit."""
        return bool(self._waiting) or self._overdrawn_by is connection

    def take(self, connection: Connection, size: int) -> bool:
        """Have a connection's buffer grow to `size`. If not, it waits: its thread's `room_again` will be called."""
        with self._lock:
            more = size - connection.reserved
            if self.used + more > self.limit and self._overdrawn_by not in (None, connection):
                self._waiting[connection] = None
            else:
                if self.used + more > self.limit:
                    self._overdrawn_by = connection
                self.used += more
                connection.reserved = size
                self._waiting.pop(connection, None)
                self._wake()
                return True
        self._on_short()
        return False

    def give_back(self, connection: Connection) -> None:
        """Its buffer is of ordinary size again, or gone."""
        with self._lock:
            self.used -= connection.reserved
            connection.reserved = 0
            self._waiting.pop(connection, None)
            if self._overdrawn_by is connection:
                self._overdrawn_by = None
            self._wake()

    def _wake(self) -> None:
        """Let the first one try again; if it finds room, it wakes the next."""
        if self._waiting and (self.used < self.limit or self._overdrawn_by is None):
            first = next(iter(self._waiting))
            del self._waiting[first]
            first.network.call(first.network.room_again, first)
