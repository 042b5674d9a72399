"""What a topic's settings mean for its logs: how batches are judged, and how segments are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.storage.log_config import LogConfig
from barnabas.wire.records.compression import Codec
from barnabas.wire.records.validation import AppendRules

if TYPE_CHECKING:
    from barnabas.core.configs.topic_settings import TopicSettings

_CODECS = {"uncompressed": Codec.NONE, "gzip": Codec.GZIP, "snappy": Codec.SNAPPY, "lz4": Codec.LZ4, "zstd": Codec.ZSTD}
_LARGEST_SEGMENT = (1 << 31) - 1


def append_rules(settings: TopicSettings) -> AppendRules:
    codec = _CODECS.get(settings.compression_type)
    levels = {Codec.GZIP: settings.compression_gzip_level, Codec.LZ4: settings.compression_lz4_level, Codec.ZSTD: settings.compression_zstd_level}
    return AppendRules(
        compacted=settings.compact,
        log_append_time=settings.message_timestamp_type == 1,
        timestamp_before_max_ms=settings.message_timestamp_before_max_ms,
        timestamp_after_max_ms=settings.message_timestamp_after_max_ms,
        max_message_bytes=settings.max_message_bytes,
        segment_bytes=min(settings.segment_bytes, _LARGEST_SEGMENT),
        codec=codec,
        level=None if codec is None else levels.get(codec),
    )


def log_config(settings: TopicSettings, producer_id_expiration_ms: int) -> LogConfig:
    return LogConfig(
        segment_bytes=settings.segment_bytes,
        segment_ms=settings.roll_ms,
        segment_jitter_ms=settings.segment_jitter_ms,
        segment_index_bytes=settings.segment_index_bytes,
        index_interval_bytes=settings.index_interval_bytes,
        retention_bytes=settings.retention_bytes,
        retention_ms=settings.retention_ms,
        flush_messages=settings.flush_messages,
        flush_ms=settings.flush_ms,
        delete=settings.delete,
        compact=settings.compact,
        delete_retention_ms=settings.delete_retention_ms,
        min_cleanable_dirty_ratio=settings.min_cleanable_dirty_ratio,
        min_compaction_lag_ms=settings.min_compaction_lag_ms,
        max_compaction_lag_ms=settings.max_compaction_lag_ms,
        producer_id_expiration_ms=producer_id_expiration_ms,
    )
