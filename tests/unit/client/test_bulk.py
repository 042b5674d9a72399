"""Prepared batches against a real node: all arrive once and in order, also when connections break; what is refused is told, and the rest goes on."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from barnabas.client.admin import first_failure, offsets, topics
from barnabas.client.bulk import BulkProducer, Load
from barnabas.client.cluster import Cluster
from barnabas.client.consumer import Consumer
from barnabas.client.producer import ProducerSettings
from barnabas.wire.errors import Error
from barnabas.wire.records.compression import Codec, compress
from barnabas.wire.records.record import encode_record

if TYPE_CHECKING:
    from barnabas.client.errors import KafkaError
    from tests.nodes import Node

pytestmark = pytest.mark.node
PER_BATCH = 10
DEADLINE_S = 60


class Rising:
    """Batches of ten numbers each, so many; `disturb` is called when the middle one is taken."""

    def __init__(self, batches: int, codec: Codec = Codec.NONE, value: bytes = b"") -> None:
        self.batches = batches
        self.codec = codec
        self.value = value
        self.taken = 0
        self.told: list[tuple[int, KafkaError | None]] = []
        self.disturb = lambda: None

    def take(self) -> Load | None:
        if self.taken == self.batches:
            return None
        number = self.taken
        self.taken += 1
        if number == self.batches // 2:
            asyncio.get_running_loop().call_soon(self.disturb)
        value = self.value if number == 1 else b""
        body = b"".join(encode_record(delta, 0, None, b"%d" % (number * PER_BATCH + delta) + value) for delta in range(PER_BATCH))
        return Load(compress(self.codec, body) if self.codec else body, PER_BATCH, self.codec, number)

    def done(self, load: Load, error: KafkaError | None) -> None:
        self.told.append((load.note, error))


async def _new_topic(cluster: Cluster, partitions: int, **configs: str) -> str:
    name = f"bulk-{uuid.uuid4().hex[:8]}"
    named = {key.replace("_", "."): value for key, value in configs.items()}
    first_failure(await topics.create(cluster, [topics.NewTopic(name, partitions, 1, configs=named)]))
    return name


async def _send(cluster: Cluster, topic: str, source: Rising, settings: ProducerSettings) -> BulkProducer:
    bulk = BulkProducer(cluster, settings, topic, source, source.done)
    await bulk.start()
    async with asyncio.timeout(DEADLINE_S):
        while len(source.told) < source.batches:
            bulk.pump()
            await asyncio.sleep(0.001)
        await bulk.idle.wait()
    assert bulk.failure is None
    assert bulk.in_flight == 0
    return bulk


async def _read(cluster: Cluster, topic: str, partitions: int, count: int) -> dict[int, list[int]]:
    """What each partition holds, in its order, and that nothing follows."""
    consumer = Consumer(cluster)
    consumer.assign({(topic, partition): offsets.EARLIEST for partition in range(partitions)})
    found: dict[int, list[int]] = {partition: [] for partition in range(partitions)}
    async with asyncio.timeout(DEADLINE_S):
        while sum(map(len, found.values())) < count:
            for record in await consumer.poll(500):
                found[record.partition].append(int(record.value or b""))
    assert not await consumer.poll(100)
    return found


@pytest.mark.parametrize(
    "settings, codec",
    [
        (ProducerSettings(), Codec.NONE),
        (ProducerSettings(idempotence=False, acks=1), Codec.LZ4),
        (ProducerSettings(acks=0, idempotence=False), Codec.NONE),
        (ProducerSettings(batch_size=100, max_request_size=200), Codec.ZSTD),
    ],
)
def test_all_arrive_once(barnabas_node: Node, settings: ProducerSettings, codec: Codec) -> None:
    async def run() -> None:
        async with Cluster(barnabas_node.bootstrap) as cluster:
            topic = await _new_topic(cluster, 3)
            source = Rising(60, codec)
            await _send(cluster, topic, source, settings)
            assert sorted(source.told) == [(number, None) for number in range(60)]
            found = await _read(cluster, topic, 3, 600)
            assert sorted(number for numbers in found.values() for number in numbers) == list(range(600))
            assert all(numbers and numbers == sorted(numbers) for numbers in found.values())

    asyncio.run(run())


def test_a_connection_that_breaks_loses_and_doubles_nothing(barnabas_node: Node) -> None:
    async def run() -> None:
        async with Cluster(barnabas_node.bootstrap) as cluster:
            topic = await _new_topic(cluster, 2)
            source = Rising(200)
            broken = []

            def disturb() -> None:
                for connection in list(cluster._connections.values()):
                    connection.close()
                    broken.append(connection)

            source.disturb = disturb
            bulk = await _send(cluster, topic, source, ProducerSettings(retry_backoff_ms=10))
            assert broken
            assert bulk.retries
            assert sorted(source.told) == [(number, None) for number in range(200)]
            found = await _read(cluster, topic, 2, 2000)
            assert sorted(number for numbers in found.values() for number in numbers) == list(range(2000))
            assert all(numbers == sorted(numbers) for numbers in found.values())

    asyncio.run(run())


def test_a_batch_that_is_refused_is_told_and_the_next_go_through(barnabas_node: Node) -> None:
    async def run() -> None:
        async with Cluster(barnabas_node.bootstrap) as cluster:
            topic = await _new_topic(cluster, 1, max_message_bytes="1000")
            source = Rising(30, value=b"0" * 100)
            await _send(cluster, topic, source, ProducerSettings(retry_backoff_ms=10))
            refused = {number: error for number, error in source.told if error is not None}
            assert refused[1].error is Error.MESSAGE_TOO_LARGE
            arrived = [number for number, error in source.told if error is None]
            assert sorted([*arrived, *refused]) == list(range(30))
            found = await _read(cluster, topic, 1, len(arrived) * PER_BATCH)
            assert found[0] == [number * PER_BATCH + delta for number in sorted(arrived) for delta in range(PER_BATCH)]

    asyncio.run(run())
