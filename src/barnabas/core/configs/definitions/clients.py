"""What a producer and a consumer can be given, but for `ssl.`, `sasl.`, `security.` and `share.` keys.

Rows as `row.Row` says. The facts are those of Apache Kafka 4.3.1 and are compared with it by tests/differential/test_config_definitions.py.
"""

from __future__ import annotations

from .row import Row, index

_BOTH: tuple[Row, ...] = (
    ("bootstrap.servers", "list", ..., ("list", False, False), "high", ""),
    ("client.dns.lookup", "string", "use_all_dns_ips", ("one of", "use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"), "medium", ""),
    ("config.providers", "list", (), ("list", True, False), "low", ""),
    ("connections.max.idle.ms", "long", 540_000, None, "medium", ""),
    ("enable.metrics.push", "boolean", True, None, "low", ""),
    ("interceptor.classes", "list", (), ("list", True, False), "low", ""),
    ("metadata.max.age.ms", "long", 300_000, ("at least", 0), "low", ""),
    ("metadata.recovery.rebootstrap.trigger.ms", "long", 300_000, ("at least", 0), "low", ""),
    ("metadata.recovery.strategy", "string", "rebootstrap", ("one of in any case", "NONE", "REBOOTSTRAP"), "low", ""),
    ("metric.reporters", "list", ("org.apache.kafka.common.metrics.JmxReporter",), ("list", True, False), "low", ""),
    ("metrics.num.samples", "int", 2, ("at least", 1), "low", ""),
    ("metrics.recording.level", "string", "INFO", ("one of", "INFO", "DEBUG", "TRACE"), "low", ""),
    ("metrics.sample.window.ms", "long", 30_000, ("at least", 0), "low", ""),
    ("reconnect.backoff.max.ms", "long", 1000, ("at least", 0), "low", ""),
    ("reconnect.backoff.ms", "long", 50, ("at least", 0), "low", ""),
    ("request.timeout.ms", "int", 30_000, ("at least", 0), "medium", ""),
    ("retry.backoff.max.ms", "long", 1000, ("at least", 0), "low", ""),
    ("retry.backoff.ms", "long", 100, ("at least", 0), "low", ""),
    ("send.buffer.bytes", "int", 131_072, ("at least", -1), "medium", ""),
    ("socket.connection.setup.timeout.max.ms", "long", 30_000, None, "medium", ""),
    ("socket.connection.setup.timeout.ms", "long", 10_000, None, "medium", ""),
)
_PRODUCER: tuple[Row, ...] = (
    ("acks", "string", "all", ("one of", "all", "-1", "0", "1"), "low", ""),
    ("batch.size", "int", 16_384, ("at least", 0), "medium", ""),
    ("buffer.memory", "long", 33_554_432, ("at least", 0), "high", ""),
    ("client.id", "string", "", None, "medium", ""),
    ("compression.gzip.level", "int", -1, ("gzip level",), "medium", ""),
    ("compression.lz4.level", "int", 9, ("between", 1, 17), "medium", ""),
    ("compression.type", "string", "none", ("one of", "none", "gzip", "snappy", "lz4", "zstd"), "high", ""),
    ("compression.zstd.level", "int", 3, ("between", -131_072, 22), "medium", ""),
    ("delivery.timeout.ms", "int", 120_000, ("at least", 0), "medium", ""),
    ("enable.idempotence", "boolean", True, None, "low", ""),
    ("key.serializer", "class", ..., None, "high", ""),
    ("linger.ms", "long", 5, ("at least", 0), "medium", ""),
    ("max.block.ms", "long", 60_000, ("at least", 0), "medium", ""),
    ("max.in.flight.requests.per.connection", "int", 5, ("at least", 1), "low", ""),
    ("max.request.size", "int", 1_048_576, ("at least", 0), "medium", ""),
    ("metadata.max.idle.ms", "long", 300_000, ("at least", 5000), "low", ""),
    ("partitioner.adaptive.partitioning.enable", "boolean", True, None, "low", ""),
    ("partitioner.availability.timeout.ms", "long", 0, ("at least", 0), "low", ""),
    ("partitioner.class", "class", None, None, "medium", ""),
    ("partitioner.ignore.keys", "boolean", False, None, "medium", ""),
    ("receive.buffer.bytes", "int", 32_768, ("at least", -1), "medium", ""),
    ("retries", "int", 2_147_483_647, ("between", 0, 2_147_483_647), "high", ""),
    ("transaction.timeout.ms", "int", 60_000, None, "low", ""),
    ("transaction.two.phase.commit.enable", "boolean", False, None, "low", ""),
    ("transactional.id", "string", None, ("non-empty",), "low", ""),
    ("value.serializer", "class", ..., None, "high", ""),
)
_CONSUMER: tuple[Row, ...] = (
    ("allow.auto.create.topics", "boolean", True, None, "medium", ""),
    ("auto.commit.interval.ms", "int", 5000, ("at least", 0), "low", ""),
    ("auto.offset.reset", "string", "latest", ("consumer offset reset",), "medium", ""),
    ("check.crcs", "boolean", True, None, "low", ""),
    ("client.id", "string", "", None, "low", ""),
    ("client.rack", "string", "", None, "low", ""),
    ("default.api.timeout.ms", "int", 60_000, ("at least", 0), "medium", ""),
    ("enable.auto.commit", "boolean", True, None, "medium", ""),
    ("exclude.internal.topics", "boolean", True, None, "medium", ""),
    ("fetch.max.bytes", "int", 52_428_800, ("at least", 0), "medium", ""),
    ("fetch.max.wait.ms", "int", 500, ("at least", 0), "low", ""),
    ("fetch.min.bytes", "int", 1, ("at least", 0), "high", ""),
    ("group.id", "string", None, None, "high", ""),
    ("group.instance.id", "string", None, ("non-empty",), "medium", ""),
    ("group.protocol", "string", "classic", ("one of in any case", "CLASSIC", "CONSUMER"), "high", ""),
    ("group.remote.assignor", "string", None, None, "medium", ""),
    ("heartbeat.interval.ms", "int", 3000, None, "high", ""),
    ("internal.throw.on.fetch.stable.offset.unsupported", "boolean", False, None, "low", "internal"),
    ("isolation.level", "string", "read_uncommitted", ("one of", "read_committed", "read_uncommitted"), "medium", ""),
    ("key.deserializer", "class", ..., None, "high", ""),
    ("max.partition.fetch.bytes", "int", 1_048_576, ("at least", 0), "high", ""),
    ("max.poll.interval.ms", "int", 300_000, ("at least", 1), "medium", ""),
    ("max.poll.records", "int", 500, ("at least", 1), "medium", ""),
    (
        "partition.assignment.strategy",
        "list",
        ("class org.apache.kafka.clients.consumer.RangeAssignor", "class org.apache.kafka.clients.consumer.CooperativeStickyAssignor"),
        ("list", True, False),
        "medium",
        "",
    ),
    ("receive.buffer.bytes", "int", 65_536, ("at least", -1), "medium", ""),
    ("session.timeout.ms", "int", 45_000, None, "high", ""),
    ("value.deserializer", "class", ..., None, "high", ""),
)

PRODUCER = index(_BOTH, _PRODUCER)
CONSUMER = index(_BOTH, _CONSUMER)
