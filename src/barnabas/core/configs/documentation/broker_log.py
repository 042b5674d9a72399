"""What the brokers' keys about topics and logs do. Those that only stand for a topic's key are in `topic`."""

from __future__ import annotations

from .texts import texts
from .topic import BEHIND_TOPICS, TOPIC

_OWN = texts(f"""
alter.config.policy.class.name
    A Java class that may refuse changes of configs.
auto.create.topics.enable
    Whether a topic that a client asks for or writes to is made when it doesn't exist. Off, a misspelled name is an error instead of a new topic.
cordoned.log.dirs
    Directories of log.dirs that get no new partitions, or * for all. What is in them stays and is served. For emptying a disk before it goes.
create.topic.policy.class.name
    A Java class that may refuse new topics.
delete.topic.enable
    Whether topics can be deleted. Off, DeleteTopics is refused.
log.cleaner.backoff.ms
    Milliseconds that an idle compaction thread sleeps before it looks for work again.
log.cleaner.dedupe.buffer.size
    Bytes of memory in which compaction notes the newest offset of each key, all its threads together. More keys in one pass mean fewer passes.
log.cleaner.enable
    Whether logs are compacted at all. Off, compacted topics grow without end, consumers' offsets among them.
log.cleaner.io.buffer.load.factor
    How full compaction's table of keys may get, from 0 to 1. Fuller takes more keys in a pass and has more collisions.
log.cleaner.io.buffer.size
    Bytes of memory for reading and writing during compaction, all its threads together.
log.cleaner.io.max.bytes.per.second
    How many bytes a second compaction may read and write together. Lower it if compaction takes the disks from clients.
log.cleaner.threads
    Threads that compact logs.
log.dir
    The directory for logs where log.dirs isn't given.
log.dir.failure.timeout.ms
    Milliseconds after which a broker stops that could not tell the controller which of its directories failed.
log.dirs
    Directories for logs, with commas between; one for each disk. A new partition goes to the one with the fewest; one that fails takes only
    its own partitions away.
log.flush.interval.ms
    For topics that don't set flush.ms themselves; not given, log.flush.scheduler.interval.ms counts. {TOPIC["flush.ms"]}
log.flush.offset.checkpoint.interval.ms
    Milliseconds between writes of the recovery point, from which a log is verified after a crash. Smaller means less to verify.
log.flush.scheduler.interval.ms
    Milliseconds between looks for logs that are due to be forced to disk by time.
log.flush.start.offset.checkpoint.interval.ms
    Milliseconds between writes of where logs begin, so that records deleted by request don't come back after a crash.
log.initial.task.delay.ms
    Milliseconds after the start before retention, syncs and checkpoints run for the first time. For tests.
log.retention.check.interval.ms
    Milliseconds between looks for segments that retention allows to delete. Retention is never more precise than this.
log.retention.hours
    For topics that don't set retention.ms themselves, in hours; log.retention.minutes and log.retention.ms come before it. Negative keeps records for ever.
log.retention.minutes
    For topics that don't set retention.ms themselves, in minutes; log.retention.ms comes before it, and it comes before log.retention.hours.
log.retention.ms
    For topics that don't set retention.ms themselves; it comes before log.retention.minutes and log.retention.hours. {TOPIC["retention.ms"]}
log.roll.hours
    For topics that don't set segment.ms themselves, in hours; log.roll.ms comes before it.
log.roll.jitter.hours
    For topics that don't set segment.jitter.ms themselves, in hours; log.roll.jitter.ms comes before it.
log.roll.jitter.ms
    For topics that don't set segment.jitter.ms themselves; it comes before log.roll.jitter.hours. {TOPIC["segment.jitter.ms"]}
log.roll.ms
    For topics that don't set segment.ms themselves; it comes before log.roll.hours. {TOPIC["segment.ms"]}
num.partitions
    How many partitions a new topic has whose creator doesn't say. Decide it by how many consumers a group may grow to; adding some later moves keys.
num.recovery.threads.per.data.dir
    Threads per directory that load logs at the start, verify them after a crash, and sync them at the stop.
""")

LOG: dict[str, str] = {**BEHIND_TOPICS, **_OWN}
