"""What the brokers' keys about group coordinators and offsets do. Those that bound a group's own keys are in `group`."""

from __future__ import annotations

from .group import BEHIND_GROUPS
from .texts import texts

GROUPS: dict[str, str] = {
    **BEHIND_GROUPS,
    **texts("""
group.consumer.assignors
    How the coordinator can assign a consumer group's partitions; the first counts when members don't say. uniform balances, range lines topics up.
group.consumer.max.size
    How many members a consumer group of the newer protocol may have; a further one is turned away.
group.consumer.migration.policy
    Whether a group may move between the classic and the newer protocol while members live: bidirectional, upgrade, downgrade or disabled.
group.consumer.regex.refresh.interval.ms
    Milliseconds after which the topics behind a subscription by pattern are looked up again.
group.coordinator.append.linger.ms
    Milliseconds for which a coordinator gathers changes into one write; -1 adapts to how busy it is.
group.coordinator.background.threads
    Threads for a coordinator's longer work, such as resolving patterns.
group.coordinator.cached.buffer.max.bytes
    Bytes up to which a coordinator keeps a write's memory for the next one.
group.coordinator.rebalance.protocols
    Which kinds of groups are served: classic always, consumer, share and streams as wished and as far as the cluster's features allow.
group.coordinator.threads
    Threads that the group coordinators' partitions are divided among.
group.initial.rebalance.delay.ms
    Milliseconds for which an empty classic group waits for more members before its first assignment. 0 for tests and single consumers; more
    where many start at once.
group.max.session.timeout.ms
    The largest session.timeout.ms, in milliseconds, that a member of a classic group may ask for.
group.max.size
    How many members a classic group may have; a further one is refused with GROUP_MAX_SIZE_REACHED.
group.min.session.timeout.ms
    The smallest session.timeout.ms, in milliseconds, that a member of a classic group may ask for. Smaller notices deaths sooner for more heartbeats.
group.share.assignors
    How the coordinator can assign a share group's partitions.
group.share.initialize.retry.interval.ms
    Milliseconds before a partition of a share group that could not be set up is tried again.
group.share.max.share.sessions
    How many sessions of share consumers a broker keeps.
group.share.max.size
    How many members a share group may have; a further one is turned away.
group.share.persister.class.name
    The Java class that keeps share groups' progress.
group.streams.max.size
    How many members a streams group may have; a further one is turned away.
group.streams.max.standby.replicas
    The largest streams.num.standby.replicas that a group may set.
offset.metadata.max.bytes
    The longest text in bytes that a consumer may store with a committed offset.
offsets.commit.timeout.ms
    Milliseconds within which a commit must be written and replicated before it is answered with an error.
offsets.load.buffer.size
    Bytes read at a time when a coordinator loads its groups; a larger batch is read anyway.
offsets.retention.check.interval.ms
    Milliseconds between looks for committed offsets that have expired.
offsets.retention.minutes
    Minutes for which a group's offsets are kept after its last member left, or after the commit where there are no members. Longer than your longest outage.
offsets.topic.compression.codec
    How __consumer_offsets is compressed: 0 not, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
offsets.topic.num.partitions
    Partitions of the topic __consumer_offsets. Never change it once the topic is there: groups would find other coordinators.
offsets.topic.replication.factor
    Replicas of the topic __consumer_offsets. It is not made before there are that many brokers, so a single node needs 1.
offsets.topic.segment.bytes
    segment.bytes of the topic __consumer_offsets. Small ones are compacted and loaded sooner.
share.coordinator.append.linger.ms
    Milliseconds for which a share coordinator gathers changes into one write; -1 adapts to how busy it is.
share.coordinator.cached.buffer.max.bytes
    Bytes up to which a share coordinator keeps a write's memory for the next one.
share.coordinator.cold.partition.snapshot.interval.ms
    Milliseconds between full records of the state of share partitions that rarely change.
share.coordinator.load.buffer.size
    Bytes read at a time when a share coordinator loads its state; a larger batch is read anyway.
share.coordinator.snapshot.update.records.per.snapshot
    How many updates of a share partition's state are written before its state is written in full again.
share.coordinator.state.topic.compression.codec
    How __share_group_state is compressed: 0 not, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
share.coordinator.state.topic.min.isr
    min.insync.replicas of the topic __share_group_state, counted when it is made.
share.coordinator.state.topic.num.partitions
    Partitions of the topic __share_group_state. Never change it once the topic is there.
share.coordinator.state.topic.prune.interval.ms
    Milliseconds between looks for records of __share_group_state that newer ones have replaced.
share.coordinator.state.topic.replication.factor
    Replicas of the topic __share_group_state. It is not made before there are that many brokers, so a single node needs 1.
share.coordinator.state.topic.segment.bytes
    segment.bytes of the topic __share_group_state.
share.coordinator.threads
    Threads that the share coordinators' partitions are divided among.
share.coordinator.write.timeout.ms
    Milliseconds within which a share coordinator's write must be written and replicated before it is answered with an error.
share.fetch.purgatory.purge.interval.requests
    After how many finished requests the waiting room of share fetches is tidied.
"""),
}
