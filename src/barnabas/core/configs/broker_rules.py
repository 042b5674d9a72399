"""What a broker's values must satisfy together, beside each key's own check and the listeners' (`listeners`).

Source: the checks of KafkaConfig, GroupCoordinatorConfig and ShareGroupConfig in 4.3.1.
"""

from __future__ import annotations

from .addresses import is_host
from .error import ConfigError
from .topic_settings import retention_ms
from .values import Values

_GROUP_KINDS = ("consumer", "share", "streams")


def check_broker(values: Values) -> None:
    """Raises ConfigError, its key set, on the first rule broken."""
    check_identity(values)
    _check_log(values)
    _check_replication(values)
    _check_network(values)
    for kind in _GROUP_KINDS:
        _check_group_limits(values, kind)
    _check_groups(values)


def check_identity(values: Values) -> None:
    broker_id = values.integer("broker.id")
    if broker_id not in (-1, values.integer("node.id")):
        raise ConfigError(f"it must be the same as node.id ({values.integer('node.id')}), or left out", "broker.id")


def _check_log(values: Values) -> None:
    roll_ms, jitter_ms = values.optional_integer("log.roll.ms"), values.optional_integer("log.roll.jitter.ms")
    if roll_ms is not None and roll_ms < 1:
        raise ConfigError("log.roll.ms must be greater than or equal to 1", "log.roll.ms")
    if jitter_ms is not None and jitter_ms < 0:
        raise ConfigError("log.roll.jitter.ms must be greater than or equal to 0", "log.roll.jitter.ms")
    if retention_ms(values) == 0:
        key = next((key for key in ("log.retention.ms", "log.retention.minutes") if values[key] is not None), "log.retention.hours")
        raise ConfigError("log.retention.ms must be unlimited (-1) or, greater than or equal to 1", key)
    threads = values.integer("log.cleaner.threads")
    if threads == 0 or values.integer("log.cleaner.dedupe.buffer.size") // threads <= 1024 * 1024:
        raise ConfigError("log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.", "log.cleaner.dedupe.buffer.size")
    cordoned = values.items_of("cordoned.log.dirs")
    if "*" in cordoned and len(cordoned) > 1:
        raise ConfigError("* says all directories, so nothing else may stand beside it", "cordoned.log.dirs")
    unknown = [directory for directory in cordoned if directory != "*" and directory not in log_dirs(values)]
    if unknown and "broker" in values.items_of("process.roles"):
        raise ConfigError(f"{unknown[0]} is not one of log.dirs", "cordoned.log.dirs")


def log_dirs(values: Values) -> tuple[str, ...]:
    return values.items_of("log.dirs") or values.items_of("log.dir")


def _check_replication(values: Values) -> None:
    wait_ms = values.integer("replica.fetch.wait.max.ms")
    for key in ("replica.socket.timeout.ms", "replica.lag.time.max.ms"):
        if wait_ms > values.integer(key):
            raise ConfigError(f"it must be at most {key} ({values.integer(key)})", "replica.fetch.wait.max.ms")


def _check_network(values: Values) -> None:
    queued = values.integer("queued.max.request.bytes")
    if 0 < queued < values.integer("socket.request.max.bytes"):
        raise ConfigError("it must be larger or equal to socket.request.max.bytes, or -1", "queued.max.request.bytes")
    overrides = per_address_limits(values.text("max.connections.per.ip.overrides"))
    if values.integer("max.connections.per.ip") == 0 and not overrides:
        raise ConfigError(
            "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.", "max.connections.per.ip"
        )
    idle_ms = values.integer("connections.max.idle.ms")
    if 0 <= idle_ms <= values.integer("connection.failed.authentication.delay.ms"):
        raise ConfigError("it must be less than connections.max.idle.ms", "connection.failed.authentication.delay.ms")


def per_address_limits(text: str) -> dict[str, int]:
    """max.connections.per.ip.overrides: `host:count,...`. Raises ConfigError."""
    key = "max.connections.per.ip.overrides"
    limits = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        host, colon, count = pair.rpartition(":")
        host, count = host.strip(), count.strip()
        if not colon:
            raise ConfigError(f"Error parsing configuration property '{key}': begin 0, end -1, length {len(pair)}", key)
        if not count.removeprefix("-").isdecimal():
            raise ConfigError(f'For input string: "{count}"', key)
        limits[host] = int(count)
    wrong = [host for host in limits if not is_host(host)]
    if wrong:
        raise ConfigError(f"{key} contains invalid addresses : {','.join(wrong)}", key)
    return limits


def _check_group_limits(values: Values, kind: str) -> None:
    """Every group setting within its broker-wide bounds, and a session longer than a heartbeat."""
    for what in ("heartbeat.interval.ms", "session.timeout.ms", "assignment.interval.ms"):
        key, least, most = f"group.{kind}.{what}", f"group.{kind}.min.{what}", f"group.{kind}.max.{what}"
        _ordered(values, least, most, at=most)
        _ordered(values, least, key, at=key)
        _ordered(values, key, most, at=key)
    heartbeat, session = f"group.{kind}.heartbeat.interval.ms", f"group.{kind}.session.timeout.ms"
    if values.integer(heartbeat) >= values.integer(session):
        raise ConfigError(f"{heartbeat} must be less than {session}", heartbeat)


def _check_groups(values: Values) -> None:
    if "classic" not in values.items_of("group.coordinator.rebalance.protocols"):
        raise ConfigError("Disabling the 'classic' protocol is not supported.", "group.coordinator.rebalance.protocols")
    if len(values.items_of("group.share.assignors")) != 1:
        raise ConfigError("it must contain exactly one assignor", "group.share.assignors")
    for what in ("delivery.count.limit", "partition.max.record.locks", "record.lock.duration.ms"):
        key = f"group.share.{what}"
        _ordered(values, key, f"group.share.max.{what}", at=key)
        _ordered(values, f"group.share.min.{what}", key, at=key)
    _ordered(values, "group.share.max.size", "group.share.max.share.sessions", at="group.share.max.share.sessions")
    _ordered(values, "group.streams.num.standby.replicas", "group.streams.max.standby.replicas", at="group.streams.num.standby.replicas")
    for key in ("offsets.topic.compression.codec", "share.coordinator.state.topic.compression.codec"):
        if not 0 <= values.integer(key) <= 4:
            raise ConfigError("it must be 0 (none), 1 (gzip), 2 (snappy), 3 (lz4) or 4 (zstd)", key)


def _ordered(values: Values, smaller: str, larger: str, *, at: str) -> None:
    if values.integer(smaller) > values.integer(larger):
        relation, other = ("greater", smaller) if at == larger else ("less", larger)
        raise ConfigError(f"{at} must be {relation} than or equal to {other} ({values.integer(other)})", at)
