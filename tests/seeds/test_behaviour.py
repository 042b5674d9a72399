"""What the documents say of Kafka in a sentence, where no other test shows just that: partitions added to a live topic, a log that several read, who owns what
in a group, topics made on first use, and the two property files that one node can take whole.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import confluent_kafka
import kafka
import pytest

from barnabas.wire.records.batch import read_header
from tests.clients.test_python_clients import confluent_consume, confluent_produce, create_topic, fresh
from tests.differential.transcript import Client
from tests.seeds.commands import Place, run
from tests.system.requests import create_topics, put, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import NodeFactory
    from tests.nodes import Node

PATIENCE_S = 30
pytestmark = [pytest.mark.node, pytest.mark.filterwarnings("ignore::ResourceWarning")]


def tool(node: Node, line: str, stdin: str = "") -> str:
    done = run(line, Place(node.bootstrap, "", "", node.pid), stdin)
    assert done.status == 0, done
    return done.output


def delivered(node: Node, topic: str, value: bytes, partition: int) -> Any:
    """A record sent to a partition of the sender's choice: where it came to lie."""
    found: list[Any] = []
    producer = confluent_kafka.Producer({"bootstrap.servers": node.bootstrap})
    producer.produce(topic, value, partition=partition, on_delivery=lambda error, message: found.append(error or message))
    assert producer.flush(PATIENCE_S) == 0
    return found[0]


def test_partitions_added_to_a_live_topic(barnabas_node: Node) -> None:
    """At once usable, and for good; what was there stays where it is; a partition that is asked for by number is obeyed."""
    topic = create_topic(barnabas_node, fresh("grows"))
    confluent_produce(barnabas_node, topic, [b"before %d" % n for n in range(20)])
    alter = f"kafka-topics --bootstrap-server kafka1:9092 --alter --topic {topic} --partitions"
    assert tool(barnabas_node, f"{alter} 4") == ""
    message = delivered(barnabas_node, topic, b"after", 3)
    assert (message.partition(), message.offset()) == (3, 0)
    found = confluent_consume(barnabas_node, topic, 21)
    places = {message.value(): (message.partition(), message.offset()) for message in found}
    assert places == {b"before %d" % n: (0, n) for n in range(20)} | {b"after": (3, 0)}
    fewer = run(f"{alter} 2", Place(barnabas_node.bootstrap, "", "", barnabas_node.pid))
    assert fewer.status == 1
    assert "currently has 4 partition(s); 2 would not be an increase" in fewer.output + fewer.complaint


def test_a_log_is_no_queue(barnabas_node: Node) -> None:
    """Written while nobody reads and read when nobody writes; each group gets everything, in order, and again from any offset that is kept."""
    topic = create_topic(barnabas_node, fresh("read-often"))
    lines = [f"line {n}" for n in range(30)]
    tool(barnabas_node, f"kafka-console-producer --bootstrap-server kafka1:9092 --topic {topic}", "\n".join(lines) + "\n")
    read = f"kafka-console-consumer --bootstrap-server kafka1:9092 --topic {topic} --timeout-ms 20000"
    for group in (fresh("one"), fresh("other")):
        assert tool(barnabas_node, f"{read} --group {group} --from-beginning --max-messages 30").splitlines() == lines
    assert tool(barnabas_node, f"{read} --partition 0 --offset 10 --max-messages 20").splitlines() == lines[10:]


def test_batches_are_kept_as_they_were_sent(barnabas_node: Node) -> None:
    """But for what the leader says: the base offset and its epoch, which the checksum leaves out. One file has them one behind the other."""
    topic = fresh("kept")
    create_topics(barnabas_node.port, topic)
    sent = [records(*(b"%d of %d" % (n, count) for n in range(count))) for count in (1, 5, 50)]
    client = Client(barnabas_node.port)
    assert [put(client, topic, 0, batch).base_offset for batch in sent] == [0, 1, 6]
    client.close()
    data = (barnabas_node.log_dir / f"{topic}-0" / f"{0:020}.log").read_bytes()
    for batch, base_offset in zip(sent, (0, 1, 6), strict=True):
        kept, data = data[: len(batch)], data[len(batch) :]
        assert kept[8:12] + kept[16:] == batch[8:12] + batch[16:]
        assert read_header(kept).base_offset == base_offset
    assert data == b""


