"""Either engine on the other's directory: after a clean stop, after kill -9, under load, several times in turn; it serves the same (M8-M12, D60-D86, T1-T7).

What is compared is what clients see: topics, ids, configs, offsets, every stored batch's header and CRC, committed offsets, groups, producers. Then work goes on:
the next idempotent sequence is taken, the last one sent again is known for a duplicate (T6), topics are made and deleted. Meanwhile an ordinary producer never
stops: of what was acknowledged to it nothing is lost, and nothing is there twice.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import confluent_kafka
import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_records import DeleteRecordsRequest
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.describe_configs import DescribeConfigsRequest
from barnabas.wire.messages.describe_groups import DescribeGroupsRequest
from barnabas.wire.messages.describe_producers import DescribeProducersRequest
from barnabas.wire.messages.fetch import FetchRequest
from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.init_producer_id import InitProducerIdRequest
from barnabas.wire.messages.list_offsets import ListOffsetsRequest
from barnabas.wire.messages.metadata import MetadataRequest, MetadataResponse
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from barnabas.wire.messages.produce import ProduceRequest
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.compression import Codec
from barnabas.wire.records.record import Record
from tests import nodes
from tests.conftest import SUBJECT
from tests.differential.transcript import Client, Transcript, batches, wait_for_leaders

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.apache, pytest.mark.node]

WHEN = int(time.time() * 1000) - 60_000  # recent: a producer that is silent for a day is forgotten at load (D69)
GROUP = "interchange"
STREAM = "stream"
PATIENCE_S = 60


@pytest.fixture
def directory(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder for one node; what the node printed is shown when the test fails."""
    scratch = Path(tempfile.mkdtemp(prefix="barnabas-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    yield scratch
    for output in sorted(scratch.glob("*.out")):
        print(f"--- {output.name}\n{output.read_bytes()[-3000:].decode(errors='replace')}")
    shutil.rmtree(scratch, ignore_errors=True)


# ---- what a client sees


def observe(node: nodes.Node) -> dict[str, Any]:
    client = Client(node.port)
    try:
        wait_for_coordinator(client)
        metadata = all_led(client)
        seen: dict[str, Any] = {"cluster": metadata.cluster_id}
        for topic in metadata.topics:
            if topic.is_internal:
                continue
            wait_for_leaders(client, topic.name, len(topic.partitions))
            if topic.name == STREAM:
                continue  # it grows
            seen[f"{topic.name}: id"] = topic.topic_id.hex()
            seen[f"{topic.name}: configs"] = topic_configs(client, topic.name)
            for part in sorted(topic.partitions, key=lambda part: part.partition_index):
                index = part.partition_index
                seen[f"{topic.name}-{index}: replicas"] = (part.leader_id, part.replica_nodes, part.isr_nodes)
                seen[f"{topic.name}-{index}: offsets"] = offsets(client, topic.name, index)
                seen[f"{topic.name}-{index}: batches"] = stored(client, topic.name, index)
                seen[f"{topic.name}-{index}: producers"] = producers(client, topic.name, index)
        seen["group"] = committed(client)
        return seen
    finally:
        client.close()


def all_led(client: Client) -> MetadataResponse:
    """What a node says of its topics, once each partition has a leader."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found: MetadataResponse = client.call(MetadataRequest(topics=None, allow_auto_topic_creation=False), 12)
        if not any(part.error_code for topic in found.topics for part in topic.partitions):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def wait_for_coordinator(client: Client) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while client.call(FindCoordinatorRequest(key=GROUP), 3).error_code or client.call(OffsetFetchRequest(group_id=GROUP, topics=None), 7).error_code:
        assert time.monotonic() < deadline, "no coordinator"
        time.sleep(0.05)


def topic_configs(client: Client, topic: str) -> dict[str, str]:
    resource = DescribeConfigsRequest.Resource(resource_type=2, resource_name=topic, configuration_keys=None)
    found = client.call(DescribeConfigsRequest(resources=[resource], include_synonyms=False), 4).results[0]
    return {config.name: config.value for config in found.configs if config.config_source == 1}


def offsets(client: Client, topic: str, partition: int) -> dict[int, tuple[int, int]]:
    found = {}
    for timestamp in (-2, -1, -3, WHEN + 5):
        part = ListOffsetsRequest.Topic.Partition(partition_index=partition, timestamp=timestamp)
        reply = client.call(ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsRequest.Topic(name=topic, partitions=[part])]), 7)
        answer = reply.topics[0].partitions[0]
        found[timestamp] = (answer.offset, answer.timestamp)
    return found


def stored(client: Client, topic: str, partition: int) -> list[Any]:
    found: list[Any] = []
    offset = offsets(client, topic, partition)[-2][0]
    while True:
        part = FetchRequest.Topic.Partition(partition=partition, fetch_offset=offset, partition_max_bytes=1 << 24)
        answer = client.call(FetchRequest(max_wait_ms=0, min_bytes=0, topics=[FetchRequest.Topic(topic=topic, partitions=[part])]), 12)
        data = answer.responses[0].partitions[0]
        assert data.error_code == 0
        more = batches(bytes(data.records or b""))
        if not more:
            return found
        found += more
        offset = more[-1]["base_offset"] + more[-1]["last_offset_delta"] + 1


def producers(client: Client, topic: str, partition: int) -> list[Any]:
    request = DescribeProducersRequest(topics=[DescribeProducersRequest.Topic(name=topic, partition_indexes=[partition])])
    return sorted(repr(state) for state in client.call(request, 0).topics[0].partitions[0].active_producers)


def committed(client: Client) -> list[Any]:
    reply = client.call(OffsetFetchRequest(group_id=GROUP, topics=None), 7)
    rows = [(t.name, p.partition_index, p.committed_offset, p.metadata, p.committed_leader_epoch) for t in reply.topics for p in t.partitions]
    described = client.call(DescribeGroupsRequest(groups=[GROUP]), 5).groups[0]
    return [*sorted(rows), described.group_state, described.protocol_type]


# ---- work that leaves every kind of state behind


class Producer:
    """An idempotent producer of raw batches, whose identity and sequence outlive any node."""

    def __init__(self, client: Client) -> None:
        self.sequence = 0
        request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000)
        deadline = time.monotonic() + PATIENCE_S
        while (reply := client.call(request, 4)).error_code:
            assert time.monotonic() < deadline, reply
            time.sleep(0.05)
        self.id, self.epoch = reply.producer_id, reply.producer_epoch

    def send(self, client: Client, topic: str, *, again: bool = False, codec: Codec = Codec.NONE) -> int:
        """Sends the next two records, or the last two again; returns the base offset."""
        first = self.sequence - 2 if again else self.sequence
        records = [Record(timestamp=WHEN + first + n, key=b"k", value=b"%d" % (first + n)) for n in range(2)]
        batch = build_batch(records, producer_id=self.id, producer_epoch=self.epoch, base_sequence=first, codec=codec)
        if not again:
            self.sequence += 2
        return send_batch(client, topic, batch)


def send_batch(client: Client, topic: str, batch: bytes, partition: int = 0) -> int:
    data = ProduceRequest.TopicProduceData
    part = data.PartitionProduceData(index=partition, records=batch)
    reply = client.call(ProduceRequest(acks=-1, timeout_ms=10_000, topic_data=[data(name=topic, partition_data=[part])]), 9)
    answer = reply.responses[0].partition_responses[0]
    assert answer.error_code == 0, Error(answer.error_code)
    return int(answer.base_offset)


def first_work(node: nodes.Node) -> Producer:
    with Transcript(node) as script:
        producer = make_state(script)
    more_work(node, producer, 0)
    return producer


def make_state(script: Transcript) -> Producer:
    client = script.client
    script.create_topic("plain", 3, {"retention.ms": "-1"})
    script.create_topic("idempotent", 1, {"segment.bytes": "1048576", "retention.ms": "-1"})
    script.create_topic("compacted", 1, {"cleanup.policy": "compact"})
    script.create_topic("trimmed", 1, {"retention.ms": "-1"})
    script.create_topic("gone", 1)
    for partition in range(3):
        for codec in Codec:
            send_batch(
                client, "plain", build_batch([Record(timestamp=WHEN + n, value=b"v%d" % n, key=b"k") for n in range(10)], codec=codec), partition
            )
    producer = Producer(client)
    for _ in range(7):
        producer.send(client, "idempotent")
    for n in range(5):
        send_batch(client, "compacted", build_batch([Record(timestamp=WHEN, key=b"k%d" % (n % 2), value=b"%d" % n)]))
        send_batch(client, "trimmed", build_batch([Record(timestamp=WHEN, value=b"%d" % n)]))
    trim = DeleteRecordsRequest.Topic(name="trimmed", partitions=[DeleteRecordsRequest.Topic.Partition(partition_index=0, offset=3)])
    assert client.call(DeleteRecordsRequest(topics=[trim], timeout_ms=5000), 2).topics[0].partitions[0].error_code == 0
    client.call(DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name="gone")], timeout_ms=5000), 6)
    wait_for_coordinator(client)
    return producer


def more_work(node: nodes.Node, producer: Producer, turn: int) -> None:
    """Some of everything, on either engine, on a directory that both have used."""
    with Transcript(node) as script:
        client = script.client
        script.create_topic(f"turn-{turn}", 1 + turn, {"retention.ms": str(10**12 + turn)})
        big = build_batch([Record(timestamp=WHEN + turn, value=bytes([turn]) * 900_000)])
        for _ in range(2):
            send_batch(client, "idempotent", big)  # rolls a segment
        end = producer.send(client, "idempotent", codec=Codec.LZ4)
        assert producer.send(client, "idempotent", again=True) == end, "a duplicate"
        send_batch(client, f"turn-{turn}", build_batch([Record(timestamp=WHEN, value=b"x")]), turn)
        commit(client, {"plain": 10 + turn, "idempotent": end})
        change_config(client, "plain", "max.message.bytes", str(2_000_000 + turn))


def change_config(client: Client, topic: str, key: str, value: str) -> None:
    change = IncrementalAlterConfigsRequest.AlterConfigsResource.AlterableConfig(name=key, config_operation=0, value=value)
    resource = IncrementalAlterConfigsRequest.AlterConfigsResource(resource_type=2, resource_name=topic, configs=[change])
    assert client.call(IncrementalAlterConfigsRequest(resources=[resource], validate_only=False), 1).responses[0].error_code == 0
    deadline = time.monotonic() + PATIENCE_S
    while topic_configs(client, topic).get(key) != value:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def commit(client: Client, values: dict[str, int]) -> None:
    topics = [
        OffsetCommitRequest.Topic(
            name=name, partitions=[OffsetCommitRequest.Topic.Partition(partition_index=0, committed_offset=offset, committed_metadata=f"at {offset}")]
        )
        for name, offset in values.items()
    ]
    reply = client.call(OffsetCommitRequest(group_id=GROUP, topics=topics), 8)
    assert all(part.error_code == 0 for topic in reply.topics for part in topic.partitions), reply


# ---- the swaps


def assert_same_view(seen: dict[str, Any], before: dict[str, Any], who: str) -> None:
    changed = {key: (before.get(key), seen.get(key)) for key in sorted(before.keys() | seen.keys()) if before.get(key) != seen.get(key)}
    text = "\n".join(f"{key}\n  before {str(left)[:1500]}\n  now    {str(right)[:1500]}" for key, (left, right) in changed.items())
    assert not changed, f"{who} sees something else:\n{text}"


class Stream(threading.Thread):
    """An ordinary idempotent producer that never stops while nodes come and go under it; notes what was acknowledged."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        super().__init__(daemon=True)
        self.topic = topic
        self.sent = 0
        self.errors: list[str] = []
        self.acknowledged: list[tuple[int, int, bytes]] = []  # partition, offset, value
        self.stopping = threading.Event()
        settings = {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 1,
            "queue.buffering.max.messages": 10_000,  # what waits for the next node
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
        }
        self.producer = confluent_kafka.Producer({**settings, "error_cb": lambda error: self.errors.append(str(error)) if error.fatal() else None})

    def run(self) -> None:
        try:
            self._send_on()
        except Exception as error:
            self.errors.append(f"the producer gave up: {error!r}")

    def _send_on(self) -> None:
        while not self.stopping.is_set():
            try:
                self.producer.produce(self.topic, b"%d" % self.sent, on_delivery=self._delivered)
                self.sent += 1
            except BufferError:
                self.producer.poll(0.1)
            self.producer.poll(0)
            if self.sent % 50 == 0:
                time.sleep(0.01)  # 5,000 a second: load, but not all of the machine

    def _delivered(self, error: Any, message: Any) -> None:
        if error:
            self.errors.append(str(error))
        else:
            self.acknowledged.append((message.partition(), message.offset(), message.value()))

    def finish(self) -> None:
        self.stopping.set()
        self.join(10)
        assert self.producer.flush(60) == 0, "records without an answer"

    def wait_for_acks(self, more: int) -> None:
        target = len(self.acknowledged) + more
        deadline = time.monotonic() + PATIENCE_S
        while len(self.acknowledged) < target:
            assert time.monotonic() < deadline, (
                f"{len(self.acknowledged)} of {target} acknowledged, {self.sent} sent, {len(self.producer)} open; {self.errors[:3]}"
            )
            time.sleep(0.01)


def read_all(bootstrap: str, topic: str, partitions: int) -> list[tuple[int, int, bytes]]:
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "reader", "enable.partition.eof": True, "auto.offset.reset": "earliest"}
    )
    found, ended = [], 0
    deadline = time.monotonic() + 60
    try:
        consumer.assign([confluent_kafka.TopicPartition(topic, n, 0) for n in range(partitions)])
        while ended < partitions:
            assert time.monotonic() < deadline
            for message in consumer.consume(10_000, 0.2):
                if message.error() is None:
                    found.append((message.partition(), message.offset(), message.value()))
                else:
                    assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
                    ended += 1
    finally:
        consumer.close()
    return found


