"""Producer, consumer and groups against a real node."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from barnabas.client.admin import first_failure, group_descriptions, groups, offsets, topics
from barnabas.client.cluster import Cluster
from barnabas.client.consumer import Consumer, ConsumerSettings
from barnabas.client.errors import KafkaError
from barnabas.client.group import GroupSettings
from barnabas.client.producer import Producer, ProducerSettings
from barnabas.wire.errors import Error
from barnabas.wire.records.record import Record

if TYPE_CHECKING:
    from tests.nodes import Node

pytestmark = pytest.mark.node
DEADLINE_S = 60


async def new_topic(cluster: Cluster, partitions: int = 1, **configs: str) -> str:
    name = f"client-{uuid.uuid4().hex[:8]}"
    named = {key.replace("_", "."): value for key, value in configs.items()}
    first_failure(await topics.create(cluster, [topics.NewTopic(name, partitions, 1, configs=named)]))
    return name


async def read(consumer: Consumer, count: int) -> list[bytes | None]:
    values: list[bytes | None] = []
    for _ in range(50):
        values += [record.value for record in await consumer.poll(500)]
        if len(values) >= count:
            break
    return values


def test_many_small_batches_arrive_once_and_in_order(barnabas_node: Node) -> None:
    async def run() -> None:
        async with Cluster(barnabas_node.bootstrap) as cluster:
            topic = await new_topic(cluster, 3)
            producer = Producer(cluster, ProducerSettings(batch_size=300, buffer_memory=5_000, linger_ms=1, codec=3))
            for number in range(600):
                await producer.put(topic, Record(-1, 5, b"%d" % (number % 7), b"%d" % number))
            await producer.close()
            consumer = Consumer(cluster, ConsumerSettings(max_partition_fetch_bytes=2_000))
            consumer.assign({(topic, partition): offsets.EARLIEST for partition in range(3)})
            values = await read(consumer, 600)
            assert sorted(int(value or b"") for value in values) == list(range(600))
            for key in range(7):
                mine = [int(value or b"") for value in values if int(value or b"") % 7 == key]
                assert mine == sorted(mine)

    asyncio.run(run())


def test_a_record_that_is_refused_says_why_and_the_next_goes_through(barnabas_node: Node) -> None:
    async def run() -> None:
        async with Cluster(barnabas_node.bootstrap) as cluster:
            topic = await new_topic(cluster, max_message_bytes="500")
            producer = Producer(cluster, ProducerSettings(linger_ms=0))
            with pytest.raises(KafkaError) as raised:
                await (await producer.send(topic, b"x" * 1000))
            assert raised.value.error is Error.MESSAGE_TOO_LARGE
            assert (await (await producer.send(topic, b"small"))).offset == 0
            with pytest.raises(KafkaError, match=r"max\.request\.size"):
                await producer.send(topic, b"x" * 2_000_000)
            await producer.close()

    asyncio.run(run())


@pytest.mark.parametrize("acks", [0, 1, -1])
def test_acks(barnabas_node: Node, acks: int) -> None:
    async def run() -> None:
        async with Cluster(barnabas_node.bootstrap) as cluster:
            topic = await new_topic(cluster)
            producer = Producer(cluster, ProducerSettings(acks=acks, linger_ms=0))
            delivered = await (await producer.send(topic, b"v"))
            assert delivered.offset == (-1 if acks == 0 else 0)
            await producer.close()
            consumer = Consumer(cluster)
            consumer.assign({(topic, 0): offsets.EARLIEST})
            assert await read(consumer, 1) == [b"v"]

    asyncio.run(run())


@pytest.mark.parametrize("assignor", ["range", "roundrobin", "cooperative-sticky"])
def test_two_members_share_and_the_last_takes_all(barnabas_node: Node, assignor: str) -> None:
    async def run() -> None:
        async with Cluster(barnabas_node.bootstrap) as cluster:
            topic = await new_topic(cluster, 4)
            group = f"g-{topic}"
            settings = ConsumerSettings(auto_offset_reset="earliest", group=GroupSettings(group, heartbeat_interval_ms=50, assignors=(assignor,)))
            one, two = Consumer(cluster, settings), Consumer(cluster, settings)
            for consumer in (one, two):
                consumer.subscribe(lambda name: name == topic)

            async def until(done: asyncio.Event, consumer: Consumer) -> None:
                while not done.is_set():
                    await consumer.poll(50)

            done = asyncio.Event()
            tasks = [asyncio.create_task(until(done, consumer)) for consumer in (one, two)]
            async with asyncio.timeout(DEADLINE_S):
                while not len(one.positions) == len(two.positions) == 2:
                    await asyncio.sleep(0.05)
            assert sorted([*one.positions, *two.positions]) == [(topic, partition) for partition in range(4)]
            described = (await group_descriptions.describe(cluster, [group]))[group]
            assert isinstance(described, group_descriptions.Description)
            assert (described.state, described.assignor, len(described.members)) == ("Stable", assignor, 2)
            done.set()
            await asyncio.gather(*tasks)
            await two.close()
            async with asyncio.timeout(DEADLINE_S):
                while len(one.positions) != 4:
                    await one.poll(50)
            await one.close()
            assert {key[1] for key in await groups.committed(cluster, group)} == {0, 1, 2, 3}
            assert await groups.delete(cluster, [group]) == {group: None}

    asyncio.run(run())


def test_a_consumer_goes_on_behind_what_was_deleted_beneath_it(barnabas_node: Node) -> None:
    """An offset out of range is reset by the policy."""

    async def run() -> None:
        async with Cluster(barnabas_node.bootstrap) as cluster:
            topic = await new_topic(cluster)
            producer = Producer(cluster, ProducerSettings(linger_ms=0))
            for _ in range(3):
                await (await producer.send(topic, b"v"))
            await producer.close()
            consumer = Consumer(cluster, ConsumerSettings(auto_offset_reset="earliest"))
            consumer.assign({(topic, 0): 99})
            assert await read(consumer, 3) == [b"v"] * 3

    asyncio.run(run())
