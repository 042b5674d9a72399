"""Other people's Python clients against a node: confluent-kafka (librdkafka), kafka-python, aiokafka. Every codec, groups, idempotence, admin calls."""

from __future__ import annotations

import asyncio
import gc
import time
import uuid
from typing import TYPE_CHECKING, Any

import aiokafka
import confluent_kafka
import kafka
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.nodes import Node

pytestmark = [pytest.mark.node, pytest.mark.filterwarnings("ignore::ResourceWarning")]

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
COUNT = 500
PATIENCE_S = 20


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """kafka-python may leave a socket to the garbage collector: it finds it here, not in another test."""
    yield
    gc.collect()


def fresh(stem: str) -> str:
    return f"{stem}-{uuid.uuid4().hex[:8]}"


def values(count: int = COUNT) -> list[bytes]:
    return [b"value %d %s" % (n, b"x" * (n % 200)) for n in range(count)]


def create_topic(node: Node, name: str, partitions: int = 1, **configs: str) -> str:
    admin = AdminClient({"bootstrap.servers": node.bootstrap})
    admin.create_topics([NewTopic(name, partitions, 1, config=configs)])[name].result(PATIENCE_S)
    return name


def confluent_produce(node: Node, topic: str, sent: Iterable[bytes], **settings: Any) -> None:
    failures: list[Any] = []
    producer = confluent_kafka.Producer({"bootstrap.servers": node.bootstrap, "linger.ms": 5, **settings})
    for n, value in enumerate(sent):
        producer.produce(
            topic, value, key=b"key %d" % (n % 7), headers={"n": b"%d" % n}, on_delivery=lambda error, _: failures.append(error) if error else None
        )
    assert producer.flush(PATIENCE_S) == 0
    assert not failures


def confluent_consume(node: Node, topic: str, count: int, group: str | None = None, **settings: Any) -> list[Any]:
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": node.bootstrap,
            "group.id": group or fresh("group"),
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000,
            **settings,
        }
    )
    found: list[Any] = []
    try:
        consumer.subscribe([topic])
        deadline = time.monotonic() + PATIENCE_S
        while len(found) < count and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is not None:
                assert message.error() is None, message.error()
                found.append(message)
        consumer.commit(asynchronous=False)
    finally:
        consumer.close()
    return found


@pytest.mark.parametrize(("codec", "idempotent"), [*((codec, False) for codec in CODECS), ("none", True), ("zstd", True)])
def test_confluent_round_trip(barnabas_node: Node, codec: str, idempotent: bool) -> None:
    topic = create_topic(barnabas_node, fresh("confluent"))
    confluent_produce(barnabas_node, topic, values(), **{"compression.type": codec, "enable.idempotence": idempotent})
    found = confluent_consume(barnabas_node, topic, COUNT)
    assert [message.value() for message in found] == values()
    assert [message.offset() for message in found] == list(range(COUNT))
    assert [message.headers() for message in found[:2]] == [[("n", b"0")], [("n", b"1")]]


def test_confluent_reads_what_kafka_python_wrote_and_the_reverse(barnabas_node: Node) -> None:
    topic = create_topic(barnabas_node, fresh("mixed"))
    confluent_produce(barnabas_node, topic, values(50), **{"compression.type": "lz4"})
    producer = kafka.KafkaProducer(bootstrap_servers=barnabas_node.bootstrap, compression_type="snappy")
    for value in values(50):
        producer.send(topic, value)
    producer.flush(PATIENCE_S)
    producer.close()
    assert [message.value() for message in confluent_consume(barnabas_node, topic, 100)] == values(50) * 2
    assert kafka_python_consume(barnabas_node, topic, 100) == values(50) * 2


def kafka_python_consume(node: Node, topic: str, count: int, group: str | None = None) -> list[bytes]:
    consumer = kafka.KafkaConsumer(
        topic,
        bootstrap_servers=node.bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        consumer_timeout_ms=PATIENCE_S * 1000,
        enable_auto_commit=False,
    )
    found = []
    try:
        for message in consumer:
            found.append(message.value)
            if len(found) == count:
                break
        if group:
            consumer.commit()
    finally:
        consumer.close()
    return found


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_kafka_python_round_trip(barnabas_node: Node, codec: str | None) -> None:
    topic = create_topic(barnabas_node, fresh("kafka-python"))
    producer = kafka.KafkaProducer(bootstrap_servers=barnabas_node.bootstrap, compression_type=codec, linger_ms=5)
    sent = [producer.send(topic, value, key=b"k", headers=[("h", b"1")]) for value in values()]
    assert [future.get(PATIENCE_S).offset for future in sent] == list(range(COUNT))
    producer.close()
    group = fresh("group")
    assert kafka_python_consume(barnabas_node, topic, 200, group) == values()[:200]
    assert kafka_python_consume(barnabas_node, topic, COUNT - 200, group) == values()[200:], "goes on where the group stopped"


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_aiokafka_round_trip(barnabas_node: Node, codec: str | None) -> None:
    topic = create_topic(barnabas_node, fresh("aiokafka"))

    async def round_trip() -> list[bytes]:
        async with aiokafka.AIOKafkaProducer(bootstrap_servers=barnabas_node.bootstrap, compression_type=codec, enable_idempotence=True) as producer:
            for future in [await producer.send(topic, value) for value in values()]:
                await future
        found: list[bytes] = []
        consumer = aiokafka.AIOKafkaConsumer(topic, bootstrap_servers=barnabas_node.bootstrap, group_id=fresh("group"), auto_offset_reset="earliest")
        async with consumer:
            while len(found) < COUNT:
                for batch in (await asyncio.wait_for(consumer.getmany(timeout_ms=500), PATIENCE_S)).values():
                    found += [message.value for message in batch]
            await consumer.commit()
        return found

    assert asyncio.run(asyncio.wait_for(round_trip(), 60)) == values()


