"""Broker keys: replicas, their fetchers, leadership.

Rows as `row.Row` says. The facts are those of Apache Kafka 4.3.1 and are compared with it by tests/differential/test_config_definitions.py.
"""

from __future__ import annotations

from .row import Row

REPLICATION: tuple[Row, ...] = (
    ("auto.leader.rebalance.enable", "boolean", True, None, "high", ""),
    ("controlled.shutdown.enable", "boolean", True, None, "medium", ""),
    ("default.replication.factor", "int", 1, None, "medium", ""),
    ("delete.records.purgatory.purge.interval.requests", "int", 1, None, "medium", ""),
    ("fetch.purgatory.purge.interval.requests", "int", 1000, None, "medium", ""),
    ("follower.fetch.last.tiered.offset.enable", "boolean", False, None, "medium", "cluster-wide"),
    ("leader.imbalance.check.interval.seconds", "long", 300, ("at least", 1), "high", ""),
    ("num.replica.alter.log.dirs.threads", "int", None, None, "high", ""),
    ("num.replica.fetchers", "int", 1, ("at least", 1), "high", "cluster-wide"),
    ("producer.purgatory.purge.interval.requests", "int", 1000, None, "medium", ""),
    ("replica.fetch.backoff.ms", "int", 1000, ("at least", 0), "medium", ""),
    ("replica.fetch.max.bytes", "int", 1_048_576, ("at least", 0), "medium", ""),
    ("replica.fetch.min.bytes", "int", 1, None, "high", ""),
    ("replica.fetch.response.max.bytes", "int", 10_485_760, ("at least", 0), "medium", ""),
    ("replica.fetch.wait.max.ms", "int", 500, None, "high", ""),
    ("replica.high.watermark.checkpoint.interval.ms", "long", 5000, None, "high", ""),
    ("replica.lag.time.max.ms", "long", 30000, None, "high", ""),
    ("replica.selector.class", "string", None, None, "medium", ""),
    ("replica.socket.receive.buffer.bytes", "int", 65536, None, "high", ""),
    ("replica.socket.timeout.ms", "int", 30000, None, "high", ""),
    ("unclean.leader.election.enable", "boolean", False, None, "high", "cluster-wide"),
    ("unclean.leader.election.interval.ms", "long", 300_000, ("at least", 1), "medium", "internal"),
)
