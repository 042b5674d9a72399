"""What of the metadata log is committed, told to the listener in order: batches from before this start are read for it, younger ones are kept until then.

Owns how far the listener has been told. When something is committed is `core.quorum`'s.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.node.metadata_batches import MetadataBatch
    from barnabas.node.metadata_files import MetadataFiles
    from barnabas.node.metadata_listener import MetadataListener

_MANY_BATCHES = 1000


class MetadataCommits:
    __slots__ = ("_files", "_kept", "_listener", "told")

    def __init__(self, files: MetadataFiles, listener: MetadataListener) -> None:
        self._files = files
        self._listener = listener
        self._kept: deque[MetadataBatch] = deque()
        self.told = files.start_offset
        """The listener has all below, and it is committed."""

    def keep(self, batches: Iterable[MetadataBatch]) -> None:
        """They are in the log, and not committed yet."""
        self._kept.extend(batches)

    def truncate(self, end_offset: int) -> None:
        while self._kept and self._kept[-1].last_offset >= end_offset:
            self._kept.pop()

    def restart(self, offset: int) -> None:
        """The listener has a snapshot that ends there."""
        self._kept.clear()
        self.told = offset

    def commit(self, high_watermark: int) -> None:
        first = self._kept[0].base_offset if self._kept else high_watermark
        if self.told < min(first, high_watermark):
            self._tell_from_disk(min(first, high_watermark))
        done = []
        while self._kept and self._kept[0].last_offset < high_watermark:
            done.append(self._kept.popleft())
        self._tell(high_watermark, done)

    def _tell_from_disk(self, end_offset: int) -> None:
        done: list[MetadataBatch] = []
        for batch in self._files.batches(self.told, end_offset):
            done.append(batch)
            if len(done) >= _MANY_BATCHES:
                self._tell(batch.last_offset + 1, done)
                done = []
        self._tell(end_offset, done)

    def _tell(self, end_offset: int, done: list[MetadataBatch]) -> None:
        for batch in done:
            self._files.snapshots.count(batch.size_bytes)
        self.told = end_offset
        self._listener.committed(end_offset - 1, done)
