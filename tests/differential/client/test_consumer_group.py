"""Consumers whose group's coordinator shares out the partitions (KIP-848), against Apache Kafka, with librdkafka as a fellow member."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any

import confluent_kafka
import pytest

from barnabas.client.admin import first_failure, group_descriptions, groups, topics
from barnabas.client.consumer import Consumer, ConsumerSettings
from barnabas.client.consumer_group import ConsumerGroupSettings
from barnabas.client.errors import KafkaError
from barnabas.client.producer import Producer
from barnabas.client.transactions import TransactionalProducer
from barnabas.wire.errors import Error
from barnabas.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from tests import nodes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from barnabas.client.cluster import Cluster
    from barnabas.client.consumer import ConsumedRecord
    from tests.differential.client.conftest import Play
    from tests.nodes import Node

pytestmark = pytest.mark.apache
DEADLINE_S = 60


def member(cluster: Cluster, group: str, topic: str, **more: Any) -> Consumer:
    consumer = Consumer(cluster, ConsumerSettings(auto_offset_reset="earliest", group=ConsumerGroupSettings(group, **more)))
    consumer.subscribe(lambda name: name == topic, names=[topic])
    return consumer


async def produce(cluster: Cluster, topic: str, *values: bytes) -> None:
    producer = Producer(cluster)
    for value in values:
        for partition in (0, 1):
            await producer.send(topic, value, partition=partition)
    await producer.close()


async def until(done: Callable[[], bool], *consumers: Consumer) -> list[ConsumedRecord]:
    """Everybody polls until that is so."""
    found: list[ConsumedRecord] = []
    async with asyncio.timeout(DEADLINE_S):
        while not done():
            for consumer in consumers:
                found += await consumer.poll(20)
    return found


async def description(cluster: Cluster, group: str) -> group_descriptions.Description:
    found = (await group_descriptions.describe(cluster, [group]))[group]
    assert isinstance(found, group_descriptions.Description), found
    return found


@contextlib.asynccontextmanager
async def closing(*consumers: Consumer) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for consumer in consumers:
            await consumer.close()


def test_what_the_documents_show(apache_node: Node, topic: str, play: Play[None], capsys: pytest.CaptureFixture[str]) -> None:
    text = (nodes.ROOT / "docs" / "client.md").read_text()
    example = next(found for found in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "ConsumerGroupSettings" in found)
    names: dict[str, Any] = {}
    exec(compile(example, "client.md", "exec"), names)
    play(lambda cluster: produce(cluster, topic, b"seen"))
    asyncio.run(names["watch"](apache_node.bootstrap, topic))
    said = capsys.readouterr().out
    assert f"mine: {topic}-0, {topic}-1" in said
    assert said.count("b'seen'") == 2


def test_two_members_share_and_one_goes(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        await produce(cluster, topic, b"a", b"b")
        first, second = member(cluster, topic, topic), member(cluster, topic, topic)
        gone: list[tuple[str, int]] = []
        first.subscribe(lambda name: name == topic, names=[topic], on_revoked=gone.extend)
        records = []
        async with closing(first):
            records += await until(lambda: len(first.positions) == 2, first)
            async with asyncio.timeout(DEADLINE_S):
                while len(records) < 4:
                    records += await first.poll(100)
            async with closing(second):
                assert await until(lambda: len(first.positions) == len(second.positions) == 1, first, second) == []
                assert gone == list(second.positions)
                described = await description(cluster, topic)
                assert (described.state, described.assignor, len(described.members)) == ("Stable", "uniform", 2)
                await produce(cluster, topic, b"c")
                records += await until(lambda: set(first.positions.values()) == set(second.positions.values()) == {3}, first, second)
            assert await until(lambda: len(first.positions) == 2, first) == []  # the one that left had committed
        assert sorted(record.value or b"" for record in records) == [b"a", b"a", b"b", b"b", b"c", b"c"]
        committed = await groups.committed(cluster, topic)
        assert {key: found.offset for key, found in committed.items()} == {(topic, 0): 3, (topic, 1): 3}

    play(story)


def test_assignors(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        ranged, strange = member(cluster, topic, topic, assignor="range"), member(cluster, topic, topic, assignor="strange")
        async with closing(ranged):
            await until(lambda: len(ranged.positions) == 2, ranged)
            assert (await description(cluster, topic)).assignor == "range"
            with pytest.raises(KafkaError) as refused:
                await strange.poll(100)
            assert refused.value.error is Error.UNSUPPORTED_ASSIGNOR

    play(story)


def test_topics_by_pattern(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        consumer = Consumer(cluster, ConsumerSettings(auto_offset_reset="earliest", group=ConsumerGroupSettings(topic)))
        first_failure(await topics.create(cluster, [topics.NewTopic(f"{topic}-more", 1, 1)]))
        consumer.subscribe(lambda name: name == topic, names=[topic])
        async with closing(consumer):
            await until(
                lambda: len(consumer.positions) == 2, consumer
            )  # meanwhile the coordinator hears of the new topic: it looks for more every 10 s only
            consumer.subscribe_pattern(f"{topic}(-.*)?")
            await until(lambda: len(consumer.positions) == 3, consumer)
            consumer.subscribe(lambda name: name == f"{topic}-more")
            await until(lambda: consumer.positions.keys() == {(f"{topic}-more", 0)}, consumer)
            consumer.subscribe_pattern("(")
            with pytest.raises(KafkaError) as refused:
                await consumer.poll(100)
            assert refused.value.error is Error.INVALID_REGULAR_EXPRESSION

    play(story)


def test_topics_that_come_later(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        consumer = Consumer(cluster, ConsumerSettings(auto_offset_reset="earliest", group=ConsumerGroupSettings(topic)))
        consumer.subscribe(lambda name: name.startswith(topic), names=[topic, f"{topic}-late"])
        async with closing(consumer):
            await until(lambda: len(consumer.positions) == 2, consumer)
            first_failure(await topics.create(cluster, [topics.NewTopic(f"{topic}-late", 1, 1)]))
            await until(lambda: len(consumer.positions) == 3, consumer)

    play(story)


def test_a_static_member_comes_back_to_its_partitions(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        one, two = member(cluster, topic, topic, instance_id="one"), member(cluster, topic, topic, instance_id="two")
        async with closing(two):
            await until(lambda: len(one.positions) == len(two.positions) == 1, one, two)
            before, kept = set(one.positions), set(two.positions)
            double = member(cluster, topic, topic, instance_id="one")
            with pytest.raises(KafkaError) as refused:
                await double.poll(100)
            assert refused.value.error is Error.UNRELEASED_INSTANCE_ID
            await one.close()
            back = member(cluster, topic, topic, instance_id="one")
            async with closing(back):
                await until(lambda: len(back.positions) == 1, back, two)
                assert (set(back.positions), set(two.positions)) == (before, kept)

    play(story)


def test_a_member_that_was_put_out_comes_in_again(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        consumer = member(cluster, topic, topic)
        given: list[tuple[str, int]] = []
        taken: list[tuple[str, int]] = []
        consumer.subscribe(lambda name: name == topic, names=[topic], on_assigned=given.extend, on_revoked=taken.extend)
        async with closing(consumer):
            await until(lambda: len(consumer.positions) == 2, consumer)
            member_id = consumer.membership.member_id
            node_id = await groups.coordinator(cluster, topic)
            out = ConsumerGroupHeartbeatRequest(group_id=topic, member_id=member_id, member_epoch=-1)
            assert (await cluster.call(out, name="leave", node_id=node_id)).error_code == Error.NONE
            await until(lambda: len(given) == 4, consumer)
            assert sorted(taken) == [(topic, 0), (topic, 1)]
            assert consumer.membership.member_id == member_id

    play(story)


def test_offsets_in_a_transaction(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        await produce(cluster, topic, b"x")
        consumer = member(cluster, topic, topic)
        producer = TransactionalProducer(cluster, f"tx-{topic}")
        await producer.start()
        async with closing(consumer):
            await until(lambda: set(consumer.positions.values()) == {1}, consumer)
            async with producer.transaction():
                await producer.send_offsets(consumer.reached, consumer.membership)
            stale = consumer.membership._replace(generation=consumer.membership.generation - 1)
            await producer.begin()
            with pytest.raises(KafkaError) as refused:
                await producer.send_offsets(consumer.reached, stale)
            assert refused.value.error in (Error.STALE_MEMBER_EPOCH, Error.ILLEGAL_GENERATION)
            await producer.abort()
        await producer.close()
        assert {found.offset for found in (await groups.committed(cluster, topic, stable=True)).values()} == {1}

    play(story)


def test_librdkafka_in_the_same_group(play: Play[None], apache_node: Node, topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        ours = member(cluster, topic, topic)
        theirs = confluent_kafka.Consumer(
            {"bootstrap.servers": apache_node.bootstrap, "group.id": topic, "group.protocol": "consumer", "auto.offset.reset": "earliest"}
        )
        theirs.subscribe([topic])
        async with closing(ours):

            def shared() -> bool:
                theirs.poll(0.02)
                held = {(found.topic, found.partition) for found in theirs.assignment()}
                return len(held) == len(ours.positions) == 1 and not held & ours.positions.keys()

            await until(shared, ours)
            theirs.close()
            await until(lambda: len(ours.positions) == 2, ours)

    play(story)
