"""The transactional producer against Apache Kafka, in both versions of the protocol (KIP-98, KIP-890), with librdkafka as its neighbour."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import confluent_kafka
import pytest

from barnabas.client.admin import configs, features, groups, offsets, transactions
from barnabas.client.cluster import Cluster
from barnabas.client.consumer import READ_COMMITTED, Consumer, ConsumerSettings
from barnabas.client.errors import KafkaError
from barnabas.client.group import GroupSettings, Membership
from barnabas.client.producer import ProducerSettings
from barnabas.client.transactions import FEATURE, State, TransactionalProducer
from barnabas.wire.errors import Error
from tests import nodes
from tests.differential.transcript import settle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.differential.client.conftest import Play
    from tests.nodes import Node

pytestmark = pytest.mark.apache
NEWEST = 2


@pytest.fixture(params=[NEWEST, 0])
def level(request: pytest.FixtureRequest, play: Play[Any], apache_node: Node) -> Iterator[int]:
    """Of transaction.version: with an epoch a transaction, and without."""

    async def to(cluster: Cluster, wanted: int) -> None:
        now = (await features.describe(cluster)).finalized.get(FEATURE, 0)
        kind = features.UPGRADE if wanted > now else features.SAFE_DOWNGRADE
        if wanted != now:
            assert await features.update(cluster, {FEATURE: wanted}, kind) == {FEATURE: None}

    play(lambda cluster: to(cluster, request.param))
    settle(apache_node)
    yield request.param
    play(lambda cluster: to(cluster, NEWEST))
    settle(apache_node)


async def read(cluster: Cluster, topic: str, count: int, isolation_level: int = READ_COMMITTED) -> list[bytes | None]:
    consumer = Consumer(cluster, ConsumerSettings(isolation_level=isolation_level))
    consumer.assign({(topic, 0): offsets.EARLIEST, (topic, 1): offsets.EARLIEST})
    values: list[bytes | None] = []
    for _ in range(40):
        values += [record.value for record in await consumer.poll(500)]
        if len(values) >= count:
            break
    return values


async def decided(cluster: Cluster, group: str) -> dict[tuple[str, int], groups.Committed]:
    """What an ended transaction committed for a group; Apache Kafka's coordinator may know of it a moment later, and has nothing until then."""
    while not (found := await groups.committed(cluster, group, stable=True)):
        await asyncio.sleep(0.05)
    return found


