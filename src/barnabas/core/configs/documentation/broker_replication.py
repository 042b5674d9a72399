"""What the brokers' keys about replicas and leaders do."""

from __future__ import annotations

from .texts import texts
from .topic import BEHIND_TOPICS

REPLICATION: dict[str, str] = {
    "unclean.leader.election.enable": BEHIND_TOPICS["unclean.leader.election.enable"],
    **texts("""
auto.leader.rebalance.enable
    Whether leadership goes back by itself to each partition's preferred replica, the first of its list, when a broker leads too few of those.
controlled.shutdown.enable
    Whether a broker that is told to stop hands its leaderships over first. Off, its partitions are without a leader until the controller notices.
default.replication.factor
    How many replicas a topic has whose creator doesn't say, created automatically or by request. 3 survives the loss of a broker during maintenance of another.
delete.records.purgatory.purge.interval.requests
    After how many finished requests the waiting room of DeleteRecords is tidied.
fetch.purgatory.purge.interval.requests
    After how many finished requests the waiting room of fetches is tidied.
follower.fetch.last.tiered.offset.enable
    Whether a new follower of a tiered topic begins where remote storage ends rather than at the oldest local record, and so copies less.
leader.imbalance.check.interval.seconds
    Seconds between looks for brokers that lead too few of their preferred partitions.
num.replica.alter.log.dirs.threads
    Threads that move partitions between this broker's directories; as many as there are directories when not given.
num.replica.fetchers
    Connections by which replicas are fetched from each other broker. Raise it when followers fall behind though network and disks have room.
producer.purgatory.purge.interval.requests
    After how many finished requests the waiting room of produce requests is tidied.
replica.fetch.backoff.ms
    The most milliseconds that a follower waits after a fetch of a partition failed; the first times it waits less.
replica.fetch.max.bytes
    Bytes that a follower asks for of each partition; a single larger batch is still sent. Best not below the largest message.max.bytes.
replica.fetch.min.bytes
    Bytes for which a leader waits before it answers a follower, at most replica.fetch.wait.max.ms long.
replica.fetch.response.max.bytes
    Bytes that a follower asks for in one fetch of all its partitions; a single larger batch is still sent.
replica.fetch.wait.max.ms
    The most milliseconds that a follower's fetch waits for data. At most replica.lag.time.max.ms, or quiet partitions lose their followers.
replica.high.watermark.checkpoint.interval.ms
    Milliseconds between writes of the high watermarks, from which a replica goes on after a restart.
replica.lag.time.max.ms
    Milliseconds that a follower may be behind its leader's end before it leaves the in-sync replicas. Lower lets acks=all go on sooner without a slow follower.
replica.selector.class
    What says which replica a consumer should read from: org.apache.kafka.common.replica.RackAwareReplicaSelector, one in its own rack. Without a value the
    leader. Other classes are refused at the start: no Java classes are loaded.
replica.socket.receive.buffer.bytes
    The receive buffer in bytes of a follower's connection to a leader.
replica.socket.timeout.ms
    Milliseconds that a follower's request may take. At least replica.fetch.wait.max.ms.
unclean.leader.election.interval.ms
    Milliseconds between looks for partitions without a leader that may get one that was not in sync.
"""),
}
