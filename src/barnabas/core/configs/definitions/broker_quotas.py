"""Broker keys: quotas, metrics and client telemetry. The rates at the end exist only as dynamic configs (`DYNAMIC_ONLY`).

Rows as `row.Row` says. The facts are those of Apache Kafka 4.3.1 and are compared with it by tests/differential/test_config_definitions.py.
"""

from __future__ import annotations

from .row import Row

QUOTAS: tuple[Row, ...] = (
    ("alter.log.dirs.replication.quota.window.num", "int", 11, ("at least", 1), "low", ""),
    ("alter.log.dirs.replication.quota.window.size.seconds", "int", 1, ("at least", 1), "low", ""),
    ("client.quota.callback.class", "class", None, None, "low", ""),
    ("controller.quota.window.num", "int", 11, ("at least", 1), "low", ""),
    ("controller.quota.window.size.seconds", "int", 1, ("at least", 1), "low", ""),
    ("kafka.metrics.polling.interval.secs", "int", 10, ("at least", 1), "low", ""),
    ("kafka.metrics.reporters", "list", (), ("list", True, False), "low", ""),
    ("metric.reporters", "list", ("org.apache.kafka.common.metrics.JmxReporter",), ("list", True, False), "low", "cluster-wide"),
    ("metrics.num.samples", "int", 2, ("at least", 1), "low", ""),
    ("metrics.recording.level", "string", "INFO", None, "low", ""),
    ("metrics.sample.window.ms", "long", 30000, ("at least", 1), "low", ""),
    ("quota.window.num", "int", 11, ("at least", 1), "low", ""),
    ("quota.window.size.seconds", "int", 1, ("at least", 1), "low", ""),
    ("replication.quota.window.num", "int", 11, ("at least", 1), "low", ""),
    ("replication.quota.window.size.seconds", "int", 1, ("at least", 1), "low", ""),
    ("telemetry.max.bytes", "int", 1_048_576, ("at least", 1), "low", ""),
)

DYNAMIC_ONLY: tuple[Row, ...] = (
    ("follower.replication.throttled.rate", "long", 2**63 - 1, ("at least", 0), "medium", "cluster-wide"),
    ("leader.replication.throttled.rate", "long", 2**63 - 1, ("at least", 0), "medium", "cluster-wide"),
    ("replica.alter.log.dirs.io.max.bytes.per.second", "long", 2**63 - 1, ("at least", 0), "medium", "cluster-wide"),
)
