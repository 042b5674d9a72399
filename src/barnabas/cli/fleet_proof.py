"""The proof that a cluster which was just started is one: a batch goes in and comes out, the node that led it is stopped, another batch goes in, both come out,
and the node comes back in sync.

Owns the topic that this needs, which goes again. A cluster of one broker, or two, proves that a batch comes back.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

from .fleet import REPLICAS
from .fleet_health import bootstrap_of
from .home import HomeError
from .processes import duration_text
from .up import PROOF_TIMEOUT_MS, PROOF_TOPIC

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from barnabas.client.cluster import Cluster

    from .fleet import Member
    from .terminal import Terminal

T = TypeVar("T")
BATCH = 100


def prove(terminal: Terminal, members: list[Member]) -> dict[str, float]:
    """The seconds that each step took. Raises HomeError."""
    brokers = [member for member in members if member.is_broker]
    replicas = min(REPLICAS, len(brokers))
    leader, took_s = _run(_first(bootstrap_of(members), replicas))
    found = {"batch_s": took_s}
    copies = f", {replicas} times," if replicas > 1 else ""
    terminal.done(f"{BATCH} records went in{copies} and came out", duration_text(took_s))
    if replicas == REPLICAS:
        stopped = next(member for member in brokers if member.node_id == leader)
        found |= _without(terminal, members, stopped)
    _run(_remove(bootstrap_of(members)))
    return {name: round(value, 3) for name, value in found.items()}


def _without(terminal: Terminal, members: list[Member], stopped: Member) -> dict[str, float]:
    from .fleet_up import start, wait_until

    pid = stopped.home.pid()
    if pid is None:
        raise HomeError(f"Node {stopped.node_id} died. The end of {stopped.home.output_path}:\n{stopped.home.output_tail()}")
    took_s = stopped.home.stop(pid)
    terminal.done(f"Node {stopped.node_id}, which led them, is stopped", duration_text(took_s))
    batch_s = _run(_second(bootstrap_of(members)))
    terminal.done(f"{BATCH} more went in without it, and all {2 * BATCH} came out", duration_text(batch_s))
    began = time.monotonic()
    start(terminal, members, [stopped])
    wait_until(members, f"node {stopped.node_id} to be in sync", lambda health: not health.under_replicated)
    back_s = time.monotonic() - began
    terminal.done(f"Node {stopped.node_id} is in sync again", duration_text(back_s))
    return {"stop_s": took_s, "batch_without_s": batch_s, "back_s": back_s}


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Raises HomeError."""
    from barnabas.client.errors import KafkaError

    patience_s = 2 * PROOF_TIMEOUT_MS / 1000
    try:
        return asyncio.run(asyncio.wait_for(work, patience_s))
    except TimeoutError:
        raise HomeError(f"The cluster serves, but a batch didn't come back within {patience_s:.0f} s. See node.out of each node.") from None
    except KafkaError as error:
        raise HomeError(f"The cluster serves, but a batch didn't go in and out: {error.error.name}: {error}") from error


def _open(bootstrap: str) -> Cluster:
    from barnabas.client.cluster import Cluster, Settings

    return Cluster(bootstrap, Settings(client_id="barnabas-up", api_timeout_ms=PROOF_TIMEOUT_MS))


async def _first(bootstrap: str, replicas: int) -> tuple[int, float]:
    """The leader of the proof's topic, and the seconds from send to receipt."""
    from barnabas.client.admin import first_failure, topics

    async with _open(bootstrap) as cluster:
        if PROOF_TOPIC in await topics.names(cluster):  # of a proof that was cut off
            first_failure(await topics.delete(cluster, [PROOF_TOPIC]))
        wanted = topics.NewTopic(PROOF_TOPIC, 1, replicas, configs={"min.insync.replicas": str(max(1, replicas - 1))})
        first_failure(await topics.create(cluster, [wanted]))
        leader = await cluster.leader(PROOF_TOPIC, 0)
        began = time.monotonic()
        await _send(cluster, 0)
        await _receive(cluster, BATCH)
        return leader, time.monotonic() - began


async def _second(bootstrap: str) -> float:
    async with _open(bootstrap) as cluster:
        began = time.monotonic()
        await _send(cluster, BATCH)
        await _receive(cluster, 2 * BATCH)
        return time.monotonic() - began


async def _remove(bootstrap: str) -> None:
    from barnabas.client.admin import first_failure, topics

    async with _open(bootstrap) as cluster:
        first_failure(await topics.delete(cluster, [PROOF_TOPIC]))


async def _send(cluster: Cluster, first: int) -> None:
    from barnabas.client.producer import Producer

    producer = Producer(cluster)
    delivered = [await producer.send(PROOF_TOPIC, b"%d" % number, partition=0) for number in range(first, first + BATCH)]
    await producer.flush()
    for each in delivered:
        await each
    await producer.close()


async def _receive(cluster: Cluster, count: int) -> None:
    """All that was sent, in order. Raises HomeError."""
    from barnabas.client.admin import offsets
    from barnabas.client.consumer import Consumer

    consumer = Consumer(cluster)
    consumer.assign({(PROOF_TOPIC, 0): offsets.EARLIEST})
    values: list[bytes | None] = []
    deadline_s = time.monotonic() + PROOF_TIMEOUT_MS / 1000
    while len(values) < count and time.monotonic() < deadline_s:
        values += [record.value for record in await consumer.poll(500)]
    await consumer.close()
    if values != [b"%d" % number for number in range(count)]:
        raise HomeError(f"The cluster serves, but of {count} records that it acknowledged {len(values)} came back, or in another order.")
