"""Keys that people still write into server.properties and that mean nothing there, with what to write instead. Apache Kafka 4 ignores them silently."""

from __future__ import annotations

GONE: dict[str, str] = {
    "inter.broker.protocol.version": "gone in 4.0: the cluster's level is metadata.version, raised with kafka-features upgrade --release-version",
    "log.message.format.version": "gone in 4.0: record batches have one format now; leave it out",
    "log.message.timestamp.difference.max.ms": "gone in 4.0: use log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms",
    "num.brokers": "never was a key: a cluster has as many brokers as are formatted and started",
    "jmx.port": "never was a key of this file: the JVM's JMX port is the environment's JMX_PORT",
    "broker.id.generation.enable": "gone in 4.0: every node has a node.id",
    "reserved.broker.max.id": "gone in 4.0: every node has a node.id",
    "host.name": "gone in 3.0: use listeners",
    "port": "gone in 3.0: use listeners",
    "advertised.host.name": "gone in 3.0: use advertised.listeners",
    "advertised.port": "gone in 3.0: use advertised.listeners",
    "quota.producer.default": "gone in 3.0: use kafka-configs --alter --entity-type clients --entity-default --add-config producer_byte_rate=N",
    "quota.consumer.default": "gone in 3.0: use kafka-configs --alter --entity-type clients --entity-default --add-config consumer_byte_rate=N",
    "controlled.shutdown.max.retries": "gone in 4.0: the controller ends a controlled shutdown; leave it out",
    "controlled.shutdown.retry.backoff.ms": "gone in 4.0: the controller ends a controlled shutdown; leave it out",
    "control.plane.listener.name": "gone in 4.0: use controller.listener.names",
    "delegation.token.master.key": "gone in 4.0: use delegation.token.secret.key",
    "super.users": "the authorizer's key, and this node has no authorizer",
    "allow.everyone.if.no.acl.found": "the authorizer's key, and this node has no authorizer",
    "sasl.mechanism": "a client's key: use sasl.enabled.mechanisms and sasl.mechanism.inter.broker.protocol",
    "security.protocol": "a client's key: use listener.security.protocol.map, and security.inter.broker.protocol or inter.broker.listener.name",
    "bootstrap.servers": "a client's key: use controller.quorum.bootstrap.servers for the controllers",
    "acks": "a producer's key: set it in the producer",
    "group.id": "a consumer's key: set it in the consumer",
    "max.poll.records": "a consumer's key: set it in the consumer",
}

_PREFIXES: tuple[tuple[str, str], ...] = (
    ("zookeeper.", "gone in 4.0: there is no ZooKeeper; use controller.quorum.bootstrap.servers (clusters on ZooKeeper migrate with 3.9)"),
    ("password.encoder.", "gone in 4.0: dynamic passwords are in the metadata log; leave it out"),
    ("control.plane.", "gone in 4.0: use controller.listener.names"),
)


def why_gone(key: str) -> str | None:
    return GONE.get(key) or next((why for prefix, why in _PREFIXES if key.startswith(prefix)), None)
