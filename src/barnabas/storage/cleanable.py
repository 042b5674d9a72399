"""What of a log may be cleaned, and whether it is worth it (D117). Decides, changes nothing. Source: Apache's LogCleanerManager, KIP-58, KIP-354."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

from .batch_scan import first_max_timestamp
from .log_reader import base_offset_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .log_config import LogConfig
    from .segment import Segment


class LogView(NamedTuple):
    """A log as it was at one moment; the last segment is being written."""

    segments: tuple[Segment, ...]
    start_offset: int
    end_offset: int
    first_undecided_offset: int
    """From there on something may be taken back, or belongs to a transaction that is open."""
    config: LogConfig


class Cleanable(NamedTuple):
    """[first_dirty_offset, end_offset) may be cleaned; `end_offset` is a segment's start. Bytes are those of whole segments."""

    first_dirty_offset: int
    end_offset: int
    clean_bytes: int
    dirty_bytes: int
    is_overdue: bool
    """Something waits for longer than max.compaction.lag.ms."""
    is_reset: bool
    """The checkpoint was of another log than this one, and begins anew."""

    @property
    def total_bytes(self) -> int:
        return self.clean_bytes + self.dirty_bytes

    @property
    def ratio(self) -> float:
        return self.dirty_bytes / self.total_bytes if self.total_bytes else 0.0

    def is_worth_it(self, min_ratio: float) -> bool:
        return self.total_bytes > 0 and ((self.is_overdue and self.dirty_bytes > 0) or self.ratio > min_ratio)


def cleanable(log: LogView, checkpoint: int | None, now_ms: int) -> Cleanable:
    """`checkpoint` is where the last cleaning ended, None before the first. Raises OSError."""
    segments, config = log.segments, log.config
    first_dirty = log.start_offset if checkpoint is None else checkpoint
    is_reset = not log.start_offset <= first_dirty <= log.end_offset
    if is_reset:
        first_dirty = log.start_offset
    full = _full_from(segments, first_dirty)
    bound = min(log.first_undecided_offset, segments[-1].base_offset)
    if config.min_compaction_lag_ms > 0:
        limit_ms = now_ms - config.min_compaction_lag_ms
        bound = min([bound, *[segment.base_offset for segment in full if segment.largest_timestamp() > limit_ms][:1]])
    bound = max(bound, first_dirty)
    end_offset = next((segment.base_offset for segment in _full_from(segments, bound)), segments[-1].base_offset)
    clean = segments[: bisect_left(segments, first_dirty, key=base_offset_of)]
    return Cleanable(
        first_dirty,
        end_offset,
        _size(clean),
        _size(_between(segments, min(first_dirty, end_offset), end_offset)),
        _is_overdue(full, config.max_compaction_lag_ms, now_ms),
        is_reset,
    )


def _full_from(segments: Sequence[Segment], offset: int) -> Sequence[Segment]:
    """From the one that holds `offset` on, without the one that is being written."""
    return _between(segments, offset, segments[-1].base_offset) if offset <= segments[-1].base_offset else ()


def _between(segments: Sequence[Segment], start: int, end: int) -> Sequence[Segment]:
    """From the one that holds `start` on, those that begin before `end`."""
    if start == end:
        return ()
    return segments[max(bisect_right(segments, start, key=base_offset_of) - 1, 0) : bisect_left(segments, end, key=base_offset_of)]


def _size(segments: Sequence[Segment]) -> int:
    return sum(segment.size for segment in segments)


def _is_overdue(segments: Sequence[Segment], max_lag_ms: int, now_ms: int) -> bool:
    if max_lag_ms >= now_ms:
        return False
    oldest_ms = [
        timestamp for segment in segments if segment.size and (timestamp := first_max_timestamp(segment.file.fileno())) is not None and timestamp > 0
    ]
    return bool(oldest_ms) and min(oldest_ms) < now_ms - max(max_lag_ms, 0)
