"""A node with two directories: replicas move between them under load, slowly, over restarts and crashes, and back (R35)."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import closing
from threading import Event, Thread
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_records import DeleteRecordsRequest
from barnabas.wire.messages.metadata import MetadataRequest
from tests.conftest import SUBJECT, scratch
from tests.differential.transcript import Client
from tests.directories import Place, ask, create, directories, lies_in, limit, on_disk, paths, places
from tests.nodes import BARNABAS, Node, new_node, write_properties
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import NodeFactory

pytestmark = pytest.mark.node

BYTES = 6_000_000
SETTINGS = {
    "alter.log.dirs.replication.quota.window.num": "2",
    "alter.log.dirs.replication.quota.window.size.seconds": "1",
    "replica.fetch.max.bytes": "100000",
    "replica.fetch.backoff.ms": "50",
    "num.replica.alter.log.dirs.threads": "1",
    "log.segment.bytes": "2000000",
}
OTHER = {"a": "b", "b": "a"}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    folder = scratch()
    made = new_node(SUBJECT, folder, directories(folder) | SETTINGS).start()
    yield made
    made.kill()
    print(made.tail(3000))
    shutil.rmtree(folder, ignore_errors=True)


def fill(node: Node, topic: str, size: int) -> int:
    """Records of 10 kB; how many there are."""
    producer = Producer({"bootstrap.servers": node.bootstrap, "enable.idempotence": True, "batch.size": 50_000, "log_level": 0})
    for number in range(size // 10_000):
        producer.produce(topic, b"%d" % number + bytes(10_000), partition=0)
    assert producer.flush(30) == 0
    return size // 10_000


def numbers(node: Node, topic: str) -> list[int]:
    """What the records of a topic are called, in order."""
    found: list[int] = []
    with closing(Consumer({"bootstrap.servers": node.bootstrap, "group.id": uuid4().hex, "enable.partition.eof": True})) as consumer:
        consumer.assign([TopicPartition(topic, 0, 0)])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for message in consumer.consume(1000, 1):
                if message.error():
                    return found
                found.append(int((message.value() or b"").partition(b"\0")[0]))
    raise AssertionError("no end in 30 s")


def begun(node: Node, topic: str, rate: int, size: int = BYTES) -> tuple[str, str, int]:
    """A topic whose replica is on its way, slowly: from where, where to, how many records it has."""
    create(node, topic)
    count = fill(node, topic, size)
    ((here, _),) = places(node, topic)
    limit(node, rate)
    assert ask(node, (topic, 0, OTHER[here])) == [(topic, 0, "NONE")]
    return here, OTHER[here], count


def delete_records(node: Node, topic: str, offset: int) -> None:
    Topic = DeleteRecordsRequest.Topic
    wanted = Topic(name=topic, partitions=[Topic.Partition(partition_index=0, offset=offset)])
    with closing(Client(node.port)) as client:
        client.socket.settimeout(30)
        reply = client.call(DeleteRecordsRequest(topics=[wanted], timeout_ms=10_000), 2)
    assert reply.topics[0].partitions[0].error_code == Error.NONE


def has_leader(node: Node, topic: str) -> bool:
    with closing(Client(node.port)) as client:
        request = MetadataRequest(topics=[MetadataRequest.Topic(name=topic)], allow_auto_topic_creation=False)
        return bool(client.call(request, 12).topics[0].partitions[0].leader_id == 1)


def test_under_load(node: Node) -> None:
    """Producers notice nothing, and the files are where they should be; there, and back."""
    create(node, "busy")
    stop, sent, refused = Event(), [0], []

    def produce() -> None:
        producer = Producer({"bootstrap.servers": node.bootstrap, "enable.idempotence": True, "linger.ms": 1, "log_level": 0})
        while not stop.is_set():
            producer.produce(
                "busy", b"%d\0" % sent[0] + bytes(500), partition=0, on_delivery=lambda error, _: refused.append(error) if error else None
            )
            sent[0] += 1
            producer.poll(0)
            if sent[0] % 50 == 0:
                time.sleep(0.005)
        assert producer.flush(30) == 0

    thread = Thread(target=produce)
    thread.start()
    try:
        for _ in range(3):
            ((here, _),) = places(node, "busy")
            before = sent[0]
            assert ask(node, ("busy", 0, OTHER[here])) == [("busy", 0, "NONE")]
            wait_until(lambda here=here: lies_in(node, "busy", OTHER[here]))
            wait_until(lambda before=before: sent[0] > before + 500)
    finally:
        stop.set()
        thread.join()
    assert refused == []
    assert numbers(node, "busy") == list(range(sent[0]))
    ((here, _),) = places(node, "busy")
    assert f"{here}/busy-0" in on_disk(node, "busy")
    assert all(found.endswith("-delete") for found in on_disk(node, "busy") if found != f"{here}/busy-0")
    assert not [line for line in node.tail().splitlines() if "ERROR" in line or "WARN" in line]


def test_slowly(node: Node) -> None:
    """Never above replica.alter.log.dirs.io.max.bytes.per.second; what is lacking is told meanwhile."""
    rate = 1_500_000
    began = time.monotonic()
    here, there, count = begun(node, "slow", rate, 5_000_000)
    (future,) = paths(node)[there].glob("slow-0.*-future")
    seen = set()
    while future.is_dir():
        try:
            size, elapsed_s = sum(path.stat().st_size for path in future.glob("*.log")), time.monotonic() - began
        except FileNotFoundError:
            break
        assert size <= rate * (elapsed_s + 2) + 300_000
        seen |= {lag for place, lag in places(node, "slow").items() if place == Place(there, True)}
        time.sleep(0.05)
    assert len(seen) > 3
    assert max(seen) <= count
    wait_until(lambda: lies_in(node, "slow", there))
    limit(node, None)
    assert here != there
    assert numbers(node, "slow") == list(range(count))


def test_cancelled(node: Node) -> None:
    """Asked to be where it is, it gives up the future replica."""
    here, there, count = begun(node, "cancelled", 1000)
    assert set(places(node, "cancelled")) == {Place(here, False), Place(there, True)}
    assert ask(node, ("cancelled", 0, here)) == [("cancelled", 0, "NONE")]
    assert lies_in(node, "cancelled", here)
    assert on_disk(node, "cancelled") == sorted([f"{here}/cancelled-0", f"{there}/cancelled-0.*-delete"])
    limit(node, None)
    assert ask(node, ("cancelled", 0, there)) == [("cancelled", 0, "NONE")]
    wait_until(lambda: lies_in(node, "cancelled", there))
    assert numbers(node, "cancelled") == list(range(count))


def test_over_restarts(node: Node) -> None:
    """A clean stop, then a crash in the middle of moves: they go on. So does one that only the names of directories tell of."""
    here, there, count = begun(node, "restarted", 200_000)
    wait_until(lambda: places(node, "restarted")[Place(there, True)] < count)
    for end in (node.stop, node.kill):
        end()
        node.start()
        wait_until(lambda: set(places(node, "restarted")) == {Place(here, False), Place(there, True)})
        fill(node, "restarted", 10_000)
    limit(node, None)
    wait_until(lambda: lies_in(node, "restarted", there))
    assert numbers(node, "restarted") == [*range(count), 0, 0]


def test_crashes_before_the_names_are_changed(node: Node) -> None:
    """The metadata has agreed: a replica that is only there as -future is the replica; one that isn't complete is completed first."""
    here, there, count = begun(node, "agreed", 100_000_000, 1_000_000)
    wait_until(lambda: lies_in(node, "agreed", there))
    node.stop()
    replica = paths(node)[there] / "agreed-0"
    future = replica.with_name(f"agreed-0.{uuid4().hex}-future")
    replica.rename(future)
    node.start()
    assert lies_in(node, "agreed", there)
    assert numbers(node, "agreed") == list(range(count))
    node.stop()
    replica.rename(paths(node)[here] / "agreed-0")
    future.mkdir()
    shutil.copy(paths(node)[here] / "agreed-0" / "partition.metadata", future)
    node.start()
    wait_until(lambda: lies_in(node, "agreed", there))
    limit(node, None)
    assert numbers(node, "agreed") == list(range(count))


