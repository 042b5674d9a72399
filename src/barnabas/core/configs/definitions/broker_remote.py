"""Broker keys: tiered storage.

Rows as `row.Row` says. The facts are those of Apache Kafka 4.3.1 and are compared with it by tests/differential/test_config_definitions.py.
"""

from __future__ import annotations

from .row import Row

REMOTE: tuple[Row, ...] = (
    ("remote.fetch.max.wait.ms", "int", 500, ("at least", 1), "medium", "cluster-wide"),
    ("remote.list.offsets.request.timeout.ms", "long", 30000, ("at least", 1), "medium", "cluster-wide"),
    ("remote.log.index.file.cache.total.size.bytes", "long", 1_073_741_824, ("at least", 1), "low", "cluster-wide"),
    ("remote.log.index.file.cache.ttl.ms", "long", 900_000, ("at least", -1), "low", "internal"),
    ("remote.log.manager.copier.thread.pool.size", "int", 10, ("at least", 1), "medium", "cluster-wide"),
    ("remote.log.manager.copy.max.bytes.per.second", "long", 2**63 - 1, ("at least", 1), "medium", "cluster-wide"),
    ("remote.log.manager.copy.quota.window.num", "int", 11, ("at least", 1), "medium", ""),
    ("remote.log.manager.copy.quota.window.size.seconds", "int", 1, ("at least", 1), "medium", ""),
    ("remote.log.manager.expiration.thread.pool.size", "int", 10, ("at least", 1), "medium", "cluster-wide"),
    ("remote.log.manager.fetch.max.bytes.per.second", "long", 2**63 - 1, ("at least", 1), "medium", "cluster-wide"),
    ("remote.log.manager.fetch.quota.window.num", "int", 11, ("at least", 1), "medium", ""),
    ("remote.log.manager.fetch.quota.window.size.seconds", "int", 1, ("at least", 1), "medium", ""),
    ("remote.log.manager.follower.thread.pool.size", "int", 2, ("at least", 1), "medium", "cluster-wide"),
    ("remote.log.manager.task.interval.ms", "long", 30000, ("at least", 1), "low", ""),
    ("remote.log.manager.task.retry.backoff.max.ms", "long", 30000, ("at least", 1), "low", "internal"),
    ("remote.log.manager.task.retry.backoff.ms", "long", 500, ("at least", 1), "low", "internal"),
    ("remote.log.manager.task.retry.jitter", "double", 0.2, ("between", 0, 0.5), "low", "internal"),
    ("remote.log.manager.thread.pool.size", "int", 2, ("at least", 1), "medium", ""),
    ("remote.log.metadata.custom.metadata.max.bytes", "int", 128, ("at least", 0), "low", ""),
    (
        "remote.log.metadata.manager.class.name",
        "string",
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
        ("non-empty",),
        "medium",
        "",
    ),
    ("remote.log.metadata.manager.class.path", "string", None, None, "medium", ""),
    ("remote.log.metadata.manager.impl.prefix", "string", "rlmm.config.", ("non-empty",), "medium", ""),
    ("remote.log.metadata.manager.listener.name", "string", None, ("non-empty",), "medium", ""),
    ("remote.log.reader.max.pending.tasks", "int", 100, ("at least", 1), "medium", ""),
    ("remote.log.reader.threads", "int", 10, ("at least", 1), "medium", "cluster-wide"),
    ("remote.log.storage.manager.class.name", "string", None, ("non-empty",), "medium", ""),
    ("remote.log.storage.manager.class.path", "string", None, None, "medium", ""),
    ("remote.log.storage.manager.impl.prefix", "string", "rsm.config.", ("non-empty",), "medium", ""),
    ("remote.log.storage.system.enable", "boolean", False, None, "medium", ""),
)