@pytest.fixture
def members(barnabas_node: Node) -> Iterator[Callable[[str, int], list[Any]]]:
    joined: list[Any] = []

    def join(topic: str, count: int) -> list[Any]:
        settings = {"bootstrap.servers": barnabas_node.bootstrap, "group.id": fresh("members"), "session.timeout.ms": 6000}
        joined.extend(confluent_kafka.Consumer({**settings, "heartbeat.interval.ms": 200}) for _ in range(count))
        for consumer in joined:
            consumer.subscribe([topic])
        return joined

    yield join
    for consumer in joined:
        consumer.close()


def test_each_partition_has_one_consumer_of_a_group(barnabas_node: Node, members: Callable[[str, int], list[Any]]) -> None:
    """Three members share two partitions: one of them idles. When an owner leaves, it takes over."""
    consumers = members(create_topic(barnabas_node, fresh("owned"), 2), 3)

    def owned() -> list[list[int]]:
        for consumer in consumers:
            consumer.poll(0.02)
        return [[partition.partition for partition in consumer.assignment()] for consumer in consumers]

    wait_until(lambda: sorted(owned()) == [[], [0], [1]])
    owner = next(consumer for consumer in consumers if consumer.assignment())
    consumers.remove(owner)
    owner.close()
    wait_until(lambda: sorted(owned()) == [[0], [1]])


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline


def test_topics_made_on_first_use(barnabas_node: Node) -> None:
    """By a producer, and by a consumer that allows it. test_config_topics.py has it switched off."""
    written, read = fresh("first-written"), fresh("first-read")
    tool(barnabas_node, f"kafka-console-producer --bootstrap-server kafka1:9092 --topic {written}", "one\n")
    consumer = kafka.KafkaConsumer(read, bootstrap_servers=barnabas_node.bootstrap)
    try:
        wait_until(lambda: not consumer.poll(timeout_ms=50) and {written, read} <= topics(barnabas_node))
    finally:
        consumer.close()


def topics(node: Node) -> set[str]:
    return set(tool(node, "kafka-topics --bootstrap-server kafka1:9092 --list").splitlines())


AVAILABILITY = """
num.brokers = 3
default.replication.factor = 3
min.insync.replicas = 2
acks = all  # Wait for all in-sync replicas
"""
TUNING = """
num.network.threads=8
num.io.threads=16
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
log.segment.bytes=1073741824
log.flush.interval.messages=10000
log.flush.interval.ms=1000
"""


def started_with(nodes: NodeFactory, lines: str) -> tuple[Node, str]:
    """A node with these lines as they are printed, and what it said."""
    node = nodes(start=False)
    node.properties_file.write_text(node.properties_file.read_text() + lines)
    node.start()
    return node, node.tail()


def test_the_file_for_availability(barnabas_nodes: NodeFactory) -> None:
    """The two keys that are none of a broker are named, with the place where each belongs; the others count."""
    node, said = started_with(barnabas_nodes, AVAILABILITY)
    assert "num.brokers is ignored: never was a key" in said
    assert "acks is ignored: a producer's key: set it in the producer" in said
    shown = tool(node, "kafka-configs --bootstrap-server kafka1:9092 --entity-type brokers --entity-name 1 --describe --all")
    assert "  default.replication.factor=3 sensitive=false synonyms={STATIC_BROKER_CONFIG:default.replication.factor=3" in shown


def test_the_file_for_tuning(barnabas_nodes: NodeFactory) -> None:
    node, said = started_with(barnabas_nodes, TUNING)
    assert "ignored" not in said
    shown = tool(node, "kafka-configs --bootstrap-server kafka1:9092 --entity-type brokers --entity-name 1 --describe --all")
    for line in TUNING.split():
        key, value = line.split("=")
        assert f"  {key}={value} sensitive=false synonyms={{STATIC_BROKER_CONFIG:{key}={value}" in shown
