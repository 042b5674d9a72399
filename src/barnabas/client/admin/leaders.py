"""Questions about partitions that only their leaders answer: who is asked what, and what is asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from barnabas.client.errors import KafkaError
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence

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
    *,
    once_more: Container[Error] = (),
    missing_may_come: bool = False,
) -> dict[Key, T | KafkaError]:
    """The answer for each (topic, partition), or its error. `ask` puts one leader the question about topics' partitions.

    What has no leader, or one that can't be reached, is asked again until the call's time is over, and keeps nobody else's answer back; so are errors of
    `once_more`. What isn't there is refused at once, unless it may come.
    """
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
                failure = KafkaError(cluster.topic_errors.get(topic, Error.UNKNOWN_TOPIC_OR_PARTITION))
                if missing_may_come and failure.retriable:
                    again = failure
                else:
                    found[(topic, partition)] = failure
            elif place.leader < 0:
                again = KafkaError(Error.LEADER_NOT_AVAILABLE)
            else:
                by_leader.setdefault(place.leader, {}).setdefault(topic, []).append(partition)
        for leader, topics in by_leader.items():
            try:
                answers = await ask(await cluster.connection(leader), topics)
            except KafkaError as failure:
                if not failure.retriable:
                    raise
                again = failure
                continue
            for key, answer in answers.items():
                if isinstance(answer, KafkaError) and (answer.error in _MOVED or answer.error in once_more):
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
