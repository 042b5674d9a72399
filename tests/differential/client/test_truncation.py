"""A consumer and the leaders' epochs (KIP-320), on either engine: where an epoch ends, and logs that part from what was read."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from barnabas.client.admin import first_failure, offsets, topics
from barnabas.client.cluster import Cluster
from barnabas.client.consumer import Consumer, ConsumerSettings, LogTruncated
from barnabas.client.errors import KafkaError
from barnabas.client.producer import Producer
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from tests.nodes import Node

pytestmark = pytest.mark.apache
TEN = 10
KEY = (f"parted-{uuid.uuid4().hex[:8]}", 0)


async def produce(cluster: Cluster, prefix: str) -> None:
    producer = Producer(cluster)
    for number in range(TEN):
        await producer.send(*KEY[:1], b"%s-%d" % (prefix.encode(), number), partition=0)
    await producer.close()


async def read(consumer: Consumer, count: int) -> list[bytes | None]:
    values: list[bytes | None] = []
    for _ in range(40):
        values += [record.value for record in await consumer.poll(500)]
        if len(values) >= count:
            break
    return values


@pytest.mark.parametrize("engine", ["apache", pytest.param("barnabas", marks=pytest.mark.node)])
def test_a_log_that_parts_from_what_was_read(engine: str, request: pytest.FixtureRequest) -> None:
    node: Node = request.getfixturevalue("apache_node") if engine == "apache" else request.getfixturevalue("barnabas_nodes")()

    async def story() -> None:
        async with Cluster(node.bootstrap) as cluster:
            first_failure(await topics.create(cluster, [topics.NewTopic(KEY[0], 1, 1)]))
            await produce(cluster, "first")
            consumer = Consumer(cluster)
            consumer.assign({KEY: offsets.EARLIEST})
            assert await read(consumer, TEN) == [b"first-%d" % n for n in range(TEN)]
            before = consumer.epochs[KEY]
            node.stop()
            node.start()  # the leader has another epoch
            await produce(cluster, "second")
            assert await read(consumer, TEN) == [b"second-%d" % n for n in range(TEN)]
            after = consumer.epochs[KEY]
            assert after > before

            absent = (KEY[0], 7)
            ends = await offsets.epoch_ends(cluster, {KEY: before, absent: 0})
            assert ends[KEY] == offsets.EpochEnd(before, TEN)
            refused = ends[absent]
            assert isinstance(refused, KafkaError)
            assert refused.error is Error.UNKNOWN_TOPIC_OR_PARTITION
            assert await offsets.epoch_ends(cluster, {KEY: after}) == {KEY: offsets.EpochEnd(after, 2 * TEN)}

            consumer.seek(*KEY, 15, before)  # as if five more of the first epoch had been read, which this log doesn't have
            assert await read(consumer, TEN) == [b"second-%d" % n for n in range(TEN)]
            consumer.seek(*KEY, 15, after)
            assert await read(consumer, 5) == [b"second-%d" % n for n in range(5, TEN)]

            strict = Consumer(cluster, ConsumerSettings(auto_offset_reset="none"))
            strict.assign({KEY: 0})
            strict.seek(*KEY, 15, before)
            for _ in range(2):
                with pytest.raises(LogTruncated) as cut:
                    await strict.poll(1000)
                assert (cut.value.positions, cut.value.divergent) == ({KEY: 15}, {KEY: TEN})
            strict.seek(*KEY, cut.value.divergent[KEY], before)
            assert await read(strict, TEN) == [b"second-%d" % n for n in range(TEN)]

    asyncio.run(story())
