"""Batches that share one write: what requests that came together have appended to one partition."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from barnabas.node.partition import Partition
    from barnabas.storage.segment import Appended
    from barnabas.wire.errors import Error


class WriteGroup:
    """Batches with offsets that aren't written yet. `error` is set when writing them failed."""

    __slots__ = ("batches", "error", "is_written", "partition")

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.batches: list[Appended] = []
        self.is_written = False
        self.error: Error | None = None
