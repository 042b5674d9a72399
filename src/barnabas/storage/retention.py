"""Which segments a log may let go (D112-D114). Decides, deletes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .log_config import LogConfig
    from .segment import Segment


def deletable(segments: Sequence[Segment], config: LogConfig, *, start_offset: int, end_offset: int, high_watermark: int, now_ms: int) -> int:
    """How many of the oldest segments may go: by the log's start, by size, by time, each judged on what the one before leaves, as Apache Kafka does.

    The active segment may be among them, if it isn't empty; the log rolls then. Raises OSError.
    """
    gone = _count(segments, 0, end_offset, high_watermark, lambda _, following: following is not None and following.base_offset <= start_offset)
    if not config.delete:
        return gone
    if config.retention_bytes >= 0:
        excess = sum(segment.size for segment in segments[gone:]) - config.retention_bytes

        def is_excess(segment: Segment, _: Segment | None) -> bool:
            nonlocal excess
            excess -= segment.size
            return excess >= 0

        if excess >= 0:
            gone = _count(segments, gone, end_offset, high_watermark, is_excess)
    if config.retention_ms >= 0:
        gone = _count(segments, gone, end_offset, high_watermark, lambda segment, _: now_ms - segment.largest_timestamp() > config.retention_ms)
    return gone


def _count(segments: Sequence[Segment], gone: int, end_offset: int, high_watermark: int, condition: Callable[[Segment, Segment | None], bool]) -> int:
    """Go on from `gone` while the condition holds; stop at the first survivor, at the high watermark and at an empty active segment."""
    while gone < len(segments):
        segment = segments[gone]
        following = segments[gone + 1] if gone + 1 < len(segments) else None
        upper = end_offset if following is None else following.base_offset
        if high_watermark < upper or not condition(segment, following) or (following is None and segment.size == 0):
            break
        gone += 1
    return gone
