"""What the controller wants appended, gathered into batches: at once when the disk is idle, else after a linger (Q35, O8).

Source: Apache's `BatchAccumulator`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

MAX_BATCH_BYTES = 8 * 1024 * 1024
MAX_BATCHES = 10
RECORD_OVERHEAD_BYTES = 24


class TooManyBatches(RuntimeError):
    """Ten batches wait for the disk: the controller must slow down."""


class Batch(NamedTuple):
    base_offset: int
    records: tuple[Any, ...]
    size_bytes: int


class Accumulator:
    """Batches of one epoch that aren't in the log yet, oldest first."""

    __slots__ = ("_batches", "due_ms", "linger_ms", "next_offset")

    def __init__(self, next_offset: int, linger_ms: int) -> None:
        self.next_offset = next_offset
        self.linger_ms = linger_ms
        self.due_ms: int | None = None
        """When to drain at the latest; None while there is nothing."""
        self._batches: list[Batch] = []

    def add(self, records: tuple[Any, ...], size_bytes: int, now_ms: int) -> int:
        """The offset of the first of them. They stay together in one batch. Raises TooManyBatches (nothing happened)."""
        size_bytes += RECORD_OVERHEAD_BYTES * len(records)
        if self._batches and self._batches[-1].size_bytes + size_bytes <= MAX_BATCH_BYTES:
            last = self._batches[-1]
            self._batches[-1] = Batch(last.base_offset, last.records + records, last.size_bytes + size_bytes)
        elif len(self._batches) >= MAX_BATCHES:
            raise TooManyBatches(f"{MAX_BATCHES} batches of metadata records wait to be written: try again when the disk has caught up.")
        else:
            self._batches.append(Batch(self.next_offset, records, size_bytes))
        first, self.next_offset = self.next_offset, self.next_offset + len(records)
        if self.due_ms is None:
            self.due_ms = now_ms + self.linger_ms
        if len(self._batches) > 1:
            self.due_ms = now_ms  # one is full
        return first

    def drain(self) -> list[Batch]:
        drained, self._batches, self.due_ms = self._batches, [], None
        return drained
