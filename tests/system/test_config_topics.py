"""What topics' and logs' keys do, seen on nodes that have them: each test sets keys and waits for what they are for."""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.list_offsets import ListOffsetsRequest
from barnabas.wire.messages.metadata import MetadataRequest
from barnabas.wire.records.batch import iterate_headers
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.compression import Codec
from barnabas.wire.records.record import Record
from tests.differential.transcript import Client
from tests.nodes import write_properties
from tests.system.requests import create_topics, fetch, put, records
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import NodeFactory
    from tests.nodes import Node

pytestmark = pytest.mark.node

HOUR_MS = 3_600_000
SELDOM = str(HOUR_MS)
OFTEN = {
    "log.initial.task.delay.ms": "0",
    "log.retention.check.interval.ms": "50",
    "log.flush.offset.checkpoint.interval.ms": "50",
    "replica.high.watermark.checkpoint.interval.ms": "50",
}
SHOUTED = b"".join(struct.pack(">I", number * 2_654_435_761 % (1 << 32)).hex().encode() for number in range(4000))


@contextlib.contextmanager
def client_of(node: Node) -> Iterator[Client]:
    client = Client(node.port)
    try:
        yield client
    finally:
        client.close()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def earliest(client: Client, topic: str) -> int:
    wanted = ListOffsetsRequest.Topic.Partition(partition_index=0, timestamp=-2)
    request = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsRequest.Topic(name=topic, partitions=[wanted])])
    return int(client.call(request, 5).topics[0].partitions[0].offset)


def create(client: Client, name: str, partitions: int = -1, factor: int = 1) -> CreateTopicsRequest.CreatableTopic:
    topic = CreateTopicsRequest.CreatableTopic(name=name, num_partitions=partitions, replication_factor=factor, configs=[])
    return client.call(CreateTopicsRequest(topics=[topic], timeout_ms=10_000), 7).topics[0]


def segments(node: Node, topic: str) -> list[Path]:
    return sorted((node.log_dir / f"{topic}-0").glob("*.log"))


def checkpoint(node: Node, name: str, topic: str) -> int | None:
    path = node.log_dir / name
    for line in path.read_text().splitlines() if path.exists() else ():
        if line.startswith(f"{topic} 0 "):
            return int(line.split()[2])
    return None


def index_entries(node: Node, topic: str) -> int:
    data = (node.log_dir / f"{topic}-0" / f"{0:020}.index").read_bytes()[:800]
    return sum(1 for position in range(0, len(data), 8) if any(data[position : position + 8]))


def test_new_topics(barnabas_nodes: NodeFactory) -> None:
    """num.partitions, default.replication.factor, auto.create.topics.enable, delete.topic.enable."""
    node = barnabas_nodes(
        {"num.partitions": "3", "default.replication.factor": "2", "auto.create.topics.enable": "false", "delete.topic.enable": "false"}
    )
    with client_of(node) as client:
        assert create(client, "three").num_partitions == 3
        assert create(client, "two-copies", factor=-1).error_code == Error.INVALID_REPLICATION_FACTOR
        asked = client.call(MetadataRequest(topics=[MetadataRequest.Topic(name="unasked")], allow_auto_topic_creation=True), 12)
        assert asked.topics[0].error_code == Error.UNKNOWN_TOPIC_OR_PARTITION
        create(client, "behind-it")  # whatever was asked of the controller before is done by now
        assert {topic.name for topic in client.call(MetadataRequest(topics=None), 12).topics} == {"three", "behind-it"}
        deleted = client.call(DeleteTopicsRequest(topic_names=["three"], timeout_ms=1000), 5).responses[0]
        assert deleted.error_code == Error.TOPIC_DELETION_DISABLED


