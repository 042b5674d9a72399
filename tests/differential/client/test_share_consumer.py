"""Share consumers against Apache Kafka (KIP-932): who gets which record how often, by what the others said of it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.client.admin import configs, first_failure, share_groups, topics
from barnabas.client.errors import KafkaError
from barnabas.client.producer import Producer
from barnabas.client.share_consumer import Acknowledge, ShareConsumer, SharedRecord, ShareSettings
from barnabas.client.transactions import TransactionalProducer
from barnabas.wire.errors import Error
from tests import nodes
from tests.differential.transcript import Client, settle_by

if TYPE_CHECKING:
    from barnabas.client.cluster import Cluster
    from tests.differential.client.conftest import Play
    from tests.nodes import Node

pytestmark = pytest.mark.apache
DEADLINE_S = 60
EXPLICIT = ShareSettings(explicit=True)


async def produce(cluster: Cluster, topic: str, *values: bytes, partition: int = 0) -> None:
    producer = Producer(cluster)
    for value in values:
        await producer.send(topic, value, partition=partition)
    await producer.close()


async def begin_at_the_start(cluster: Cluster, group: str, **more: str) -> None:
    assert await configs.alter(cluster, configs.GROUP, group, {"share.auto.offset.reset": "earliest", **more}) is None
    await cluster.refresh([])
    with contextlib.closing(Client(next(iter(cluster.brokers.values())).port)) as client:
        settle_by(client)


async def read(consumer: ShareConsumer, count: int) -> list[SharedRecord]:
    """Exactly as many; in explicit mode, of one poll, or what came before has to be acknowledged."""
    found: list[SharedRecord] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(found) < count:
            found += await consumer.poll(200)
    assert len(found) == count, found
    return found


async def narrow(cluster: Cluster, topic: str) -> str:
    """A topic with one partition: of two, two members would have one each."""
    name = f"{topic}-narrow"
    first_failure(await topics.create(cluster, [topics.NewTopic(name, 1, 1)]))
    await begin_at_the_start(cluster, name)
    return name


def values(records: list[SharedRecord]) -> list[bytes]:
    return sorted(record.value or b"" for record in records)


def test_what_the_documents_show(apache_node: Node, topic: str, play: Play[None], capsys: pytest.CaptureFixture[str]) -> None:
    text = (nodes.ROOT / "docs" / "client.md").read_text()
    example = next(found for found in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "ShareConsumer" in found)
    names: dict[str, Any] = {}
    exec(compile(example, "client.md", "exec"), names)
    play(lambda cluster: produce(cluster, topic, b"fine", b"broken", b"later"))
    asyncio.run(names["work"](apache_node.bootstrap, topic))
    assert capsys.readouterr().out.splitlines() == ["b'fine' 1", "b'broken' 1", "b'later' 1", "b'later' 2"]


def test_the_next_poll_accepts(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        await begin_at_the_start(cluster, topic)
        await produce(cluster, topic, b"a", b"b")
        await produce(cluster, topic, b"c", partition=1)
        told: list[object] = []
        consumer = ShareConsumer(cluster, topic, on_acknowledged=lambda outcomes: told.extend(outcomes.items()))
        consumer.subscribe([topic])
        records = await read(consumer, 3)
        assert values(records) == [b"a", b"b", b"c"]
        assert {record.delivery_count for record in records} == {1}
        assert consumer.assigned == [(topic, 0), (topic, 1)]
        assert consumer.lock_timeout_ms == 30_000
        with pytest.raises(ValueError, match="explicit=True"):
            consumer.acknowledge(records[0])
        assert await consumer.poll(100) == []
        assert sorted(told) == [((topic, 0), None), ((topic, 1), None)]
        await produce(cluster, topic, b"d", b"e")
        assert values(await read(consumer, 2)) == [b"d", b"e"]
        assert await consumer.commit() == {(topic, 0): None}
        assert await consumer.commit() == {}
        await produce(cluster, topic, b"f")
        assert values(await read(consumer, 1)) == [b"f"]
        await consumer.close()  # which says nothing of f
        again = ShareConsumer(cluster, topic)
        again.subscribe([topic])
        assert [(r.value, r.delivery_count) for r in await read(again, 1)] == [(b"f", 2)]
        assert await again.commit() == {(topic, 0): None}
        await again.close()
        found = await share_groups.offsets(cluster, topic)
        left = {key: start.lag for key, start in found.items() if isinstance(start, share_groups.Start)}
        assert left == {(topic, 0): 0, (topic, 1): 0}

    play(story)


def test_each_record_by_itself(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        await begin_at_the_start(cluster, topic)
        await produce(cluster, topic, b"accept", b"release", b"reject", b"renew")
        consumer = ShareConsumer(cluster, topic, EXPLICIT)
        consumer.subscribe([topic])
        records = {record.value: record for record in await read(consumer, 4)}
        with pytest.raises(ValueError, match="must be acknowledged"):
            await consumer.poll(100)
        consumer.acknowledge(records[b"accept"])
        consumer.acknowledge(records[b"release"], Acknowledge.RELEASE)
        consumer.acknowledge(records[b"reject"], Acknowledge.REJECT)
        consumer.acknowledge(records[b"renew"], Acknowledge.RENEW)
        with pytest.raises(ValueError, match="isn't this consumer's"):
            consumer.acknowledge(records[b"accept"])
        assert await consumer.commit() == {(topic, 0): None}
        consumer.acknowledge(records[b"renew"])
        (again,) = await read(consumer, 1)
        assert (again.value, again.delivery_count) == (b"release", 2)
        consumer.acknowledge(again)
        assert await consumer.commit() == {(topic, 0): None}
        start = (await share_groups.offsets(cluster, topic))[(topic, 0)]
        assert isinstance(start, share_groups.Start)
        assert start.lag == 0
        await consumer.close()

    play(story)


def test_two_members_never_hold_the_same_record(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        name = await narrow(cluster, topic)
        settings = EXPLICIT._replace(max_poll_records=5, record_limit=True)
        one, two = (ShareConsumer(cluster, name, settings) for _ in range(2))
        for consumer in (one, two):
            consumer.subscribe([name])
        await produce(cluster, name, *(b"%02d" % number for number in range(10)))
        first, second = await read(one, 5), await read(two, 5)
        assert values(first + second) == [b"%02d" % number for number in range(10)]
        assert len((await share_groups.describe(cluster, name)).members) == 2
        for record in first:
            one.acknowledge(record)
        assert await one.commit() == {(name, 0): None}
        await two.close()  # whose records others get
        again = await read(one, 5)
        assert values(again) == values(second)
        assert {record.delivery_count for record in again} == {2}
        await one.close()

    play(story)


def test_what_isnt_committed_isnt_shared(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        await begin_at_the_start(cluster, topic, **{"share.isolation.level": "read_committed"})
        producer = TransactionalProducer(cluster, f"tx-{topic}")
        await producer.start()
        for value in (b"a", b"aborted", b"b"):
            await producer.begin()
            await (await producer.send(topic, value, partition=0))
            await (producer.abort() if value == b"aborted" else producer.commit())
        await producer.close()
        consumer = ShareConsumer(cluster, topic)
        consumer.subscribe([topic])
        assert values(await read(consumer, 2)) == [b"a", b"b"]
        assert await consumer.commit() == {(topic, 0): None}
        assert await consumer.poll(200) == []
        await consumer.close()
        start = (await share_groups.offsets(cluster, topic))[(topic, 0)]
        assert isinstance(start, share_groups.Start)
        assert start.lag == 0

    play(story)


def test_a_connection_that_ends_frees_what_was_acquired(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        name = await narrow(cluster, topic)
        await produce(cluster, name, b"slow")
        one, two = ShareConsumer(cluster, name, EXPLICIT), ShareConsumer(cluster, name, EXPLICIT)
        one.subscribe([name])
        two.subscribe([name])
        (held,) = await read(one, 1)
        cluster.release(one._purpose)  # the connection breaks, so that the leader frees what it had acquired
        (taken,) = await read(two, 1)
        assert (taken.value, taken.delivery_count) == (b"slow", 2)
        one.acknowledge(held)
        outcomes = await one.commit()
        refused = outcomes[(name, 0)]
        assert isinstance(refused, KafkaError)
        assert refused.error in (Error.SHARE_SESSION_NOT_FOUND, Error.INVALID_RECORD_STATE)
        two.acknowledge(taken)
        assert await two.commit() == {(name, 0): None}
        assert await one.poll(100) == []
        await one.close()
        await two.close()

    play(story)
