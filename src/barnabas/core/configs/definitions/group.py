"""What a consumer, share or streams group can be given (resource type 32).

Rows as `row.Row` says. The facts are those of Apache Kafka 4.3.1 and are compared with it by tests/differential/test_config_definitions.py.
"""

from __future__ import annotations

from .row import Row

GROUP: tuple[Row, ...] = (
    ("consumer.assignment.interval.ms", "int", 1000, ("at least", 0), "medium", ""),
    ("consumer.heartbeat.interval.ms", "int", 5000, ("at least", 1), "medium", ""),
    ("consumer.session.timeout.ms", "int", 45000, ("at least", 1), "medium", ""),
    ("share.assignment.interval.ms", "int", 1000, ("at least", 0), "medium", ""),
    ("share.auto.offset.reset", "string", "latest", ("offset reset",), "medium", ""),
    ("share.delivery.count.limit", "int", 5, ("at least", 2), "medium", ""),
    ("share.heartbeat.interval.ms", "int", 5000, ("at least", 1), "medium", ""),
    ("share.isolation.level", "string", "read_uncommitted", ("one of", "read_committed", "read_uncommitted"), "medium", ""),
    ("share.partition.max.record.locks", "int", 2000, ("at least", 100), "medium", ""),
    ("share.record.lock.duration.ms", "int", 30000, ("at least", 1000), "medium", ""),
    ("share.renew.acknowledge.enable", "boolean", True, None, "medium", ""),
    ("share.session.timeout.ms", "int", 45000, ("at least", 1), "medium", ""),
    ("streams.assignment.interval.ms", "int", 1000, ("at least", 0), "medium", ""),
    ("streams.heartbeat.interval.ms", "int", 5000, ("at least", 1), "medium", ""),
    ("streams.initial.rebalance.delay.ms", "int", 3000, ("at least", 0), "medium", ""),
    ("streams.num.standby.replicas", "int", 0, ("at least", 0), "medium", ""),
    ("streams.session.timeout.ms", "int", 45000, ("at least", 1), "medium", ""),
)
