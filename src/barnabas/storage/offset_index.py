"""`.index`: from an offset to the position of the batch at or before it (D52-D54). Entries are (last offset of a batch, position of its start)."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from .index_file import IndexFile

if TYPE_CHECKING:
    from mmap import mmap

ENTRY = Struct(">ii")
_FIELD = Struct(">i")


class OffsetIndex:
    """The offset index of the segment that starts at `base_offset`."""

    __slots__ = ("base_offset", "file")

    def __init__(self, path: str, base_offset: int, max_bytes: int) -> None:
        self.file = IndexFile(path, ENTRY.size, max_bytes)
        self.base_offset = base_offset

    @property
    def is_full(self) -> bool:
        return self.file.count >= self.file.max_count

    def append(self, last_offset: int, position: int) -> None:
        """Add an entry; the caller has reserved room and keeps offsets rising."""
        self.file.append(ENTRY.pack(last_offset - self.base_offset, position))

    def last(self) -> tuple[int, int] | None:
        """(last offset, position) of the last entry."""
        entry = self.file.last_entry()
        if entry is None:
            return None
        relative, position = ENTRY.unpack(entry)
        return self.base_offset + relative, position

    def lookup(self, offset: int) -> tuple[int, int] | None:
        """The last entry with an offset at or below `offset`, None when a scan must begin at the segment's start."""
        view, count = self.file.entries()
        slot = self._slot(view, count, offset - self.base_offset, 0)
        if slot == 0 or view is None:
            return None
        relative, position = ENTRY.unpack_from(view, (slot - 1) * 8)
        return self.base_offset + relative, position

    def position_at_most(self, position: int) -> int:
        """The start of the last indexed batch at or before `position`, 0 when there is none."""
        view, count = self.file.entries()
        slot = self._slot(view, count, position, 4)
        return ENTRY.unpack_from(view, (slot - 1) * 8)[1] if slot and view is not None else 0

    def cut_to(self, offset: int) -> None:
        """Drop entries at or above `offset`."""
        self.file.cut(self._slot(*self.file.entries(), offset - 1 - self.base_offset, 0))

    @staticmethod
    def _slot(view: mmap | None, count: int, target: int, field: int) -> int:
        """How many entries have a field (0 offset, 4 position) at most `target`."""
        if view is None:
            return 0
        low, high = 0, count
        value_at = _FIELD.unpack_from
        while low < high:
            middle = (low + high) // 2
            if value_at(view, middle * 8 + field)[0] <= target:
                low = middle + 1
            else:
                high = middle
        return low
