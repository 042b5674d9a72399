"""Timers of one shard, as data: nothing here reads a clock.

A heartbeat moves its member's deadline further away thousands of times for each time that one passes. So moving a deadline
only changes a number; the heap is looked at again when the earlier moment comes.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Key = tuple[str, ...]


class _Entry:
    __slots__ = ("action", "arguments", "at_ms", "queued_ms")

    def __init__(self, at_ms: int, action: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.at_ms = at_ms
        self.queued_ms = at_ms
        self.action = action
        self.arguments = arguments


class Deadlines:
    """At most one deadline a key; arming a key again replaces its deadline and action."""

    __slots__ = ("_count", "_entries", "_heap")

    def __init__(self) -> None:
        self._entries: dict[Key, _Entry] = {}
        self._heap: list[tuple[int, int, Key, _Entry]] = []
        self._count = 0

    def arm(self, key: Key, at_ms: int, action: Callable[..., None], *arguments: Any) -> None:
        entry = self._entries.get(key)
        if entry is not None and entry.queued_ms <= at_ms:
            entry.at_ms = at_ms
            entry.action = action
            entry.arguments = arguments
            return
        self._queue(key, _Entry(at_ms, action, arguments))

    def cancel(self, key: Key) -> None:
        self._entries.pop(key, None)

    def clear(self) -> None:
        self._entries.clear()
        self._heap.clear()

    def __contains__(self, key: Key) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def next_ms(self) -> int | None:
        """A moment not later than the next deadline, or None if nothing is armed."""
        heap = self._heap
        while heap and self._entries.get(heap[0][2]) is not heap[0][3]:
            heappop(heap)
        return heap[0][0] if heap else None

    def shift(self, by_ms: int) -> None:
        """The clock has been set: all deadlines keep their distance."""
        items = sorted((entry.at_ms + by_ms, order, key) for order, (key, entry) in enumerate(self._entries.items()))
        self._heap.clear()
        for at_ms, _, key in items:
            self._entries[key].at_ms = at_ms
            self._queue(key, self._entries[key])

    def run(self, now_ms: int) -> None:
        """Run every action whose deadline has come, in their order."""
        heap = self._heap
        while heap and heap[0][0] <= now_ms:
            _, _, key, entry = heappop(heap)
            if self._entries.get(key) is not entry:
                continue
            if entry.at_ms > now_ms:
                self._queue(key, entry)
                continue
            del self._entries[key]
            entry.action(*entry.arguments)

    def _queue(self, key: Key, entry: _Entry) -> None:
        if len(self._heap) > 64 + 4 * len(self._entries):  # entries that were replaced or cancelled stay until their time
            self._heap[:] = [item for item in self._heap if self._entries.get(item[2]) is item[3]]
            heapify(self._heap)
        entry.queued_ms = entry.at_ms
        self._entries[key] = entry
        self._count += 1
        heappush(self._heap, (entry.at_ms, self._count, key, entry))
