"""Broker keys: listeners, connections, requests and the threads that serve them.

Rows as `row.Row` says. The facts are those of Apache Kafka 4.3.1 and are compared with it by tests/differential/test_config_definitions.py.
"""

from __future__ import annotations

from .row import Row

NETWORK: tuple[Row, ...] = (
    ("advertised.listeners", "list", None, ("list", False, True), "high", ""),
    ("background.threads", "int", 10, ("at least", 1), "high", "cluster-wide"),
    ("config.providers", "list", (), ("list", True, False), "low", "cluster-wide"),
    ("connection.failed.authentication.delay.ms", "int", 100, ("at least", 0), "low", ""),
    ("connections.max.idle.ms", "long", 600_000, None, "medium", ""),
    ("controller.socket.timeout.ms", "int", 30000, None, "medium", ""),
    ("fetch.max.bytes", "int", 57_671_680, ("at least", 1024), "medium", ""),
    ("inter.broker.listener.name", "string", None, None, "medium", ""),
    (
        "listener.security.protocol.map",
        "string",
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        None,
        "low",
        "per-broker",
    ),
    ("listeners", "list", ("PLAINTEXT://:9092",), ("list", False, False), "high", "per-broker"),
    ("max.connection.creation.rate", "int", 2**31 - 1, ("at least", 0), "medium", "cluster-wide"),
    ("max.connections", "int", 2**31 - 1, ("at least", 0), "medium", "cluster-wide"),
    ("max.connections.per.ip", "int", 2**31 - 1, ("at least", 0), "medium", "cluster-wide"),
    ("max.connections.per.ip.overrides", "string", "", None, "medium", "cluster-wide"),
    ("max.incremental.fetch.session.cache.slots", "int", 1000, ("at least", 0), "medium", ""),
    ("max.request.partition.size.limit", "int", 2000, ("at least", 1), "medium", ""),
    ("num.io.threads", "int", 8, ("at least", 1), "high", "cluster-wide"),
    ("num.network.threads", "int", 3, ("at least", 1), "high", "cluster-wide"),
    ("queued.max.request.bytes", "long", -1, None, "medium", ""),
    ("queued.max.requests", "int", 500, ("at least", 1), "high", ""),
    ("request.timeout.ms", "int", 30000, None, "high", ""),
    ("security.inter.broker.protocol", "string", "PLAINTEXT", ("one of", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"), "medium", ""),
    ("socket.connection.setup.timeout.max.ms", "long", 30000, None, "medium", ""),
    ("socket.connection.setup.timeout.ms", "long", 10000, None, "medium", ""),
    ("socket.listen.backlog.size", "int", 50, ("at least", 1), "medium", ""),
    ("socket.receive.buffer.bytes", "int", 102_400, None, "high", ""),
    ("socket.request.max.bytes", "int", 104_857_600, ("at least", 1), "high", ""),
    ("socket.send.buffer.bytes", "int", 102_400, None, "high", ""),
)
