"""Which broker key stands behind a topic's or a group's key, and which broker keys say the same thing in other units.

The order of a tuple is the order of precedence. Source: the topic and group synonym tables of 4.3.1, KIP-226.
"""

from __future__ import annotations

HOURS_MS = 3_600_000
MINUTES_MS = 60_000

# topic key -> broker keys with what one unit of them is worth in the topic key's unit
TOPIC: dict[str, tuple[tuple[str, int], ...]] = {
    "segment.bytes": (("log.segment.bytes", 1),),
    "segment.ms": (("log.roll.ms", 1), ("log.roll.hours", HOURS_MS)),
    "segment.jitter.ms": (("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOURS_MS)),
    "segment.index.bytes": (("log.index.size.max.bytes", 1),),
    "flush.messages": (("log.flush.interval.messages", 1),),
    "flush.ms": (("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)),
    "retention.bytes": (("log.retention.bytes", 1),),
    "retention.ms": (("log.retention.ms", 1), ("log.retention.minutes", MINUTES_MS), ("log.retention.hours", HOURS_MS)),
    "max.message.bytes": (("message.max.bytes", 1),),
    "index.interval.bytes": (("log.index.interval.bytes", 1),),
    "delete.retention.ms": (("log.cleaner.delete.retention.ms", 1),),
    "min.compaction.lag.ms": (("log.cleaner.min.compaction.lag.ms", 1),),
    "max.compaction.lag.ms": (("log.cleaner.max.compaction.lag.ms", 1),),
    "file.delete.delay.ms": (("log.segment.delete.delay.ms", 1),),
    "min.cleanable.dirty.ratio": (("log.cleaner.min.cleanable.ratio", 1),),
    "cleanup.policy": (("log.cleanup.policy", 1),),
    "unclean.leader.election.enable": (("unclean.leader.election.enable", 1),),
    "min.insync.replicas": (("min.insync.replicas", 1),),
    "compression.type": (("compression.type", 1),),
    "compression.gzip.level": (("compression.gzip.level", 1),),
    "compression.lz4.level": (("compression.lz4.level", 1),),
    "compression.zstd.level": (("compression.zstd.level", 1),),
    "preallocate": (("log.preallocate", 1),),
    "message.timestamp.type": (("log.message.timestamp.type", 1),),
    "message.timestamp.before.max.ms": (("log.message.timestamp.before.max.ms", 1),),
    "message.timestamp.after.max.ms": (("log.message.timestamp.after.max.ms", 1),),
    "local.retention.ms": (("log.local.retention.ms", 1),),
    "local.retention.bytes": (("log.local.retention.bytes", 1),),
}

# group key -> broker key
GROUP: dict[str, str] = {
    f"{kind}.{rest}": f"group.{kind}.{rest}"
    for kind, rests in (
        ("consumer", ("session.timeout.ms", "heartbeat.interval.ms", "assignment.interval.ms")),
        ("streams", ("session.timeout.ms", "heartbeat.interval.ms", "assignment.interval.ms", "num.standby.replicas", "initial.rebalance.delay.ms")),
        (
            "share",
            (
                "session.timeout.ms",
                "heartbeat.interval.ms",
                "assignment.interval.ms",
                "record.lock.duration.ms",
                "delivery.count.limit",
                "partition.max.record.locks",
            ),
        ),
    )
    for rest in rests
}

_ROLL = ("log.roll.ms", "log.roll.hours")
_JITTER = ("log.roll.jitter.ms", "log.roll.jitter.hours")
_RETENTION = ("log.retention.ms", "log.retention.minutes", "log.retention.hours")
_FAMILIES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_ROLL, _ROLL),
    **dict.fromkeys(_JITTER, _JITTER),
    **dict.fromkeys(_RETENTION, _RETENTION),
    "log.flush.interval.ms": ("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
}
_MECHANISM_KEYS = (
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
    "connections.max.reauth.ms",
)


def broker_family(name: str) -> tuple[str, ...]:
    """The broker keys of which only one can count, `name` among them."""
    return _FAMILIES.get(name, (name,))


def broker_synonyms(name: str) -> tuple[str, ...]:
    """As `broker_family`; a listener's own key (`listener.name.NAME.[mechanism.]KEY`) is followed by the plain one."""
    if name in _FAMILIES:
        return _FAMILIES[name]
    base = listener_base(name)
    if base is None:
        return (name,)
    return (name, next((key for key in _MECHANISM_KEYS if base.endswith(key)), base))


def listener_base(name: str) -> str | None:
    """What follows `listener.name.NAME.`, or None for a key of no listener."""
    if not name.startswith("listener.name."):
        return None
    _, dot, base = name[len("listener.name.") :].partition(".")
    return base if dot else None
