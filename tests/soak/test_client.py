"""The client's transactions, groups and share groups while Apache Kafka's node is killed in their middle, again and again: each committed record counts once."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.client.admin import configs, first_failure, offsets, topics
from barnabas.client.cluster import Cluster
from barnabas.client.consumer import READ_COMMITTED, Consumer, ConsumerSettings
from barnabas.client.consumer_group import ConsumerGroupSettings
from barnabas.client.errors import KafkaError
from barnabas.client.share_consumer import ShareConsumer
from barnabas.client.transactions import State, TransactionalProducer
from tests.soak.sizes import KILLS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.conftest import NodeFactory

pytestmark = pytest.mark.apache
DEADLINE_S = 120
EACH = 20
ROUNDS = max(1, KILLS // 20)  # such a node takes twenty seconds to come back


async def values_to(last: bytes, poll: Callable[[int], Awaitable[list[Any]]]) -> list[bytes]:
    found: list[bytes] = []
    async with asyncio.timeout(DEADLINE_S):
        while last not in found:
            found += [record.value for record in await poll(500)]
    return found


def test_a_node_that_is_killed_and_comes_back(apache_nodes: NodeFactory) -> None:
    node = apache_nodes()
    wanted: list[bytes] = []

    async def write(producer: TransactionalProducer, number: int, *, kill: bool) -> None:
        """One transaction, again until it is committed: the node goes away between two of its records, or before its end."""
        values = [b"%d-%d" % (number, index) for index in range(EACH)]
        moment = random.randrange(EACH + 1) if kill else -1
        while True:
            await producer.begin()
            try:
                for index, value in enumerate([*values, None]):
                    if index == moment:
                        moment = -1
                        node.kill()
                        node.start()
                    if value is not None:
                        await (await producer.send("here", value))
                await producer.commit()
                wanted.extend(values)
                return
            except KafkaError as error:
                assert producer.state is State.FAILED, error
                await producer.abort()

    async def story() -> None:
        async with Cluster(node.bootstrap) as cluster:
            first_failure(await topics.create(cluster, [topics.NewTopic("here", 1, 1)]))
            settings = {"share.auto.offset.reset": "earliest", "share.isolation.level": "read_committed"}
            await configs.alter(cluster, configs.GROUP, "sharers", settings)
            producer = TransactionalProducer(cluster, "tx")
            await producer.start()
            member = Consumer(cluster, ConsumerSettings(READ_COMMITTED, "earliest", group=ConsumerGroupSettings("members")))
            member.subscribe(lambda name: name == "here", names=["here"])
            sharer = ShareConsumer(cluster, "sharers")
            sharer.subscribe(["here"])
            shared: set[bytes] = set()
            for number in range(2 * ROUNDS):
                await write(producer, number, kill=bool(number % 2))
                assert await values_to(wanted[-1], member.poll) == wanted[-EACH:]
                shared.update(await values_to(wanted[-1], sharer.poll))
                await sharer.commit()
            assert shared == set(wanted)
            reader = Consumer(cluster, ConsumerSettings(READ_COMMITTED))
            reader.assign({("here", 0): offsets.EARLIEST})
            assert await values_to(wanted[-1], reader.poll) == wanted
            await member.close()
            await sharer.close()
            await producer.close()

    asyncio.run(story())
