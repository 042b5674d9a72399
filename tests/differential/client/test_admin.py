"""Admin calls that no tool makes yet, of the client to both engines."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

import confluent_kafka
import pytest

from barnabas.client.admin import (
    group_descriptions,
    groups,
    log_dirs,
    producers,
    reassignments,
    share_groups,
    streams_groups,
    telemetry,
    topics,
    transactions,
)
from barnabas.client.cluster import Cluster, Settings
from barnabas.client.consumer import Consumer, ConsumerSettings
from barnabas.client.errors import KafkaError
from barnabas.client.group import GroupSettings
from barnabas.client.producer import Producer
from barnabas.wire.errors import Error
from barnabas.wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest
from barnabas.wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest
from barnabas.wire.types import uuid_text
from tests import conftest, nodes
from tests.differential.transcript import settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.nodes import Node

pytestmark = pytest.mark.apache
T = TypeVar("T")


@pytest.fixture(scope="module")
def barnabas_node(request: pytest.FixtureRequest) -> Iterator[Node]:
    for make in conftest.factory(conftest.SUBJECT, request):
        yield make()


@pytest.fixture
def name() -> str:
    return f"client-{uuid.uuid4().hex[:6]}"


def on(node: Node, work: Callable[[Cluster], Awaitable[T]]) -> T:
    async def run() -> T:
        async with Cluster(node.bootstrap, Settings(api_timeout_ms=20_000)) as cluster:
            return await work(cluster)

    return asyncio.run(run())


async def create(cluster: Cluster, node: Node, new: topics.NewTopic) -> None:
    """Until the whole node knows of it."""
    assert await topics.create(cluster, [new]) == {new.name: None}
    settle(node)


def error_of(outcome: object) -> Error:
    assert isinstance(outcome, KafkaError), outcome
    return outcome.error


def test_what_the_documents_show(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    text = (nodes.ROOT / "docs" / "client.md").read_text()
    example = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[1]
    names: dict[str, Any] = {}
    exec(compile(example, "client.md", "exec"), names)
    for _ in range(2):
        asyncio.run(names["tidy_up"](node.bootstrap))
    said = capsys.readouterr().out
    assert "TOPIC_ALREADY_EXISTS Topic 'orders' already exists." in said
    assert "('orders', 0) starts at 0" in said
    assert str(node.log_dir) in said


def test_topics_by_id(node: Node, name: str) -> None:
    async def work(cluster: Cluster) -> None:
        await create(cluster, node, topics.NewTopic(name, 1, 1))
        topic_id = (await topics.describe(cluster, [name]))[name].topic_id
        assert await topics.delete_ids(cluster, [topic_id]) == {topic_id: None}
        again = await topics.delete_ids(cluster, [topic_id])
        assert error_of(again[topic_id]) is Error.UNKNOWN_TOPIC_ID

    on(node, work)


def test_producers(node: Node, name: str) -> None:
    async def work(cluster: Cluster) -> None:
        await create(cluster, node, topics.NewTopic(name, 2, 1))
        producer = Producer(cluster)
        for number in range(3):
            await producer.send(name, b"%d" % number, partition=0, timestamp_ms=1_700_000_000_000)
            await producer.flush()
        await producer.close()
        found = await producers.describe(cluster, [(name, 0), (name, 1), (name, 7)])
        assert found[(name, 1)] == []
        assert error_of(found[(name, 7)]) is Error.UNKNOWN_TOPIC_OR_PARTITION
        states = found[(name, 0)]
        assert isinstance(states, list)
        assert [(state.epoch, state.last_sequence, state.last_timestamp_ms, state.transaction_start) for state in states] == [
            (0, 2, 1_700_000_000_000, None)
        ]

    on(node, work)


def test_reassignments(node: Node, name: str) -> None:
    async def work(cluster: Cluster) -> None:
        await create(cluster, node, topics.NewTopic(name, 2, 1))
        targets = {(name, 0): [1], (name, 1): None, (name, 7): [1]}
        outcomes = await reassignments.alter(cluster, targets)
        assert outcomes[(name, 0)] is None
        assert error_of(outcomes[(name, 1)]) is Error.NO_REASSIGNMENT_IN_PROGRESS
        assert error_of(outcomes[(name, 7)]) is Error.UNKNOWN_TOPIC_OR_PARTITION
        unknown = await reassignments.alter(cluster, {(name, 0): [99]})
        assert error_of(unknown[(name, 0)]) is Error.INVALID_REPLICA_ASSIGNMENT
        assert await reassignments.find(cluster, {name: [0, 1]}) == {}

    on(node, work)


def test_replicas_directories(node: Node, name: str) -> None:
    async def work(cluster: Cluster) -> None:
        await create(cluster, node, topics.NewTopic(name, 1, 1))
        wanted = [(name, 0, 1), (name, 3, 1)]
        found = await log_dirs.places(cluster, wanted)
        for _ in range(100):  # Apache Kafka answers CreateTopics before the replica is there
            if found[(name, 0, 1)].current is not None:
                break
            await asyncio.sleep(0.1)
            found = await log_dirs.places(cluster, wanted)
        assert found == {(name, 0, 1): log_dirs.Place(str(node.log_dir), None), (name, 3, 1): log_dirs.Place(None, None)}

    on(node, work)


def test_classic_groups(node: Node, name: str) -> None:
    """A member that an administrator takes out of its group."""

    async def work(cluster: Cluster) -> None:
        await create(cluster, node, topics.NewTopic(name, 1, 1))
        with pytest.raises(KafkaError) as absent:
            await group_descriptions.describe_classic(cluster, name)
        assert absent.value.error is Error.GROUP_ID_NOT_FOUND
        async with Cluster(node.bootstrap) as other:
            consumer = Consumer(other, ConsumerSettings(group=GroupSettings(name, instance_id="static")))
            consumer.subscribe(lambda topic: topic == name, names=[name])
            await consumer.poll(100)
            described = await group_descriptions.describe_classic(cluster, name)
            assert (described.state, described.protocol_type, described.protocol) == ("Stable", "consumer", "range")
            assert [(member.instance_id, bool(member.metadata), bool(member.assignment)) for member in described.members] == [("static", True, True)]
            outcomes = await groups.remove_members(cluster, name, instances=["static", "nobody"])
            assert outcomes["static"] is None
            assert error_of(outcomes["nobody"]) is Error.UNKNOWN_MEMBER_ID
            assert (await group_descriptions.describe_classic(cluster, name)).state == "Empty"

    on(node, work)


def test_transactions(apache_node: Node, name: str) -> None:
    """Of Apache Kafka alone: this node serves none yet."""

    async def work(cluster: Cluster) -> None:
        with pytest.raises(KafkaError) as absent:
            await transactions.describe(cluster, name)
        assert absent.value.error is Error.TRANSACTIONAL_ID_NOT_FOUND
        producer_id, epoch = await transactions.fence(cluster, name)
        assert await transactions.fence(cluster, name) == (producer_id, epoch + 1)
        described = await transactions.describe(cluster, name)
        assert (described.state, described.producer_id, described.started_ms, described.partitions) == ("Empty", producer_id, None, [])
        assert await transactions.find(cluster, pattern=f"{name}.*", states=["Empty"]) == [transactions.Listing(name, producer_id, "Empty")]
        assert await transactions.find(cluster, pattern=f"{name}.*", states=["Ongoing"]) == []

    on(apache_node, work)


def test_a_transaction_that_hangs(apache_node: Node, name: str) -> None:
    """Of Apache Kafka alone: this node serves none yet."""

    async def work(cluster: Cluster) -> None:
        await create(cluster, apache_node, topics.NewTopic(name, 1, 1))
        hanging = confluent_kafka.Producer({"bootstrap.servers": apache_node.bootstrap, "transactional.id": name})
        hanging.init_transactions()
        hanging.begin_transaction()
        hanging.produce(name, b"uncommitted")
        hanging.flush()
        states = (await producers.describe(cluster, [(name, 0)]))[(name, 0)]
        assert isinstance(states, list)
        assert states[0].transaction_start == 0
        await transactions.abort(cluster, (name, 0), states[0])
        after = (await producers.describe(cluster, [(name, 0)]))[(name, 0)]
        assert isinstance(after, list)
        assert after[0].transaction_start is None

    on(apache_node, work)


def test_share_groups(apache_node: Node, name: str) -> None:
    """Of Apache Kafka alone: this node serves none yet."""

    async def work(cluster: Cluster) -> None:
        await create(cluster, apache_node, topics.NewTopic(name, 1, 1))
        with pytest.raises(KafkaError) as absent:
            await share_groups.describe(cluster, name)
        assert absent.value.error is Error.GROUP_ID_NOT_FOUND
        member = uuid_text(uuid.uuid4().bytes)

        def heartbeat(epoch: int) -> Awaitable[Any]:
            request = ShareGroupHeartbeatRequest(group_id=name, member_id=member, member_epoch=epoch, subscribed_topic_names=[name])
            return groups.ask_coordinator(cluster, name, request, lambda reply, _: reply, call="shareGroupHeartbeat")

        joined = await heartbeat(0)
        assert joined.error_code == 0
        described = await share_groups.describe(cluster, name)
        assert described.state == "Stable"
        assert [(m.member_id, m.topics, m.epoch) for m in described.members] == [(member, (name,), described.epoch)]
        await heartbeat(-1)
        assert (await share_groups.describe(cluster, name)).state == "Empty"
        assert await share_groups.alter_offsets(cluster, name, {(name, 0): 0}) == {(name, 0): None}
        found = await share_groups.offsets(cluster, name)
        start = found[(name, 0)]
        assert isinstance(start, share_groups.Start)
        assert start.offset == 0
        assert await share_groups.delete_offsets(cluster, name, [name]) == {name: None}
        assert await share_groups.offsets(cluster, name, {name: [0]}) == {}

    on(apache_node, work)


def test_streams_groups(apache_node: Node, name: str) -> None:
    """Of Apache Kafka alone: this node serves none yet."""

    async def work(cluster: Cluster) -> None:
        await create(cluster, apache_node, topics.NewTopic(name, 2, 1))
        with pytest.raises(KafkaError) as absent:
            await streams_groups.describe(cluster, name)
        assert absent.value.error is Error.GROUP_ID_NOT_FOUND
        Topology = StreamsGroupHeartbeatRequest.Topology
        part = Topology.Subtopology(
            subtopology_id="0",
            source_topics=[name],
            source_topic_regex=[],
            state_changelog_topics=[],
            repartition_sink_topics=[],
            repartition_source_topics=[],
            copartition_groups=[],
        )
        member = uuid_text(uuid.uuid4().bytes)
        request = StreamsGroupHeartbeatRequest(
            group_id=name,
            member_id=member,
            member_epoch=0,
            endpoint_information_epoch=0,
            rebalance_timeout_ms=60_000,
            topology=Topology(epoch=1, subtopologies=[part]),
            active_tasks=[],
            standby_tasks=[],
            warmup_tasks=[],
            process_id="process",
            user_endpoint=StreamsGroupHeartbeatRequest.Endpoint(host="here", port=7),
            client_tags=[],
            shutdown_application=False,
        )
        reply = await groups.ask_coordinator(cluster, name, request, lambda reply, _: reply, call="streamsGroupHeartbeat")
        assert reply.error_code == 0, reply
        described = await streams_groups.describe(cluster, name)
        assert described.topology_epoch == 1
        assert described.subtopologies == (streams_groups.Subtopology("0", (name,), (), (), ()),)
        only = described.members[0]
        assert (only.member_id, only.process_id, only.endpoint, only.is_classic) == (member, "process", ("here", 7), False)
        assert await groups.committed(cluster, name) == {}

    on(apache_node, work)


def test_telemetry_that_nobody_collects(node: Node) -> None:
    async def work(cluster: Cluster) -> None:
        with pytest.raises(KafkaError) as refused:
            await telemetry.subscription(cluster)
        assert refused.value.error is Error.UNSUPPORTED_VERSION

    on(node, work)
