"""A topic's effective settings as the log and the produce path read them: typed, immutable by agreement, built once per change.

Owns the way from broker values (static and dynamic, already overlaid by `resolution.overlay`) to topic defaults, and from those with a topic's
own configs to a `TopicSettings`. Source: KIP-226, the release's mapping of broker to log configs.
"""

from __future__ import annotations

from collections.abc import Mapping

from .definitions.row import Row, Value, index
from .definitions.topic import TOPIC
from .error import ConfigError
from .synonyms import HOURS_MS, MINUTES_MS
from .synonyms import TOPIC as SYNONYMS
from .values import Values, parse

ROWS: dict[str, Row] = index(TOPIC)


def topic_defaults(broker: Values) -> dict[str, Value]:
    """What a topic without configs of its own has on a broker with these values."""
    defaults = {name: broker[synonyms[0][0]] for name, synonyms in SYNONYMS.items()}
    if defaults["segment.ms"] is None:
        defaults["segment.ms"] = broker.integer("log.roll.hours") * HOURS_MS
    if defaults["segment.jitter.ms"] is None:
        defaults["segment.jitter.ms"] = broker.integer("log.roll.jitter.hours") * HOURS_MS
    if defaults["flush.ms"] is None:
        defaults["flush.ms"] = broker.integer("log.flush.scheduler.interval.ms")
    defaults["retention.ms"] = retention_ms(broker)
    return defaults


def retention_ms(broker: Values) -> int:
    """log.retention.ms, else minutes, else hours; anything negative is -1, for ever."""
    milliseconds = broker.optional_integer("log.retention.ms")
    if milliseconds is None:
        minutes = broker.optional_integer("log.retention.minutes")
        milliseconds = broker.integer("log.retention.hours") * HOURS_MS if minutes is None else minutes * MINUTES_MS
    return max(milliseconds, -1)


def topic_values(defaults: Mapping[str, Value], overrides: Mapping[str, str]) -> Values:
    """`overrides` parsed over `defaults` over the topic keys' own defaults. Names that are no topic's are left out. Raises ConfigError."""
    given = dict(defaults)
    for name, text in overrides.items():
        if name in ROWS:
            given[name] = parse(ROWS[name], text)
    return Values(ROWS, given)


class TopicSettings:
    """Names are the topic's keys with underscores; `compact` and `delete` are cleanup.policy; times in ms, sizes in bytes."""

    __slots__ = (
        "compact",
        "compression_gzip_level",
        "compression_lz4_level",
        "compression_type",
        "compression_zstd_level",
        "delete",
        "delete_retention_ms",
        "file_delete_delay_ms",
        "flush_messages",
        "flush_ms",
        "follower_throttled_replicas",
        "index_interval_bytes",
        "leader_throttled_replicas",
        "max_compaction_lag_ms",
        "max_message_bytes",
        "message_timestamp_after_max_ms",
        "message_timestamp_before_max_ms",
        "message_timestamp_type",
        "min_cleanable_dirty_ratio",
        "min_compaction_lag_ms",
        "min_insync_replicas",
        "preallocate",
        "retention_bytes",
        "retention_ms",
        "segment_bytes",
        "segment_index_bytes",
        "segment_jitter_ms",
        "segment_ms",
        "unclean_leader_election_enable",
    )

    def __init__(self, values: Values) -> None:
        integer, flag = values.integer, values.flag
        policy = values.items_of("cleanup.policy")
        self.compact = "compact" in policy
        self.delete = "delete" in policy
        self.compression_type = values.text("compression.type")
        """ "producer" (keep what came), "uncompressed", "gzip", "snappy", "lz4" or "zstd"."""
        self.compression_gzip_level = integer("compression.gzip.level")
        self.compression_lz4_level = integer("compression.lz4.level")
        self.compression_zstd_level = integer("compression.zstd.level")
        self.delete_retention_ms = integer("delete.retention.ms")
        self.file_delete_delay_ms = integer("file.delete.delay.ms")
        self.flush_messages = integer("flush.messages")
        self.flush_ms = integer("flush.ms")
        self.index_interval_bytes = integer("index.interval.bytes")
        self.max_compaction_lag_ms = integer("max.compaction.lag.ms")
        self.max_message_bytes = integer("max.message.bytes")
        self.message_timestamp_type = 1 if values["message.timestamp.type"] == "LogAppendTime" else 0
        """0 CreateTime, 1 LogAppendTime, as in a batch's attributes."""
        self.message_timestamp_before_max_ms = integer("message.timestamp.before.max.ms")
        self.message_timestamp_after_max_ms = integer("message.timestamp.after.max.ms")
        self.min_cleanable_dirty_ratio = values.real("min.cleanable.dirty.ratio")
        self.min_compaction_lag_ms = integer("min.compaction.lag.ms")
        self.min_insync_replicas = integer("min.insync.replicas")
        self.preallocate = flag("preallocate")
        self.retention_bytes = integer("retention.bytes")
        self.retention_ms = integer("retention.ms")
        internal = values.optional_integer("internal.segment.bytes")
        self.segment_bytes = integer("segment.bytes") if internal is None else internal
        self.segment_index_bytes = integer("segment.index.bytes")
        self.segment_jitter_ms = integer("segment.jitter.ms")
        self.segment_ms = integer("segment.ms")
        self.unclean_leader_election_enable = flag("unclean.leader.election.enable")
        self.leader_throttled_replicas = values.items_of("leader.replication.throttled.replicas")
        self.follower_throttled_replicas = values.items_of("follower.replication.throttled.replicas")

    @property
    def roll_ms(self) -> int:
        """The age at which a segment is closed: a compacted topic's may not outlive max.compaction.lag.ms."""
        return min(self.max_compaction_lag_ms, self.segment_ms) if self.compact and self.max_compaction_lag_ms > 0 else self.segment_ms

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TopicSettings) and all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]


def topic_settings(defaults: Mapping[str, Value], overrides: Mapping[str, str]) -> TopicSettings:
    """Settings from what the metadata log says. A value that this release would refuse (written by another) falls back to the default."""
    try:
        return TopicSettings(topic_values(defaults, overrides))
    except ConfigError:
        return TopicSettings(topic_values(defaults, valid_overrides(overrides)))


def valid_overrides(overrides: Mapping[str, str]) -> dict[str, str]:
    """A topic's stored configs without those that this release would refuse."""
    return {name: text for name, text in overrides.items() if _is_valid(name, text)}


def _is_valid(name: str, text: str) -> bool:
    try:
        return name in ROWS and parse(ROWS[name], text) is not None
    except ConfigError:
        return False
