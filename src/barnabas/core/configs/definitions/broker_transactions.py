"""Broker keys: transactions and producer ids.

Rows as `row.Row` says. The facts are those of Apache Kafka 4.3.1 and are compared with it by tests/differential/test_config_definitions.py.
"""

from __future__ import annotations

from .row import Row

TRANSACTIONS: tuple[Row, ...] = (
    ("add.partitions.to.txn.retry.backoff.max.ms", "int", 100, ("at least", 0), "high", ""),
    ("add.partitions.to.txn.retry.backoff.ms", "int", 20, ("at least", 1), "high", ""),
    ("producer.id.expiration.check.interval.ms", "int", 600_000, ("at least", 1), "low", "internal"),
    ("producer.id.expiration.ms", "int", 86_400_000, ("at least", 1), "low", "cluster-wide"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "int", 10000, ("at least", 1), "low", ""),
    ("transaction.max.timeout.ms", "int", 900_000, ("at least", 1), "high", ""),
    ("transaction.partition.verification.enable", "boolean", True, None, "low", "cluster-wide"),
    ("transaction.remove.expired.transaction.cleanup.interval.ms", "int", 3_600_000, ("at least", 1), "low", ""),
    ("transaction.state.log.load.buffer.size", "int", 5_242_880, ("at least", 1), "high", ""),
    ("transaction.state.log.min.isr", "int", 2, ("at least", 1), "high", ""),
    ("transaction.state.log.num.partitions", "int", 50, ("at least", 1), "high", ""),
    ("transaction.state.log.replication.factor", "short", 3, ("at least", 1), "high", ""),
    ("transaction.state.log.segment.bytes", "int", 104_857_600, ("at least", 1), "high", ""),
    ("transaction.two.phase.commit.enable", "boolean", False, None, "low", ""),
    ("transactional.id.expiration.ms", "int", 604_800_000, ("at least", 1), "high", ""),
)
