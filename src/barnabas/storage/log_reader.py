"""Where in which segment a reader's bytes are. Works on the tuple of segments as it was when the reader came, without a lock."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .segment import LogFile, Segment
    from .transaction_index import Aborted


class Slice(NamedTuple):
    """Whole batches in a file; `file` keeps its descriptor open while it is referred to."""

    file: LogFile
    position: int
    size: int


def base_offset_of(segment: Segment) -> int:
    return segment.base_offset


def find_slice(segments: Sequence[Segment], offset: int, max_bytes: int, upper_offset: int, min_one: bool) -> Slice | None:
    """What `Log.read` gives, for an offset that is in range. Raises StorageError, OSError."""
    number = len(segments) - 1
    segment = segments[number]
    if offset < segment.base_offset:
        number = max(bisect_right(segments, offset, key=base_offset_of) - 1, 0)
        segment = segments[number]
    # The size first: what is appended from here on may be beyond `upper_offset`, and isn't looked at.
    end = segment.size
    found = segment.find(offset)
    while found is None:
        # Compaction may leave nothing at the end of a segment.
        number += 1
        if number >= len(segments) or segments[number].base_offset >= upper_offset:
            return None
        segment = segments[number]
        end = segment.size
        found = segment.find(offset)
    position, first_size = found
    if number + 1 == len(segments) or upper_offset < segments[number + 1].base_offset:
        upper = segment.find(upper_offset)
        if upper is not None and upper[0] < end:
            end = upper[0]
    size = end - position
    if size <= 0:
        return None
    if size > max_bytes:
        if first_size < max_bytes:
            size = max(segment.boundary(position + max_bytes) - position, first_size)
        else:
            size = first_size if min_one or first_size == max_bytes else 0
    return Slice(segment.file, position, size)


def end_offset_of(segments: Sequence[Segment], found: Slice) -> int | None:
    """The offset behind a slice, None when its segment is gone. Raises OSError."""
    for segment in segments:
        if segment.is_file(found.file):
            return segment.offset_at(found.position, found.position + found.size)
    return None


def aborted_in(segments: Sequence[Segment], start: int, found: Slice, end_offset: int) -> list[Aborted]:
    """What touches a slice that was read from `start` on. Raises StorageError."""
    if not any(segment.transactions.exists for segment in _from(segments, start)):
        return []  # nearly always; then it doesn't matter where the slice ends
    return aborted_transactions(segments, start, end_offset_of(segments, found) or end_offset)


def aborted_transactions(segments: Sequence[Segment], start: int, end: int) -> list[Aborted]:
    """What touches [start, end). Raises StorageError."""
    found: list[Aborted] = []
    for segment in _from(segments, start):
        some, is_complete = segment.transactions.collect(start, end)
        found += some
        if is_complete:
            break
    return found


def _from(segments: Sequence[Segment], offset: int) -> Sequence[Segment]:
    return segments[max(bisect_right(segments, offset, key=base_offset_of) - 1, 0) :]
