"""One segment in the place of several: the order of names in which a crash at any point leaves either the old ones or the new one (D106, D107)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .file_names import DELETED, SWAP

if TYPE_CHECKING:
    from .deleted_files import DeletedFiles
    from .producer_snapshot import Snapshots
    from .segment import Segment


def replaced(
    segments: tuple[Segment, ...], cleaned: Segment, old: tuple[Segment, ...], snapshots: Snapshots, deleted: DeletedFiles, now_ms: int
) -> tuple[Segment, ...] | None:
    """The log's segments with `cleaned`, which is durable, instead of `old`; None, and nothing done, if those aren't all there and full. Raises OSError.

    Readers hold the old segments: they have all open before a name changes.
    """
    first = next((number for number, segment in enumerate(segments) if segment is old[0]), len(segments))
    end = first + len(old)
    if end >= len(segments) or segments[first:end] != old:
        return None
    for segment in old:
        segment.open_all()
    cleaned.rename(SWAP)
    for segment in old:
        gone = segment.rename(DELETED)
        if segment.base_offset != cleaned.base_offset:
            gone = gone + snapshots.let_go(segment.base_offset)
        deleted.add(now_ms, gone)
    cleaned.rename("")
    return (*segments[:first], cleaned, *segments[end:])