def test_deleted(node: Node) -> None:
    """With its topic, a replica on its way is deleted too."""
    from barnabas.wire.messages.delete_topics import DeleteTopicsRequest

    here, there, _ = begun(node, "deleted", 1000, 500_000)
    with closing(Client(node.port)) as client:
        wanted = [DeleteTopicsRequest.DeleteTopicState(name="deleted")]
        assert not client.call(DeleteTopicsRequest(topics=wanted, topic_names=[], timeout_ms=10_000), 6).responses[0].error_code
    limit(node, None)
    wait_until(lambda: not places(node, "deleted"))
    wait_until(lambda: on_disk(node, "deleted") == sorted([f"{here}/deleted-0.*-delete", f"{there}/deleted-0.*-delete"]))


def test_a_directory_fails(barnabas_nodes: NodeFactory, tmp_path: Path) -> None:
    """What moves there stays where it is and goes on; what moves from there is offline, as it would be without."""
    node = barnabas_nodes(directories(tmp_path) | SETTINGS | {"replica.high.watermark.checkpoint.interval.ms": "200"})
    create(node, "moves", 2)
    (index_of,) = [{place.directory: index for index in (0, 1) for place in places(node, "moves", index)}]
    stays, goes = index_of["a"], index_of["b"]
    fill(node, "moves", 1_000_000)
    limit(node, 1)
    assert {error for _, _, error in ask(node, ("moves", stays, "b"), ("moves", goes, "a"))} == {"NONE"}
    wait_until(lambda: all(len(places(node, "moves", index)) == 2 for index in (0, 1)))
    paths(node)["b"].rename(tmp_path / "gone")
    wait_until(lambda: f"Taking {paths(node)['b']} offline" in node.tail())
    wait_until(lambda: list(places(node, "moves", stays)) == [Place("a", False)])
    limit(node, None)
    assert ask(node, ("moves", stays, "b"), ("moves", goes, "a")) == [("moves", index, "KAFKA_STORAGE_ERROR") for index in (0, 1)]
    assert ask(node, ("moves", stays, "a")) == [("moves", stays, "NONE")]
    producer = Producer({"bootstrap.servers": node.bootstrap, "log_level": 0})
    refused: list[object] = []
    producer.produce("moves", b"on", partition=stays, on_delivery=lambda error, _: refused.append(error))
    assert producer.flush(20) == 0
    assert refused == [None]
    assert node.running()


FAILS_ONCE_RETIRED = """
import os, sys
fsync = os.fsync
def failing(descriptor):
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    if path.endswith("/b") and any(name.endswith("-delete") for name in os.listdir(path)):
        raise OSError(5, "Input/output error")
    fsync(descriptor)
os.fsync = failing
from barnabas.node.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_the_old_directory_fails_at_the_end(tmp_path: Path) -> None:
    """What has just left it isn't taken offline with it."""
    engine = BARNABAS._replace(start_command=lambda properties: [sys.executable, "-c", FAILS_ONCE_RETIRED, str(properties)])
    node = new_node(engine, tmp_path, directories(tmp_path) | SETTINGS).start()
    try:
        create(node, "leaves", 2)
        leaves = next(index for index in (0, 1) if Place("b", False) in places(node, "leaves", index))
        assert ask(node, ("leaves", leaves, "a")) == [("leaves", leaves, "NONE")]
        wait_until(lambda: "offline:" in node.tail())
        assert f"Taking {paths(node)['b']} offline" in node.tail()
        wait_until(lambda: list(places(node, "leaves", leaves)) == [Place("a", False)])
        producer = Producer({"bootstrap.servers": node.bootstrap, "log_level": 0})
        refused: list[object] = []
        producer.produce("leaves", b"on", partition=leaves, on_delivery=lambda error, _: refused.append(error))
        assert producer.flush(20) == 0
        assert refused == [None]
    finally:
        node.kill()


def test_the_old_directory_is_taken_away(barnabas_nodes: NodeFactory, tmp_path: Path) -> None:
    """The replica is made anew beside what is left of the future one: what checkpoints say of that doesn't concern it."""
    node = barnabas_nodes(directories(tmp_path) | SETTINGS)
    for topic in ("one", "other"):
        create(node, topic)
    topic, stays = sorted(("one", "other"), key=lambda name: lies_in(node, name, "a"))
    assert (lies_in(node, topic, "b"), lies_in(node, stays, "a")) == (True, True)
    count = fill(node, topic, 1_000_000)
    fill(node, stays, 10_000)
    delete_records(node, topic, count // 2)
    limit(node, 1000)
    assert ask(node, (topic, 0, "a")) == [(topic, 0, "NONE")]
    wait_until(lambda: places(node, topic)[Place("a", True)] < count // 2)
    node.stop()
    write_properties(node.properties_file, node.properties | {"log.dirs": str(tmp_path / "a")})
    node.start()
    assert on_disk(node, topic) == [f"a/{topic}-0", f"a/{topic}-0.*-stray", f"b/{topic}-0"]
    wait_until(lambda: list(places(node, topic)) == [Place("a", False)])
    for _ in range(10):  # the controller, once it was told where the replica lies, takes it for the leader when the broker registers
        node.stop()
        node.start()
        if has_leader(node, topic):
            break
    fill(node, topic, 50_000)
    delete_records(node, stays, 1)
    node.kill()
    node.start()
    assert numbers(node, topic) == [0, 1, 2, 3, 4]
    assert list(places(node, topic)) == [Place("a", False)]