def test_two_members_share_a_group(barnabas_node: Node) -> None:
    """Two members of one group split four partitions; when one leaves the other takes over; each record is seen."""
    topic = create_topic(barnabas_node, fresh("shared"), 4)
    settings = {"bootstrap.servers": barnabas_node.bootstrap, "group.id": fresh("group"), "auto.offset.reset": "earliest", "session.timeout.ms": 6000}
    consumers = [confluent_kafka.Consumer(settings) for _ in range(2)]
    seen: list[bytes] = []

    def poll_until(done: Any) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not done() and time.monotonic() < deadline:
            for consumer in consumers:
                message = consumer.poll(0.05)
                if message is not None and message.error() is None:
                    seen.append(message.value())
        assert done()

    try:
        for consumer in consumers:
            consumer.subscribe([topic])
        poll_until(lambda: [len(consumer.assignment()) for consumer in consumers] == [2, 2])
        confluent_produce(barnabas_node, topic, values(100))
        poll_until(lambda: len(seen) == 100)
        consumers.pop().close()
        poll_until(lambda: len(consumers[0].assignment()) == 4)
        confluent_produce(barnabas_node, topic, [b"after"])
        poll_until(lambda: seen[-1] == b"after")
    finally:
        for consumer in consumers:
            consumer.close()
    assert sorted(seen[:100]) == sorted(values(100))


def test_offsets_by_time_and_watermarks(barnabas_node: Node) -> None:
    topic = create_topic(barnabas_node, fresh("times"))
    producer = confluent_kafka.Producer({"bootstrap.servers": barnabas_node.bootstrap})
    for n in range(10):
        producer.produce(topic, b"%d" % n, timestamp=1_700_000_000_000 + n * 1000)
        producer.flush(PATIENCE_S)
    consumer = confluent_kafka.Consumer({"bootstrap.servers": barnabas_node.bootstrap, "group.id": fresh("group")})
    try:
        asked = confluent_kafka.TopicPartition(topic, 0, 1_700_000_004_500)
        assert consumer.offsets_for_times([asked], timeout=PATIENCE_S)[0].offset == 5
        assert consumer.get_watermark_offsets(asked, timeout=PATIENCE_S) == (0, 10)
    finally:
        consumer.close()


def test_admin_calls(barnabas_node: Node) -> None:
    """Create, grow, configure, describe, list, delete: by librdkafka's admin client."""
    admin = AdminClient({"bootstrap.servers": barnabas_node.bootstrap})
    topic = create_topic(barnabas_node, fresh("admin"), 2, **{"retention.ms": "123456"})
    admin.create_partitions([NewPartitions(topic, 5)])[topic].result(PATIENCE_S)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    assert admin.describe_configs([resource])[resource].result(PATIENCE_S)["retention.ms"].value == "123456"
    deadline = time.monotonic() + PATIENCE_S
    while len(admin.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions) != 5:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert admin.describe_cluster().result(PATIENCE_S).nodes[0].port == barnabas_node.port
    admin.delete_topics([topic])[topic].result(PATIENCE_S)
    while topic in admin.list_topics(timeout=PATIENCE_S).topics:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_kafka_python_admin(barnabas_node: Node) -> None:
    admin = kafka.KafkaAdminClient(bootstrap_servers=barnabas_node.bootstrap)
    try:
        topic = create_topic(barnabas_node, fresh("admin"))
        group = fresh("group")
        confluent_produce(barnabas_node, topic, values(10))
        kafka_python_consume(barnabas_node, topic, 10, group)
        assert topic in admin.list_topics()
        assert [offset.offset for offset in admin.list_group_offsets(group)[group].values()] == [10]
    finally:
        admin.close()


def test_a_transactional_producer_is_told(barnabas_node: Node) -> None:
    """Nobody waits for a coordinator that doesn't come (docs/differences.md)."""
    settings = {"bootstrap_servers": barnabas_node.bootstrap, "transactional_id": fresh("transactional")}
    producer = kafka.KafkaProducer(**settings)
    with pytest.raises(kafka.errors.KafkaError, match="UnsupportedVersion"):
        producer.init_transactions()
    producer.close()

    async def start() -> None:
        other = aiokafka.AIOKafkaProducer(**settings)
        try:
            await other.start()
        finally:
            await other.stop()

    with pytest.raises(aiokafka.errors.KafkaError, match="UnsupportedVersion"):
        asyncio.run(start())
