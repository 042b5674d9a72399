"""A partition directory passes between the engines: Apache writes, the log opens it and goes on, Apache opens that again (D52-D68, D85, T4-T7)."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from barnabas.storage.checkpoint_file import RECOVERY_POINT, read_offsets
from barnabas.storage.log_config import LogConfig
from tests.logs import Replica, batch
from tests.nodes import SHORT_SESSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.nodes import Node

pytestmark = pytest.mark.apache
LEFT, CONTINUED = "left-alone", "continued"
CONFIG = LogConfig(segment_bytes=1 << 20, index_interval_bytes=100, retention_ms=-1)


@pytest.fixture
def node(apache_nodes: Callable[..., Node]) -> Node:
    node = apache_nodes({"transaction.state.log.num.partitions": "1", **SHORT_SESSION})
    admin = AdminClient({"bootstrap.servers": node.bootstrap})
    config = {"segment.bytes": str(1 << 20), "index.interval.bytes": "100", "retention.ms": "-1"}
    for future in admin.create_topics([NewTopic(topic, 1, 1, config=config) for topic in (LEFT, CONTINUED)]).values():
        future.result(30)
    return node


def fill(node: Node) -> None:
    """Into both topics more than one segment of plain and idempotent batches, two transactions committed, two aborted, one left open."""
    plain = Producer({"bootstrap.servers": node.bootstrap, "linger.ms": 0, "batch.num.messages": 7, "enable.idempotence": True})
    for number in range(600):
        for topic in (LEFT, CONTINUED):
            plain.produce(topic, key=b"%d" % number, value=b"v" * 2200, partition=0)
        plain.poll(0)
    assert plain.flush(30) == 0
    for name in ("a", "b"):
        producer = Producer({"bootstrap.servers": node.bootstrap, "transactional.id": name, "transaction.timeout.ms": 600_000, "linger.ms": 0})
        producer.init_transactions(30)
        for number in range(5):
            producer.begin_transaction()
            for record in range(10):
                for topic in (LEFT, CONTINUED):
                    producer.produce(topic, value=b"%d" % record, partition=0)
            producer.flush(30)
            if number < 4:
                (producer.commit_transaction if number % 2 else producer.abort_transaction)(30)
        if name == "a":
            producer.abort_transaction(30)


def consume(node: Node, isolation: str, end: int) -> list[int]:
    consumer = Consumer(
        {
            "bootstrap.servers": node.bootstrap,
            "group.id": "g",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(CONTINUED, 0, 0)])
    offsets: list[int] = []
    try:
        while True:
            message = consumer.poll(30)
            assert message is not None
            error = message.error()
            if error is not None:
                if error.name() != "_PARTITION_EOF":
                    raise KafkaException(error)
                return offsets
            offsets.append(message.offset())
    finally:
        consumer.close()


def copy_of(node: Node, tmp_path: Path, name: str, topic: str = LEFT) -> Path:
    return shutil.copytree(node.log_dir / f"{topic}-0", tmp_path / name / f"{topic}-0")


@pytest.mark.parametrize("clean", [True, False])
def test_there_and_back(node: Node, tmp_path: Path, clean: bool) -> None:
    """Apache ends. We know what one log holds, and go on in the other one; Apache comes to the same of the first, and serves all of the second."""
    fill(node)
    node.stop() if clean else node.kill()
    ours = read_two_ways(node, tmp_path, clean=clean)
    continued = go_on(node, clean=clean)
    end, wanted = continued.log.end_offset, continued.state()
    close(node, continued, clean=clean)
    node.start()
    assert_serves(node, continued)
    node.stop()
    restarted = Replica(copy_of(node, tmp_path, "restarted"), CONFIG, clean=True)
    assert_same_log(restarted, ours)
    assert restarted.log.end_offset == read_offsets(str(node.log_dir / RECOVERY_POINT))[LEFT, 0]
    again = Replica(copy_of(node, tmp_path, "again", CONTINUED), CONFIG, clean=True)
    assert again.log.end_offset == end or again.log.end_offset == end + 1  # the coordinator may have aborted the open transaction
    assert again.offsets()[: len(continued.offsets())] == wanted[-1]


def read_two_ways(node: Node, tmp_path: Path, *, clean: bool) -> Replica:
    """Two ways to the same knowledge: what Apache left in its files, and what the batches say."""
    stopped, recovered = copy_of(node, tmp_path, "stopped"), copy_of(node, tmp_path, "recovered")
    ours = Replica(stopped, CONFIG, clean=clean)
    for path in recovered.glob("*"):
        if path.suffix in (".index", ".timeindex", ".txnindex", ".snapshot"):
            path.unlink()
    assert ours.state() == Replica(recovered, CONFIG, clean=False).state()
    assert len(ours.log.segments) > 1
    assert len(ours.log.aborted_transactions(0, ours.log.end_offset)) >= 4
    return ours


def assert_same_log(restarted: Replica, ours: Replica) -> None:
    """Apache's own restart on the same files comes to the same."""
    assert restarted.log.end_offset == ours.log.end_offset
    assert restarted.offsets() == ours.offsets()
    assert sorted(restarted.producers.entries()) == sorted(ours.producers.entries())
    assert restarted.epochs.entries[: len(ours.epochs.entries)] == ours.epochs.entries
    timestamps = [header.max_timestamp for header in ours.headers()]
    for wanted in (0, timestamps[len(timestamps) // 2], timestamps[-1] + 1):
        assert ours.log.find_offset_by_timestamp(wanted) == restarted.log.find_offset_by_timestamp(wanted)


def go_on(node: Node, *, clean: bool) -> Replica:
    ours = Replica(node.log_dir / f"{CONTINUED}-0", CONFIG, clean=clean)
    template = ours.headers(0)[0]
    for number in range(2000):
        ours.write(batch(ours.log.end_offset, size=500, epoch=template.leader_epoch, producer=(77_000, 0, number)))
    ours.log.flush()
    return ours


def close(node: Node, ours: Replica, *, clean: bool) -> None:
    """After a clean stop of Apache so do we, with the recovery point that it starts from; after a kill we leave it as a crash does."""
    if not clean:
        ours.log.close_without_sync()
        assert not (node.log_dir / ".kafka_cleanshutdown").exists()
        return
    ours.log.close()
    checkpoint = node.log_dir / RECOVERY_POINT
    offsets = read_offsets(str(checkpoint))
    offsets[CONTINUED, 0] = ours.log.end_offset
    checkpoint.write_text(f"0\n{len(offsets)}\n" + "".join(f"{topic} {index} {offset}\n" for (topic, index), offset in offsets.items()))


def assert_serves(node: Node, ours: Replica) -> None:
    """All of it, to both isolation levels."""
    end = ours.log.end_offset
    seen = consume(node, "read_uncommitted", end)
    assert seen[-1] == end - 1
    assert len([offset for offset in seen if offset >= end - 2000]) == 2000
    committed = consume(node, "read_committed", end)
    open_since = ours.producers.first_open_offset()
    assert open_since is not None
    assert committed
    assert committed[-1] < open_since
