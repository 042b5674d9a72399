"""What the topics' keys do, and the brokers' keys that stand for topics without an own value."""

from __future__ import annotations

from ..synonyms import TOPIC as SYNONYMS
from .texts import texts

TOPIC: dict[str, str] = texts("""
cleanup.policy
    What happens to old records: delete drops whole segments by age and size, compact keeps the newest record of each key, both together do both,
    and an empty list keeps everything. Choose compact for tables of current state, delete for streams of events.
compression.gzip.level
    How hard gzip works where this node compresses: 1 is fastest, 9 smallest, -1 gzip's own middle. Only used when compression.type is gzip.
compression.lz4.level
    How hard lz4 works where this node compresses: 1 is fastest, 17 smallest. Only used when compression.type is lz4.
compression.type
    How batches are kept: producer keeps each as its producer compressed it and costs least; gzip, snappy, lz4, zstd or uncompressed rewrites those that
    came otherwise.
compression.zstd.level
    How hard zstd works where this node compresses: low and negative levels are fast, high ones small. Only used when compression.type is zstd.
delete.retention.ms
    Milliseconds for which a compacted topic still shows that a key was deleted. Raise it if consumers that rebuild state may pause for longer than that.
file.delete.delay.ms
    Milliseconds between a segment's removal from the log, when its files are renamed, and their removal from the disk. Readers in the
    middle of one finish meanwhile.
flush.messages
    How many records may be appended before the log is forced to disk. Leave it alone unless single replicas must survive a loss of power:
    each sync costs a disk's wait.
flush.ms
    Milliseconds that a record may wait before the log is forced to disk. Leave it alone unless single replicas must survive a loss of power.
follower.replication.throttled.replicas
    Replicas, as partition:broker pairs or * for all, whose fetching is held to the broker's follower.replication.throttled.rate. Tools set
    it around a reassignment.
index.interval.bytes
    Bytes of records between two entries of the offset index. Smaller finds offsets with less reading and takes larger indexes.
internal.segment.bytes
    A segment's size in bytes without segment.bytes' lower bound, for tests that want many small segments.
leader.replication.throttled.replicas
    Replicas, as partition:broker pairs or * for all, that are served within the broker's leader.replication.throttled.rate. Tools set it around a reassignment.
local.retention.bytes
    Bytes of a tiered topic's partition that stay on the broker's own disk; older segments are read from remote storage. -2 takes retention.bytes.
local.retention.ms
    Milliseconds for which segments of a tiered topic stay on the broker's own disk; older ones are read from remote storage. -2 takes retention.ms.
max.compaction.lag.ms
    The longest time in milliseconds that a record of a compacted topic may escape compaction. Set it where deleted data must be gone by a deadline.
max.message.bytes
    The largest record batch that is taken, in bytes, after compression. Consumers and followers still make progress on larger ones; raise a producer's
    max.request.size together with it.
message.timestamp.after.max.ms
    How many milliseconds a record's timestamp may lie ahead of the broker's clock before the record is refused. Guards retention against clocks that run ahead;
    means nothing with LogAppendTime.
message.timestamp.before.max.ms
    How many milliseconds a record's timestamp may lie behind the broker's clock before the record is refused. Means nothing with LogAppendTime.
message.timestamp.type
    Whose clock counts: CreateTime keeps the producer's timestamps, LogAppendTime puts the broker's time of arrival in their place.
min.cleanable.dirty.ratio
    The part of a compacted log, from 0 to 1, that must be uncompacted before it is compacted again. Lower wastes less space and does more work.
min.compaction.lag.ms
    Milliseconds for which a new record is safe from compaction. Raise it if consumers must see every change for a while, not just the last.
min.insync.replicas
    How many replicas must be in sync for a write with acks=all to be taken; with fewer it fails with NOT_ENOUGH_REPLICAS. Usually one less than the
    replication factor, so that one broker can be away and no acknowledged record depends on a single disk.
preallocate
    Whether a new segment's file takes its full size on disk at once. Helps old file systems that grow files slowly.
remote.log.copy.disable
    Whether a tiered topic stops copying segments to remote storage and keeps what is there readable. Its local retention must equal its retention then.
remote.log.delete.on.disable
    Whether a topic's remote data is deleted when its remote.storage.enable is switched off.
remote.storage.enable
    Whether the topic's old segments go to remote storage. The broker needs remote.log.storage.system.enable, and the topic must not be compacted.
retention.bytes
    How many bytes a partition may keep before its oldest segments are deleted; -1 is no limit. It counts for each partition, so multiply by their number.
retention.ms
    Milliseconds after which a segment is deleted, counted from its newest record's timestamp; -1 keeps records for ever. The time a consumer may lag behind.
segment.bytes
    The size in bytes at which a segment is closed and a new one begun. Retention and compaction work on closed segments, so smaller ones are dealt with sooner
    and cost more files.
segment.index.bytes
    The largest size in bytes of a segment's indexes; a segment whose index is full is closed. Rarely needs a change.
segment.jitter.ms
    By how many milliseconds at most a segment may be closed before segment.ms, so that many partitions don't all roll at one moment.
segment.ms
    Milliseconds after which a segment is closed even if it is small, so that retention and compaction can get at it. Lower it for topics with little traffic.
unclean.leader.election.enable
    Whether a replica that was not in sync may become leader when no other is left. On, a partition comes back sooner and may lose acknowledged records.
""")

BEHIND_TOPICS: dict[str, str] = {
    broker_keys[0][0]: f"For topics that don't set {name} themselves. {TOPIC[name]}"
    for name, broker_keys in SYNONYMS.items()
    if len(broker_keys) == 1
}
"""Brokers' keys that say the same as a topic's."""