@pytest.mark.parametrize(("end", "engines"), [("stop", [SUBJECT, nodes.APACHE] * 2), ("kill", [nodes.APACHE, SUBJECT] * 2)], ids=["stop", "kill"])
def test_in_turn_on_one_directory(end: str, engines: list[nodes.Engine], directory: Path) -> None:
    """Each goes on where the other stopped, or was killed, under an idempotent producer: M12, M25, M27."""
    node = nodes.new_node(engines[0], directory, nodes.SHORT_SESSION if end == "kill" else None).start()
    stream = None
    try:
        producer = first_work(node)
        with Transcript(node) as script:
            # A killed Apache Kafka knows one batch of a producer before its last segment: of those that weren't acknowledged, perhaps too few.
            script.create_topic(STREAM, 3, {"retention.ms": "-1"} | ({"segment.bytes": "1048576"} if end == "stop" else {}))
        stream = Stream(node.bootstrap, STREAM)
        stream.start()
        for turn, engine in enumerate(engines[1:], start=1):
            before = observe(node)
            stream.wait_for_acks(4000)
            node.stop() if end == "stop" else node.kill()
            node = node.on(engine).start()
            assert_same_view(observe(node), before, f"{engine.name} in turn {turn}")
            more_work(node, producer, turn)
        stream.wait_for_acks(4000)
        stream.finish()
        found = read_all(node.bootstrap, STREAM, 3)
        assert node.stop() in (0, 143)  # Java ends with 143 on SIGTERM
    finally:
        if stream is not None:
            stream.stopping.set()
        node.kill()
    assert_all_of(stream, found)


def assert_all_of(stream: Stream, found: list[tuple[int, int, bytes]]) -> None:
    assert not stream.errors
    assert len(stream.acknowledged) == stream.sent
    assert sorted(found) == sorted(stream.acknowledged), "what was acknowledged is there, at its offset; nothing else is"
    assert len({value for _, _, value in found}) == len(found), "nothing twice"
    for partition in range(3):
        values = [int(value) for place, _, value in sorted(found) if place == partition]
        assert values == sorted(values), "in the order in which it was sent"
