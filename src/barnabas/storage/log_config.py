"""The settings of one log: a topic's configuration as far as its files depend on it. Defaults are Kafka's."""

from __future__ import annotations

from typing import NamedTuple

MAX_INT32 = (1 << 31) - 1
MAX_INT64 = (1 << 63) - 1
# A gap that a leader's cleaner left, so many offsets wide, may lie between two segments of its follower: one alone could not hold what is before and behind it.
# Any smaller one is within a segment, so that a segment that ends before the next one begins lost something, or was cleaned.
FAR = 1 << 30


class LogConfig(NamedTuple):
    """Immutable; a changed configuration is a new value, see `Log.reconfigure`. -1 retention means unlimited."""

    segment_bytes: int = 1024 * 1024 * 1024
    segment_ms: int = 7 * 24 * 3600 * 1000
    segment_jitter_ms: int = 0
    segment_index_bytes: int = 10 * 1024 * 1024
    index_interval_bytes: int = 4096
    retention_bytes: int = -1
    retention_ms: int = 7 * 24 * 3600 * 1000
    flush_messages: int = MAX_INT64
    flush_ms: int = MAX_INT64
    delete: bool = True
    compact: bool = False
    delete_retention_ms: int = 24 * 3600 * 1000
    min_cleanable_dirty_ratio: float = 0.5
    min_compaction_lag_ms: int = 0
    max_compaction_lag_ms: int = MAX_INT64
    producer_id_expiration_ms: int = 24 * 3600 * 1000