def test_what_the_documents_show(apache_node: Node, topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (nodes.ROOT / "docs" / "client.md").read_text()
    example = next(found for found in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "TransactionalProducer" in found)
    names: dict[str, Any] = {}
    exec(compile(example, "client.md", "exec"), names)
    asyncio.run(names["double"](apache_node.bootstrap, topic, topic + "-doubled"))
    assert "committed up to 3" in capsys.readouterr().out


def test_what_is_committed_is_seen_and_what_is_aborted_is_not(play: Play[None], topic: str, level: int) -> None:
    async def story(cluster: Cluster) -> None:
        producer = TransactionalProducer(cluster, f"tx-{topic}")
        await producer.start()
        identities = [producer.identity]
        for number in range(6):
            await producer.begin()
            sent = [await producer.send(topic, b"%d-%d" % (number, index), partition=index % 2) for index in range(4)]
            if number % 3 == 1:
                for one in sent:
                    await one if number == 1 else one.cancel()
                await producer.abort()
            else:
                await producer.commit()
                assert all(one.done() for one in sent)
            identities.append(producer.identity)
        await producer.begin()
        await producer.commit()  # of nothing, which nobody is told
        assert producer.identity == identities[-1]
        await producer.close()
        values = await read(cluster, topic, 16)
        assert sorted(value or b"" for value in values) == sorted(b"%d-%d" % (n, i) for n in (0, 2, 3, 5) for i in range(4))
        first_id, first_epoch = identities[0]
        bumps = [epoch - first_epoch for producer_id, epoch in identities if producer_id == first_id]
        assert bumps == ([0, 1, 2, 3, 4, 4, 5] if level == NEWEST else [0] * 7)  # of the last that was aborted nothing had been sent

    play(story)


def test_much_that_was_not_sent_is_dropped_at_once(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        producer = TransactionalProducer(cluster, f"tx-{topic}", ProducerSettings(batch_size=100, retry_backoff_ms=10_000))
        await producer.start()
        await producer.begin()
        sent = [await producer.send(topic, b"x" * 80, partition=0) for _ in range(1_000)]
        async with asyncio.timeout(30):  # not a pause for each of the thousand batches
            await producer.abort()
        assert {type(one.exception()) for one in sent} == {KafkaError}
        async with producer.transaction():
            await producer.send(topic, b"kept", partition=0)
        await producer.close()
        assert await read(cluster, topic, 1) == [b"kept"]

    play(story)


def test_a_successor_fences(play: Play[None], topic: str, level: int) -> None:
    async def story(cluster: Cluster) -> None:
        first, second = (TransactionalProducer(cluster, f"tx-{topic}") for _ in range(2))
        await first.start()
        await first.begin()
        await (await first.send(topic, b"lost", partition=0))
        await second.start()
        with pytest.raises(KafkaError) as fenced:
            await first.commit()
        assert fenced.value.error is Error.PRODUCER_FENCED
        assert first.state is State.DONE_FOR
        with pytest.raises(KafkaError) as still:
            await first.begin()
        assert still.value.error is Error.PRODUCER_FENCED
        await first.close()
        async with second.transaction():
            await second.send(topic, b"kept", partition=0)
        await second.close()
        assert await read(cluster, topic, 1) == [b"kept"]

    play(story)


def test_a_fenced_producers_records_are_refused(play: Play[None], topic: str, level: int) -> None:
    async def story(cluster: Cluster) -> None:
        producer = TransactionalProducer(cluster, f"tx-{topic}")
        await producer.start()
        await producer.begin()
        await (await producer.send(topic, b"one", partition=0))
        await transactions.fence(cluster, f"tx-{topic}")
        late = await producer.send(topic, b"two", partition=0)
        with pytest.raises(KafkaError) as refused:
            await producer.commit()
        assert refused.value.error in (Error.PRODUCER_FENCED, Error.INVALID_PRODUCER_EPOCH)
        assert isinstance(late.exception(), KafkaError)
        if producer.state is State.FAILED:
            with pytest.raises(KafkaError) as fenced:
                await producer.abort()
            assert fenced.value.error is Error.PRODUCER_FENCED
        assert producer.state is State.DONE_FOR
        await producer.close()

    play(story)


def test_after_a_lost_record_the_next_transaction_goes_on(play: Play[None], apache_node: Node, topic: str, level: int) -> None:
    async def story(cluster: Cluster) -> None:
        assert await configs.alter(cluster, configs.TOPIC, topic, {"cleanup.policy": "compact"}) is None
        settle(apache_node)
        producer = TransactionalProducer(cluster, f"tx-{topic}")
        await producer.start()
        await producer.begin()
        await (await producer.send(topic, b"aborted", b"key", partition=0))
        lost = await producer.send(topic, b"without a key", partition=0)
        with pytest.raises(KafkaError) as failed:
            await producer.commit()
        assert lost.exception() is not None
        assert producer.state is State.FAILED
        assert failed.value.error is Error.INVALID_RECORD
        await producer.abort()
        async with producer.transaction():
            for number in range(3):
                await (await producer.send(topic, b"%d" % number, b"key", partition=0))
        await producer.close()
        assert await read(cluster, topic, 3) == [b"0", b"1", b"2"]

    play(story)


def test_offsets_are_committed_with_the_transaction(play: Play[None], topic: str, level: int) -> None:
    async def story(cluster: Cluster) -> None:
        producer = TransactionalProducer(cluster, f"tx-{topic}")
        await producer.start()
        for value, good in ((5, True), (7, False)):
            await producer.begin()
            await producer.send_offsets({(topic, 0): groups.Committed(value, -1, "from a transaction")}, Membership(topic))
            await (producer.commit() if good else producer.abort())
        assert await decided(cluster, topic) == {(topic, 0): groups.Committed(5, -1, "from a transaction")}
        await producer.begin()
        with pytest.raises(KafkaError) as stranger:
            await producer.send_offsets({(topic, 0): groups.Committed(9, -1, "")}, Membership(topic, 3, "nobody"))
        assert stranger.value.error in (Error.UNKNOWN_MEMBER_ID, Error.ILLEGAL_GENERATION)
        assert producer.state is State.FAILED
        await producer.abort()
        await producer.close()

    play(story)


def test_a_member_commits_by_its_place(play: Play[None], topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        producer = TransactionalProducer(cluster, f"tx-{topic}")
        await producer.start()
        async with producer.transaction():
            await producer.send(topic, b"to read", partition=1)
        settings = ConsumerSettings(READ_COMMITTED, "earliest", enable_auto_commit=False, group=GroupSettings(topic))
        consumer = Consumer(cluster, settings)
        consumer.subscribe(lambda name: name == topic, names=[topic])
        while not await consumer.poll(500):
            pass
        async with producer.transaction():
            await producer.send_offsets(consumer.reached, consumer.membership)
        assert (await decided(cluster, topic))[(topic, 1)].offset == 2
        await consumer.close()
        await producer.close()

    play(story)


def test_librdkafka_sees_the_same_and_fences(play: Play[None], apache_node: Node, topic: str) -> None:
    async def story(cluster: Cluster) -> None:
        ours = TransactionalProducer(cluster, f"tx-{topic}")
        await ours.start()
        async with ours.transaction():
            await ours.send(topic, b"ours", partition=0)
        theirs = confluent_kafka.Producer({"bootstrap.servers": apache_node.bootstrap, "transactional.id": f"tx-{topic}"})
        theirs.init_transactions(30)
        theirs.begin_transaction()
        theirs.produce(topic, b"theirs", partition=0)
        theirs.commit_transaction(30)
        with pytest.raises(KafkaError) as fenced:
            async with ours.transaction():
                await ours.send(topic, b"too late", partition=0)
        # librdkafka's epoch is the next after ours, so that our end may be the repeated one of an older transaction, which is another error.
        assert fenced.value.error in (Error.PRODUCER_FENCED, Error.INVALID_TXN_STATE)
        assert ours.state is State.DONE_FOR
        del theirs
        await ours.close()
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": apache_node.bootstrap, "group.id": topic, "auto.offset.reset": "earliest", "isolation.level": "read_committed"}
        )
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
        seen = [message.value() for message in consumer.consume(2, 30)]
        consumer.close()
        assert seen == [b"ours", b"theirs"] == await read(cluster, topic, 2)

    play(story)
