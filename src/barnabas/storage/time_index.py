"""`.timeindex`: from a timestamp to an offset (D55, D56). An entry says: up to this offset, no batch has a greater timestamp than this."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from .index_file import IndexFile

if TYPE_CHECKING:
    from mmap import mmap

ENTRY = Struct(">qi")
NO_TIMESTAMP = -1


class TimeIndex:
    """The time index of the segment that starts at `base_offset`. Timestamps grow strictly, offsets never fall."""

    __slots__ = ("_last_timestamp", "base_offset", "file")

    def __init__(self, path: str, base_offset: int, max_bytes: int) -> None:
        self.file = IndexFile(path, ENTRY.size, max_bytes)
        self.base_offset = base_offset
        self._last_timestamp: int | None = None

    @property
    def is_full(self) -> bool:
        """One entry early: the last one is kept for the roll."""
        return self.file.count >= self.file.max_count - 1

    def last(self) -> tuple[int, int]:
        """(timestamp, offset) of the last entry; (-1, base offset) of an empty index."""
        entry = self.file.last_entry()
        if entry is None:
            return NO_TIMESTAMP, self.base_offset
        timestamp, relative = ENTRY.unpack(entry)
        return timestamp, self.base_offset + relative

    def append(self, timestamp: int, offset: int) -> None:
        """Add an entry if the timestamp grew."""
        last = self._last_timestamp
        if last is None:
            last = self._last_timestamp = self.last()[0]
        if timestamp > last:
            self.file.append(ENTRY.pack(timestamp, offset - self.base_offset))
            self._last_timestamp = timestamp

    def extend_within(self, entries: bytes) -> None:
        """Add packed entries that grow from the last one on, leaving the last place free; a full index takes no more."""
        room = max(self.file.max_count - 1 - self.file.count, 0) * ENTRY.size
        entries = entries[:room]
        if entries:
            self.file.extend(entries)
            self._last_timestamp = ENTRY.unpack_from(entries, len(entries) - ENTRY.size)[0]

    def reset(self) -> None:
        """Drop everything."""
        self.file.create()
        self._last_timestamp = NO_TIMESTAMP

    def lookup(self, timestamp: int) -> tuple[int, int]:
        """The last entry with a timestamp at or below `timestamp`, else (-1, base offset)."""
        view, count = self.file.entries()
        slot = self._slot(view, count, timestamp, 0, 8)
        if slot == 0 or view is None:
            return NO_TIMESTAMP, self.base_offset
        found, relative = ENTRY.unpack_from(view, (slot - 1) * 12)
        return found, self.base_offset + relative

    def cut_to(self, offset: int) -> None:
        """Drop entries at or above `offset`."""
        self.file.cut(self._slot(*self.file.entries(), offset - 1 - self.base_offset, 8, 4))
        self._last_timestamp = None

    def forget(self) -> None:
        """The file was replaced or emptied behind this object's back."""
        self.file.forget()
        self._last_timestamp = None

    @staticmethod
    def _slot(view: mmap | None, count: int, target: int, field: int, size: int) -> int:
        """How many entries have a field (at 0 the timestamp, at 8 the offset) at most `target`."""
        if view is None:
            return 0
        low, high = 0, count
        from_bytes = int.from_bytes
        while low < high:
            middle = (low + high) // 2
            at = middle * 12 + field
            if from_bytes(view[at : at + size], "big") <= target:
                low = middle + 1
            else:
                high = middle
        return low