def test_retention_and_files(barnabas_nodes: NodeFactory) -> None:
    """retention.bytes, retention.ms, file.delete.delay.ms; log.retention.check.interval.ms brings them about long before its default would."""
    node = barnabas_nodes(OFTEN)
    sized = {"retention.bytes": "1", "segment.bytes": "1048576", "file.delete.delay.ms": "1"}
    create_topics(node.port, "sized", configs=sized)
    create_topics(node.port, "aged", configs={"retention.ms": "1000", "file.delete.delay.ms": SELDOM})
    create_topics(node.port, "kept", configs={"retention.ms": "-1", "segment.bytes": "1048576"})
    with client_of(node) as client:
        for topic in ("sized", "kept"):
            for _ in range(3):
                assert put(client, topic, 0, records(b"x" * 600_000)).error_code == 0
        for topic in ("aged", "kept"):
            assert put(client, topic, 0, records(b"old", timestamp=now_ms() - HOUR_MS)).error_code == 0
        wait_until(lambda: earliest(client, "sized") == 2)
        wait_until(lambda: earliest(client, "aged") == 1)
        assert earliest(client, "kept") == 0
    wait_until(lambda: list((node.log_dir / "aged-0").glob("*.deleted")))
    wait_until(lambda: not list((node.log_dir / "sized-0").glob("*.deleted")))
    assert len(segments(node, "kept")) == 3, "two of them are more than segment.bytes"


def test_the_first_look(barnabas_nodes: NodeFactory) -> None:
    """log.initial.task.delay.ms: with an interval of an hour, retention still begins at once."""
    node = barnabas_nodes({**OFTEN, "log.retention.check.interval.ms": SELDOM, "log.initial.task.delay.ms": SELDOM})
    create_topics(node.port, "aged", configs={"retention.ms": "1000"})
    with client_of(node) as client:
        assert put(client, "aged", 0, records(b"old", timestamp=now_ms() - HOUR_MS)).error_code == 0
        assert earliest(client, "aged") == 0
    assert node.stop() == 0
    write_properties(node.properties_file, {**node.properties, "log.initial.task.delay.ms": "100"})
    node.start()
    with client_of(node) as client:
        wait_until(lambda: earliest(client, "aged") == 1)


def test_checkpoints_and_syncs(barnabas_nodes: NodeFactory) -> None:
    """flush.messages, flush.ms, log.flush.offset.checkpoint.interval.ms, replica.high.watermark.checkpoint.interval.ms."""
    often = barnabas_nodes(OFTEN)
    seldom = barnabas_nodes({**OFTEN, "log.flush.offset.checkpoint.interval.ms": SELDOM, "replica.high.watermark.checkpoint.interval.ms": SELDOM})
    watermarks = barnabas_nodes({**OFTEN, "log.flush.offset.checkpoint.interval.ms": SELDOM})
    for node in (often, seldom, watermarks):
        create_topics(node.port, "plain")
        create_topics(node.port, "counted", configs={"flush.messages": "1"})
        create_topics(node.port, "timed", configs={"flush.ms": "1"})
        with client_of(node) as client:
            for topic in ("plain", "counted", "timed"):
                assert put(client, topic, 0, records(b"a", b"b")).error_code == 0
    points, marks = "recovery-point-offset-checkpoint", "replication-offset-checkpoint"
    wait_until(lambda: checkpoint(often, points, "counted") == checkpoint(often, points, "timed") == 2)
    wait_until(lambda: checkpoint(often, marks, "plain") == checkpoint(watermarks, marks, "plain") == 2)
    assert checkpoint(often, points, "plain") == 0
    assert checkpoint(watermarks, points, "counted") is None
    assert checkpoint(seldom, points, "counted") is None
    assert checkpoint(seldom, marks, "plain") is None


def test_segments_and_indexes(barnabas_node: Node) -> None:
    """segment.ms, segment.jitter.ms, segment.index.bytes, index.interval.bytes, internal.segment.bytes."""
    node = barnabas_node
    every = {"index.interval.bytes": "1"}
    create_topics(node.port, "rolls-by-time", configs={"segment.ms": str(HOUR_MS)})
    create_topics(node.port, "rolls-by-chance", configs={"segment.ms": str(HOUR_MS), "segment.jitter.ms": str(HOUR_MS)})
    create_topics(node.port, "rolls-by-index", configs={**every, "segment.index.bytes": "24"})
    create_topics(node.port, "rolls-by-bytes", configs={"internal.segment.bytes": "200"})
    create_topics(node.port, "thick-index", configs=every)
    create_topics(node.port, "thin-index")
    began = now_ms() - 2 * HOUR_MS
    with client_of(node) as client:
        for topic in ("rolls-by-time", "rolls-by-chance"):
            for timestamp in (began, began + HOUR_MS - 10):
                assert put(client, topic, 0, records(b"x", timestamp=timestamp)).error_code == 0
        assert (len(segments(node, "rolls-by-time")), len(segments(node, "rolls-by-chance"))) == (1, 2)
        assert put(client, "rolls-by-time", 0, records(b"x", timestamp=began + HOUR_MS + 10)).error_code == 0
        assert len(segments(node, "rolls-by-time")) == 2
        for topic in ("rolls-by-index", "rolls-by-bytes", "thick-index", "thin-index"):
            for _ in range(9):
                assert put(client, topic, 0, records(b"x")).error_code == 0
    assert len(segments(node, "rolls-by-index")) > 2
    assert len(segments(node, "rolls-by-bytes")) > 2
    assert len(segments(node, "thick-index")) == 1
    assert index_entries(node, "thick-index") == 8
    assert index_entries(node, "thin-index") == 0


def test_what_is_taken(barnabas_node: Node) -> None:
    """max.message.bytes, message.timestamp.type, message.timestamp.before.max.ms, message.timestamp.after.max.ms."""
    node = barnabas_node
    create_topics(node.port, "takes-small", configs={"max.message.bytes": "200"})
    create_topics(node.port, "takes-new", configs={"message.timestamp.before.max.ms": "60000", "message.timestamp.after.max.ms": "60000"})
    create_topics(node.port, "takes-its-own-time", configs={"message.timestamp.type": "LogAppendTime"})
    create_topics(node.port, "takes-all")
    old, early = records(b"x", timestamp=now_ms() - HOUR_MS), records(b"x", timestamp=now_ms() + HOUR_MS // 2)
    with client_of(node) as client:
        assert put(client, "takes-small", 0, records(b"x" * 201)).error_code == Error.MESSAGE_TOO_LARGE
        assert put(client, "takes-new", 0, old).error_code == Error.INVALID_TIMESTAMP
        assert put(client, "takes-new", 0, early).error_code == Error.INVALID_TIMESTAMP
        assert put(client, "takes-its-own-time", 0, old).log_append_time_ms > now_ms() - HOUR_MS // 2
        for data in (old, early, records(b"x" * 201)):
            assert put(client, "takes-all", 0, data).error_code == 0


def test_who_is_told_of_a_leader_finds_it(barnabas_node: Node) -> None:
    """While one client makes topics, another asks for them again and again, and writes to the last partition as soon as it has a leader."""
    with client_of(barnabas_node) as client:
        for number in range(10):
            name, configs = f"just-made-{number}", {"retention.ms": "1000000"} if number % 2 else {}
            maker = threading.Thread(target=create_topics, args=(barnabas_node.port, name), kwargs={"partitions": 20, "configs": configs})
            maker.start()
            while client.metadata(name).error_code:
                assert maker.is_alive() or client.metadata(name).error_code == 0
            assert put(client, name, 19, records(b"x")).error_code == 0
            maker.join()


@pytest.mark.parametrize(("codec", "quick", "small"), [(Codec.GZIP, "1", "9"), (Codec.LZ4, "1", "12"), (Codec.ZSTD, "-50", "19")], ids=str)
def test_compression(barnabas_node: Node, codec: Codec, quick: str, small: str) -> None:
    """compression.type, compression.gzip.level, compression.lz4.level, compression.zstd.level."""
    kind = codec.name.lower()
    names = {f"packed-{kind}-{level}": level for level in (quick, small)}
    sizes = []
    with client_of(barnabas_node) as client:
        for name, level in names.items():
            create_topics(barnabas_node.port, name, configs={"compression.type": kind, f"compression.{kind}.level": level})
            assert put(client, name, 0, build_batch([Record(timestamp=now_ms(), value=SHOUTED * 4)])).error_code == 0
            data = bytes(client.call(fetch(name, 0, 0), 11).responses[0].partitions[0].records)
            ((_, header),) = iterate_headers(data)
            assert header.codec == codec
            sizes.append(len(data))
    assert sizes[0] > sizes[1]
