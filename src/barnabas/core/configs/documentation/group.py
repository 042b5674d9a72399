"""What the groups' keys do, and the brokers' keys that bound them or stand for groups without an own value."""

from __future__ import annotations

from .texts import texts

KINDS = ("consumer", "share", "streams")
_NAMES = {
    "consumer": "consumer groups (of the protocol where the coordinator assigns, KIP-848)",
    "share": "share groups (KIP-932)",
    "streams": "streams groups (KIP-1071)",
}
_EVERY = {
    "assignment.interval.ms": "The least milliseconds between two computations of a group's assignment. More puts changes that come together into one.",
    "heartbeat.interval.ms": "Milliseconds between a member's heartbeats. Lower spreads new assignments sooner, for more requests.",
    "session.timeout.ms": "Milliseconds without a heartbeat after which a member is out and its partitions go to others.",
}

GROUP: dict[str, str] = {
    **{f"{kind}.{rest}": text for kind in KINDS for rest, text in _EVERY.items()},
    **texts("""
share.auto.offset.reset
    Where a share group begins on a partition that is new to it: earliest, latest, or by_duration: with an ISO 8601 duration, that long ago.
share.delivery.count.limit
    How often a record is handed out before it is given up. Higher where work fails for passing reasons.
share.isolation.level
    Whether records of aborted transactions are left out (read_committed) or handed out too (read_uncommitted).
share.partition.max.record.locks
    How many records of a partition may be with consumers at one time. Higher lets more consumers work on it.
share.record.lock.duration.ms
    Milliseconds for which a record stays with a consumer; unless it is acknowledged it is then handed to another. A bit more than the work on one takes.
share.renew.acknowledge.enable
    Whether a consumer may ask for more time for a record that it still works on.
streams.initial.rebalance.delay.ms
    Milliseconds for which an empty group waits for more members before tasks are assigned for the first time.
streams.num.standby.replicas
    How many warm copies of each stateful task are kept on other members, to take over without restoring.
"""),
}


def _bounds(kind: str, rest: str, what: str) -> dict[str, str]:
    setting = f"{kind}.{rest}"
    return {
        f"group.{setting}": f"For {_NAMES[kind]} that don't set {setting} themselves. {GROUP[setting]}",
        f"group.{kind}.min.{rest}": f"The least {what} that {_NAMES[kind]} may set with {setting}.",
        f"group.{kind}.max.{rest}": f"The most {what} that {_NAMES[kind]} may set with {setting}.",
    }


BEHIND_GROUPS: dict[str, str] = {
    key: text
    for one in (
        *(_bounds(kind, rest, "milliseconds") for kind in KINDS for rest in _EVERY),
        _bounds("share", "delivery.count.limit", "deliveries"),
        _bounds("share", "record.lock.duration.ms", "milliseconds"),
        _bounds("share", "partition.max.record.locks", "records"),
        {
            f"group.{setting}": f"For {_NAMES['streams']} that don't set {setting} themselves. {GROUP[setting]}"
            for setting in ("streams.num.standby.replicas", "streams.initial.rebalance.delay.ms")
        },
    )
    for key, text in one.items()
}
"""Brokers' keys that say the same as a group's, or bound it."""
