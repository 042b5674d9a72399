"""What a running cluster says of itself, for those who start, roll and show it: brokers, quorum, leaders, what is behind.

Asks through the client; owns no process and prints nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from barnabas.client.admin.quorum import Quorum
    from barnabas.client.cluster import Cluster

    from .fleet import Member

ANSWER_TIMEOUT_MS = 5_000
LAG_TIMEOUT_S = 2.0
REQUEST_TIMEOUT_MS = 2_000  # then another node is asked: one may hang

Key = tuple[str, int]


class Health(NamedTuple):
    """`lags`: by how many records the replicas of each broker that answers are behind, together."""

    cluster_id: str
    brokers: list[int]
    topics: int
    leaders: dict[int, int]
    replicas: dict[int, int]
    under_replicated: list[Key]
    offline: list[Key]
    quorum: Quorum
    lags: dict[int, int]

    @property
    def partitions(self) -> int:
        return sum(self.leaders.values()) + len(self.offline)


def bootstrap_of(members: Iterable[Member]) -> str:
    """The brokers that run; all of them if none does."""
    brokers = [member for member in members if member.is_broker]
    running = [member for member in brokers if member.home.pid() is not None]
    return ",".join(member.where for member in running or brokers)


async def look(cluster: Cluster, lags_of: Iterable[int] = ()) -> Health:
    """Raises KafkaError."""
    import asyncio

    from barnabas.client.admin import quorum

    await cluster.refresh()
    leaders = dict.fromkeys(cluster.brokers, 0)
    replicas = dict.fromkeys(cluster.brokers, 0)
    behind: list[Key] = []
    offline: list[Key] = []
    for name, topic in cluster.topics.items():
        for number, place in topic.partitions.items():
            if place.leader < 0:
                offline.append((name, number))
            else:
                leaders[place.leader] = leaders.get(place.leader, 0) + 1
            for broker in place.replicas:
                replicas[broker] = replicas.get(broker, 0) + 1
            if len(place.isr) < len(place.replicas):
                behind.append((name, number))
    asked = [broker for broker in lags_of if broker in cluster.brokers]
    lags = await asyncio.gather(*(_lag(cluster, broker) for broker in asked))
    found = {broker: lag for broker, lag in zip(asked, lags, strict=True) if lag is not None}
    voters = await quorum.describe(cluster)
    return Health(
        cluster.cluster_id or "?", sorted(cluster.brokers), len(cluster.topics), leaders, replicas, sorted(behind), sorted(offline), voters, found
    )


async def _lag(cluster: Cluster, broker: int) -> int | None:
    """None if it doesn't answer soon."""
    import asyncio

    from barnabas.client.admin import log_dirs
    from barnabas.client.errors import KafkaError

    try:
        directories = (await asyncio.wait_for(log_dirs.describe(cluster, [broker]), LAG_TIMEOUT_S))[broker]
    except (TimeoutError, KafkaError):
        return None
    return sum(replica.offset_lag for directory in directories for replica in directory.replicas.values() if not replica.future)


def ask(members: Sequence[Member], *, timeout_ms: int = ANSWER_TIMEOUT_MS, lags: bool = False) -> tuple[Health | None, str]:
    """The answer, or why there is none. `lags`: how far the replicas of each broker that runs are behind, too, which gets as much time again."""
    import asyncio

    from barnabas.client.cluster import Cluster, Settings
    from barnabas.client.errors import KafkaError

    asked = [member.node_id for member in members if lags and member.is_broker and member.home.pid() is not None]

    timeout_ms *= 1 + lags

    async def work() -> Health:
        settings = Settings(client_id="barnabas", request_timeout_ms=min(REQUEST_TIMEOUT_MS, timeout_ms), api_timeout_ms=timeout_ms)
        async with Cluster(bootstrap_of(members), settings) as cluster:
            return await look(cluster, asked)

    try:
        return asyncio.run(asyncio.wait_for(work(), timeout_ms / 1000 + 1)), ""
    except TimeoutError:
        return None, f"no answer within {timeout_ms / 1000:.0f} s"
    except KafkaError as error:
        return None, str(error.__cause__ or error)
