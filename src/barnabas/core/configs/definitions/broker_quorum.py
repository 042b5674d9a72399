"""Broker keys: who the node is, the quorum, registration and the metadata log.

Rows as `row.Row` says. The facts are those of Apache Kafka 4.3.1 and are compared with it by tests/differential/test_config_definitions.py.
"""

from __future__ import annotations

from .row import Row

QUORUM: tuple[Row, ...] = (
    ("broker.heartbeat.interval.ms", "int", 2000, None, "medium", ""),
    ("broker.id", "int", -1, None, "high", ""),
    ("broker.rack", "string", None, None, "medium", ""),
    ("broker.session.timeout.ms", "int", 9000, None, "medium", ""),
    ("controller.listener.names", "list", ..., ("list", False, False), "high", ""),
    ("controller.performance.always.log.threshold.ms", "long", 2000, ("at least", 0), "medium", "internal"),
    ("controller.performance.sample.period.ms", "long", 60000, ("at least", 100), "medium", "internal"),
    ("controller.quorum.append.linger.ms", "int", 25, ("at least", 0), "medium", ""),
    ("controller.quorum.auto.join.enable", "boolean", False, None, "low", ""),
    ("controller.quorum.bootstrap.servers", "list", (), ("servers",), "high", ""),
    ("controller.quorum.election.backoff.max.ms", "int", 1000, ("at least", 0), "high", ""),
    ("controller.quorum.election.timeout.ms", "int", 1000, ("at least", 0), "high", ""),
    ("controller.quorum.fetch.max.bytes", "int", 1_048_576, ("at least", 1), "low", ""),
    ("controller.quorum.fetch.snapshot.max.bytes", "int", 1_048_576, ("at least", 1), "low", ""),
    ("controller.quorum.fetch.timeout.ms", "int", 2000, ("at least", 0), "high", ""),
    ("controller.quorum.request.timeout.ms", "int", 2000, ("at least", 0), "medium", ""),
    ("controller.quorum.retry.backoff.ms", "int", 20, ("at least", 0), "low", ""),
    ("controller.quorum.voters", "list", (), ("voters",), "high", ""),
    ("early.start.listeners", "list", None, ("list", True, True), "high", ""),
    ("initial.broker.registration.timeout.ms", "int", 60000, None, "medium", ""),
    ("internal.metadata.delete.delay.millis", "long", 60000, None, "low", "internal"),
    ("internal.metadata.log.segment.bytes", "int", None, None, "low", "internal"),
    ("internal.metadata.max.batch.size.in.bytes", "int", 8_388_608, None, "low", "internal"),
    ("metadata.log.dir", "string", None, None, "high", ""),
    ("metadata.log.max.record.bytes.between.snapshots", "long", 20_971_520, ("at least", 1), "high", ""),
    ("metadata.log.max.snapshot.interval.ms", "long", 3_600_000, ("at least", 0), "high", ""),
    ("metadata.log.segment.bytes", "int", 1_073_741_824, ("at least", 8_388_608), "high", ""),
    ("metadata.log.segment.ms", "long", 604_800_000, None, "high", ""),
    ("metadata.max.idle.interval.ms", "int", 500, ("at least", 0), "low", ""),
    ("metadata.max.retention.bytes", "long", 104_857_600, None, "high", ""),
    ("metadata.max.retention.ms", "long", 604_800_000, None, "high", ""),
    ("node.id", "int", ..., ("at least", 0), "high", ""),
    ("process.roles", "list", ..., ("list", False, False, "broker", "controller"), "high", ""),
    ("server.max.startup.time.ms", "long", 2**63 - 1, ("at least", 0), "medium", "internal"),
    ("unstable.api.versions.enable", "boolean", False, None, "high", "internal"),
    ("unstable.feature.versions.enable", "boolean", False, None, "high", "internal"),
)
