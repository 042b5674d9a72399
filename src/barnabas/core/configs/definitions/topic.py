"""What a topic can be given (resource type 2).

Rows as `row.Row` says. The facts are those of Apache Kafka 4.3.1 and are compared with it by tests/differential/test_config_definitions.py.
"""

from __future__ import annotations

from .row import Row

TOPIC: tuple[Row, ...] = (
    ("cleanup.policy", "list", ("delete",), ("list", True, False, "compact", "delete"), "medium", ""),
    ("compression.gzip.level", "int", -1, ("gzip level",), "medium", ""),
    ("compression.lz4.level", "int", 9, ("between", 1, 17), "medium", ""),
    ("compression.type", "string", "producer", ("one of", "uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), "medium", ""),
    ("compression.zstd.level", "int", 3, ("between", -131_072, 22), "medium", ""),
    ("delete.retention.ms", "long", 86_400_000, ("at least", 0), "medium", ""),
    ("file.delete.delay.ms", "long", 60000, ("at least", 0), "medium", ""),
    ("flush.messages", "long", 2**63 - 1, ("at least", 1), "medium", ""),
    ("flush.ms", "long", 2**63 - 1, ("at least", 0), "medium", ""),
    ("follower.replication.throttled.replicas", "list", (), ("throttled replicas",), "medium", ""),
    ("index.interval.bytes", "int", 4096, ("at least", 0), "medium", ""),
    ("internal.segment.bytes", "int", None, None, "medium", "internal"),
    ("leader.replication.throttled.replicas", "list", (), ("throttled replicas",), "medium", ""),
    ("local.retention.bytes", "long", -2, ("at least", -2), "medium", ""),
    ("local.retention.ms", "long", -2, ("at least", -2), "medium", ""),
    ("max.compaction.lag.ms", "long", 2**63 - 1, ("at least", 1), "medium", ""),
    ("max.message.bytes", "int", 1_048_588, ("at least", 0), "medium", ""),
    ("message.timestamp.after.max.ms", "long", 3_600_000, ("at least", 0), "medium", ""),
    ("message.timestamp.before.max.ms", "long", 2**63 - 1, ("at least", 0), "medium", ""),
    ("message.timestamp.type", "string", "CreateTime", ("one of", "CreateTime", "LogAppendTime"), "medium", ""),
    ("min.cleanable.dirty.ratio", "double", 0.5, ("between", 0, 1), "medium", ""),
    ("min.compaction.lag.ms", "long", 0, ("at least", 0), "medium", ""),
    ("min.insync.replicas", "int", 1, ("at least", 1), "medium", ""),
    ("preallocate", "boolean", False, None, "medium", ""),
    ("remote.log.copy.disable", "boolean", False, None, "medium", ""),
    ("remote.log.delete.on.disable", "boolean", False, None, "medium", ""),
    ("remote.storage.enable", "boolean", False, None, "medium", ""),
    ("retention.bytes", "long", -1, None, "medium", ""),
    ("retention.ms", "long", 604_800_000, ("at least", -1), "medium", ""),
    ("segment.bytes", "int", 1_073_741_824, ("at least", 1_048_576), "medium", ""),
    ("segment.index.bytes", "int", 10_485_760, ("at least", 4), "medium", ""),
    ("segment.jitter.ms", "long", 0, ("at least", 0), "medium", ""),
    ("segment.ms", "long", 604_800_000, ("at least", 1), "medium", ""),
    ("unclean.leader.election.enable", "boolean", False, None, "medium", ""),
)
