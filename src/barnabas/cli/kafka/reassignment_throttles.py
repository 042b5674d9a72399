"""Limits on the traffic of reassignments: which replicas and brokers they are set for, and how they are taken away again (KIP-73, KIP-113).

Owns: the configurations' keys and values. Doesn't own when they are set (reassign_partitions.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from barnabas.client.admin.reassignments import Reassignment
    from barnabas.client.cluster import Cluster

    from .reassignment_plan import Key

LEADER_RATE = "leader.replication.throttled.rate"
FOLLOWER_RATE = "follower.replication.throttled.rate"
DIRECTORY_RATE = "replica.alter.log.dirs.io.max.bytes.per.second"
LEADER_REPLICAS = "leader.replication.throttled.replicas"
FOLLOWER_REPLICAS = "follower.replication.throttled.replicas"

_TOPIC = 2
_BROKER = 4


class Move(NamedTuple):
    """The brokers that a partition comes from, and those that it is new on."""

    sources: set[int]
    destinations: set[int]


def moves(current: Mapping[Key, Reassignment], proposed: Mapping[Key, Iterable[int]], assigned: Mapping[Key, Iterable[int]]) -> dict[Key, Move]:
    """Of what is under way and what is proposed; `assigned` is where the proposed partitions lie now."""
    found = {key: Move(set(under_way.replicas) - set(under_way.adding), set(under_way.adding)) for key, under_way in current.items()}
    for key, replicas in proposed.items():
        sources = found[key].sources if key in found else set(assigned[key])
        found[key] = Move(sources, set(replicas) - sources)
    return found


def replicas_by_topic(found: Mapping[Key, Move]) -> dict[str, dict[str, str]]:
    """Topic -> its two lists of `partition:broker`, in the order of their texts."""
    leaders: dict[str, set[str]] = {}
    followers: dict[str, set[str]] = {}
    for (topic, partition), move in found.items():
        leaders.setdefault(topic, set()).update(f"{partition}:{broker}" for broker in move.sources)
        followers.setdefault(topic, set()).update(f"{partition}:{broker}" for broker in move.destinations)
    return {topic: {LEADER_REPLICAS: ",".join(sorted(leaders[topic])), FOLLOWER_REPLICAS: ",".join(sorted(followers[topic]))} for topic in leaders}


async def limit_replication(cluster: Cluster, found: Mapping[Key, Move], bytes_per_s: int) -> None:
    """Raises the first refusal."""
    await _alter(cluster, _TOPIC, replicas_by_topic(found))
    brokers = set[int]().union(*(move.sources | move.destinations for move in found.values()))
    await _alter(cluster, _BROKER, {str(broker): {LEADER_RATE: str(bytes_per_s), FOLLOWER_RATE: str(bytes_per_s)} for broker in sorted(brokers)})


async def limit_directories(cluster: Cluster, brokers: Iterable[int], bytes_per_s: int) -> None:
    """Raises the first refusal."""
    await _alter(cluster, _BROKER, {str(broker): {DIRECTORY_RATE: str(bytes_per_s)} for broker in sorted(brokers)})


async def lift_brokers(cluster: Cluster, brokers: Iterable[int]) -> None:
    """Raises the first refusal."""
    await _alter(cluster, _BROKER, {str(broker): dict.fromkeys((LEADER_RATE, FOLLOWER_RATE, DIRECTORY_RATE)) for broker in brokers})


async def lift_topics(cluster: Cluster, topics: Iterable[str]) -> None:
    """Raises the first refusal."""
    await _alter(cluster, _TOPIC, {topic: dict.fromkeys((LEADER_REPLICAS, FOLLOWER_REPLICAS)) for topic in topics})


async def _alter(cluster: Cluster, kind: int, changes: Mapping[str, Mapping[str, str | None]]) -> None:
    """Sets values, None taking one away, of every resource before the first refusal is raised."""
    from barnabas.client.admin import configs
    from barnabas.client.errors import KafkaError

    refusal: KafkaError | None = None
    for name, values in changes.items():
        to_set = {key: value for key, value in values.items() if value is not None}
        try:
            await configs.alter(cluster, kind, name, to_set, [key for key in values if key not in to_set])
        except KafkaError as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal
