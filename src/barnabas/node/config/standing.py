"""Why a configuration key does not act yet, or has no meaning in this node. For docs/configuration.md only; a key that the node reads needs no row.

The first prefix that fits counts. "later": what it waits for. "none": why nothing will ever depend on it here.
"""

from __future__ import annotations

LATER = "later"
NONE = "none"

ROWS: tuple[tuple[str, str, str], ...] = (
    ("num.io.threads", NONE, "the network threads do the work themselves"),
    ("background.threads", NONE, "there is no pool of that kind"),
    ("queued.max.requests", NONE, "requests are not queued between threads"),
    ("group.coordinator.threads", NONE, "group coordinators share one thread"),
    ("group.coordinator.background.threads", NONE, "group coordinators share one thread"),
    ("group.coordinator.cached.buffer", NONE, "no buffers are kept between writes"),
    ("share.coordinator.threads", NONE, "coordinators share one thread"),
    ("fetch.purgatory", NONE, "a request that waits is dropped when it is answered, not in rounds"),
    ("producer.purgatory", NONE, "a request that waits is dropped when it is answered, not in rounds"),
    ("delete.records.purgatory", NONE, "a request that waits is dropped when it is answered, not in rounds"),
    ("share.fetch.purgatory", NONE, "a request that waits is dropped when it is answered, not in rounds"),
    ("metrics.", NONE, "for the JVM's metrics"),
    ("metric.reporters", NONE, "no Java classes are loaded; said at the start"),
    ("kafka.metrics.", NONE, "no Java classes are loaded; said at the start"),
    ("controller.performance.", NONE, "for Apache Kafka's own diagnosis"),
    ("server.max.startup.time.ms", NONE, "a start does not wait for other nodes"),
    ("early.start.listeners", NONE, "listeners are opened in an order of the node's own; said at the start"),
    ("unstable.", NONE, "unstable versions are not served; said at the start"),
    ("create.topic.policy", NONE, "no Java classes are loaded; refused at the start"),
    ("alter.config.policy", NONE, "no Java classes are loaded; refused at the start"),
    ("client.quota.callback", NONE, "no Java classes are loaded; refused at the start"),
    ("principal.builder", NONE, "no Java classes are loaded; refused at the start"),
    ("security.providers", NONE, "no Java classes are loaded; refused at the start"),
    ("group.share.persister", NONE, "no Java classes are loaded"),
    ("sasl.kerberos.kinit", NONE, "Kafka itself does not use it any more"),
    ("preallocate", NONE, "files grow as they are written"),
    ("log.flush.start.offset", NONE, "log starts are written with the recovery points, and at once where records are deleted"),
    ("log.preallocate", NONE, "files grow as they are written"),
    ("internal.metadata.max.batch", NONE, "for Apache Kafka's own tests"),
    ("offsets.load.buffer", NONE, "reads are as large as they need to be"),
    ("transaction.state.log.load.buffer", NONE, "reads are as large as they need to be"),
    ("share.coordinator.load.buffer", NONE, "reads are as large as they need to be"),
    ("sasl.", LATER, "SASL; such a listener is refused at the start"),
    ("ssl.", LATER, "TLS; such a listener is refused at the start"),
    ("connections.max.reauth", LATER, "SASL"),
    ("connection.failed.authentication", LATER, "SASL"),
    ("delegation.token", LATER, "delegation tokens; refused at the start"),
    ("authorizer", LATER, "ACLs; refused at the start"),
    ("remote.", LATER, "tiered storage; refused where it is switched on"),
    ("log.local.", LATER, "tiered storage"),
    ("local.retention", LATER, "tiered storage"),
    ("follower.fetch.last.tiered", LATER, "tiered storage"),
    ("transaction", LATER, "transactions"),
    ("add.partitions.to.txn", LATER, "transactions"),
    ("group.consumer", LATER, "the new consumer protocol"),
    ("consumer.", LATER, "the new consumer protocol"),
    ("group.share", LATER, "share groups"),
    ("share.", LATER, "share groups"),
    ("group.streams", LATER, "streams groups"),
    ("streams.", LATER, "streams groups"),
    ("group.coordinator", LATER, "the new group protocols"),
    ("telemetry", LATER, "clients' metrics"),
    ("interval.ms", LATER, "clients' metrics"),
    ("match", LATER, "clients' metrics"),
    ("metrics", LATER, "clients' metrics"),
    ("quota", LATER, "quotas of clients; they shape max.connection.creation.rate"),
    ("request.timeout", LATER, "transactions: only the markers of theirs wait by it"),
    ("controller.quota", LATER, "quotas"),
    ("controller.quorum.append.linger", NONE, "records are written at once; those that come while the disk is busy share the next write"),
)


# Read, by parts that are built before they are served (ARCHITECTURE.md) or that do half of what the key says: no claim to act yet.
BUILT_AHEAD = frozenset(
    {
        "quota.window.num",
        "quota.window.size.seconds",
    }
)


def standing(name: str) -> tuple[str, str]:
    return next(((kind, why) for prefix, kind, why in ROWS if name.startswith(prefix)), (LATER, "its reader"))
