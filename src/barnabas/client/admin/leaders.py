"""Questions about partitions that only their leaders answer: who is asked what, and what is asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from barnabas.client.errors import KafkaError
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from barnabas.client.cluster import Cluster
    from barnabas.client.connection import Connection

T = TypeVar("T")
Key = tuple[str, int]
_MOVED = (Error.NOT_LEADER_OR_FOLLOWER, Error.LEADER_NOT_AVAILABLE)


async def ask_leaders(
    cluster: Cluster,
    name: str,
    keys: Iterable[Key],
    ask: Callable[[Connection, Mapping[str, Sequence[int]]], Awaitable[Mapping[Key, T | KafkaError]]],
) -> dict[Key, T | KafkaError]:
    """The answer for each (topic, partition), or its error. `ask` puts one leader the question about topics' partitions. What isn't there is refused at once."""
    wanted = list(keys)
    found: dict[Key, T | KafkaError] = {}

    async def attempt() -> None:
        left = [key for key in wanted if key not in found]
        await cluster.refresh({topic for topic, _ in left})
        again: KafkaError | None = None
        by_leader: dict[int, dict[str, list[int]]] = {}
        for topic, partition in left:
            known = cluster.topics.get(topic)
            place = known.partitions.get(partition) if known else None
            if place is None:
                found[(topic, partition)] = KafkaError(cluster.topic_errors.get(topic, Error.UNKNOWN_TOPIC_OR_PARTITION))
            elif place.leader < 0:
                again = KafkaError(Error.LEADER_NOT_AVAILABLE)
            else:
                by_leader.setdefault(place.leader, {}).setdefault(topic, []).append(partition)
        for leader, topics in by_leader.items():
            for key, answer in (await ask(await cluster.connection(leader), topics)).items():
                if isinstance(answer, KafkaError) and answer.error in _MOVED:
                    again = answer
                else:
                    found[key] = answer
        if again is not None:
            raise again

    try:
        await cluster.retrying(name, attempt)
    except KafkaError as failure:
        for key in wanted:
            found.setdefault(key, failure)
    return found
