"""What the brokers' keys about the node and its quorum do."""

from __future__ import annotations

from .texts import texts

QUORUM: dict[str, str] = texts("""
broker.heartbeat.interval.ms
    Milliseconds between a broker's heartbeats to the active controller. Keep it at half of broker.session.timeout.ms or less.
broker.id
    The older name of node.id. Write node.id; where both are given they must agree.
broker.rack
    The rack, zone or room that this broker stands in. New topics spread their replicas over racks, and consumers can prefer a replica in their own.
broker.session.timeout.ms
    Milliseconds without a heartbeat after which the controller takes a broker for dead and moves its leaderships. Lower reacts faster and
    mistakes pauses for deaths.
controller.listener.names
    Names of the listeners that belong to controllers; they must stand in listener.security.protocol.map, and no client of a broker uses them.
controller.performance.always.log.threshold.ms
    Events of the controller that take longer than so many milliseconds are always logged.
controller.performance.sample.period.ms
    Milliseconds between the controller's reports about its slowest event.
controller.quorum.append.linger.ms
    Milliseconds for which the leader of the metadata quorum gathers records before it writes them to disk. More batches more and answers later.
controller.quorum.auto.join.enable
    Whether a controller with a dynamic quorum adds itself to the voters when it starts.
controller.quorum.bootstrap.servers
    host:port of controllers through which a node finds the quorum. The way to name it when the voters are kept in the metadata log.
controller.quorum.election.backoff.max.ms
    The longest wait in milliseconds before another try after an election that nobody won.
controller.quorum.election.timeout.ms
    Milliseconds for which a candidate waits for votes before it tries again. Raise it where the network between controllers is slow.
controller.quorum.fetch.max.bytes
    The most bytes of metadata records that one fetch of the metadata log may ask for.
controller.quorum.fetch.snapshot.max.bytes
    The most bytes of a metadata snapshot that one request may ask for.
controller.quorum.fetch.timeout.ms
    Milliseconds without a successful fetch after which a voter calls for an election; a leader that hears from no majority for so long steps down.
controller.quorum.request.timeout.ms
    Milliseconds that a request to another member of the quorum may take.
controller.quorum.retry.backoff.ms
    Milliseconds between tries of a failed request to another member of the quorum.
controller.quorum.voters
    The fixed set of voters as id@host:port. For clusters formatted with static voters; newer ones keep the voters in the metadata log and leave this out.
early.start.listeners
    Listeners that open before the authorizer has read its ACLs, so that controllers can find each other. By default the controllers' ones.
initial.broker.registration.timeout.ms
    Milliseconds for which a starting broker tries to register with the controller before it gives up.
internal.metadata.delete.delay.millis
    Milliseconds between taking a segment or snapshot out of the metadata log and deleting its file. For tests.
internal.metadata.log.segment.bytes
    A metadata segment's size in bytes without the lower bound of metadata.log.segment.bytes. For tests.
internal.metadata.max.batch.size.in.bytes
    The largest batch in bytes in the metadata log. For tests.
metadata.log.dir
    The directory of the metadata log. By default the first of log.dirs; a disk of its own keeps busy partitions from delaying the cluster's metadata.
metadata.log.max.record.bytes.between.snapshots
    Bytes of new metadata records after which the next snapshot is made. Smaller makes starts quicker and snapshots more frequent.
metadata.log.max.snapshot.interval.ms
    Milliseconds after which a snapshot is made if there is anything new; 0 makes none by time.
metadata.log.segment.bytes
    The size in bytes at which a segment of the metadata log is closed.
metadata.log.segment.ms
    Milliseconds after which a segment of the metadata log is closed however small it is.
metadata.max.idle.interval.ms
    Milliseconds after which an idle active controller writes a no-op record, which shows that the quorum still commits; 0 writes none.
metadata.max.retention.bytes
    Bytes of metadata log and snapshots beyond which the oldest are deleted, once a newer snapshot covers them; negative sets no limit.
metadata.max.retention.ms
    Milliseconds after which metadata segments and snapshots are deleted, once a newer snapshot covers them; negative sets no limit.
node.id
    This node's number, 0 or more, unique in the cluster. It is written into the directories when they are formatted, so it stays for good.
process.roles
    What this process is: broker serves clients, controller keeps the metadata, broker,controller is both in one.
server.max.startup.time.ms
    Milliseconds after which a start that hangs is given up.
unstable.api.versions.enable
    Whether versions of requests that are still being worked on are offered. For developers of Kafka.
unstable.feature.versions.enable
    Whether feature levels that are still being worked on may be used. For developers of Kafka: such a cluster may not be upgradable.
""")
