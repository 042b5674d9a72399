"""Disks that fill up or fail, and nodes that are stopped in the middle: nothing acknowledged is lost, and the node goes on where it can. O14, O15, D7.

A full disk is a small file system in memory, which takes root's rights to mount; a disk that fails is a directory that is no longer where it was.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.delete_records import DeleteRecordsRequest
from barnabas.wire.messages.describe_log_dirs import DescribeLogDirsRequest
from barnabas.wire.messages.metadata import MetadataRequest
from tests.differential.transcript import Client, Closed
from tests.nodes import hold
from tests.system import crash
from tests.system.requests import create_topics, fetch, frame, put, read_all, records
from tests.system.test_config_topics import checkpoint
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import NodeFactory
    from tests.nodes import Node

    Connect = Callable[[Node], Client]

pytestmark = pytest.mark.node

OFTEN = {
    "log.flush.offset.checkpoint.interval.ms": "50",
    "replica.high.watermark.checkpoint.interval.ms": "50",
    "log.initial.task.delay.ms": "10",
    "log.retention.check.interval.ms": "50",
    "log.segment.bytes": "1048576",
    "log.index.size.max.bytes": "131072",
}


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients that are closed when the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda node: stack.enter_context(contextlib.closing(Client(node.port)))


@pytest.fixture
def scratch() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="barnabas-", dir="/dev/shm"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def small_disk(scratch: Path) -> Iterator[Path]:
    disk = scratch / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("mounting a small file system takes root's rights")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


class Writer:
    """Idempotent producers of one topic, one a partition, that note what was acknowledged."""

    def __init__(self, client: Client, topic: str, partitions: int) -> None:
        self.client = client
        self.topic = topic
        self.sequences = dict.fromkeys(range(partitions), 0)
        self.acknowledged: dict[int, dict[int, bytes]] = {partition: {} for partition in range(partitions)}

    def write(self, count: int, size: int = 9000) -> Counter[int]:
        """Put `count` records in each partition: how often each error was answered (0: none)."""
        codes: Counter[int] = Counter()
        for _ in range(count):
            for partition, sequence in self.sequences.items():
                value = os.urandom(size)
                row = put(self.client, self.topic, partition, records(value, producer=(100 + partition, 0, sequence)))
                codes[row.error_code] += 1
                if not row.error_code:
                    self.acknowledged[partition][row.base_offset] = value
                    self.sequences[partition] += 1
        return codes

    def check(self, client: Client) -> None:
        """What is read is what was acknowledged, no more and no less."""
        for partition, known in self.acknowledged.items():
            found = read_all(client, self.topic, partition)
            assert list(found) == list(known)
            assert found == known


def offline(client: Client) -> set[int]:
    """The partitions of t that have no leader, since their replica is offline."""
    rows = client.call(MetadataRequest(topics=[MetadataRequest.Topic(name="t")]), 12).topics[0].partitions
    return {row.partition_index for row in rows if row.leader_id < 0 and row.offline_replicas == [1]}


def test_full_disk(barnabas_nodes: NodeFactory, small_disk: Path, connect: Connect) -> None:
    """Everything on one disk, which fills up: producers get KAFKA_STORAGE_ERROR, what there is can be read, and room makes everything well."""
    node = barnabas_nodes({**OFTEN, "log.dirs": str(small_disk / "log")})
    create_topics(node.port, "t", partitions=4)
    client = connect(node)
    writer = Writer(client, "t", 4)
    codes = writer.write(150)
    assert set(codes) == {0, Error.KAFKA_STORAGE_ERROR}
    assert codes[0] > 300
    writer.check(client)
    topics = [CreateTopicsRequest.CreatableTopic(name=f"new-{number}", num_partitions=1, replication_factor=1) for number in range(60)]
    created = {
        topic.name: client.call(CreateTopicsRequest(topics=[topic], timeout_ms=1000), 7).topics[0].error_code for topic in topics
    }  # until the metadata log finds no room either
    assert set(created.values()) == {0, Error.KAFKA_STORAGE_ERROR}
    time.sleep(1.2)  # no-ops, checkpoints, retention, heartbeats
    writer.check(client)
    assert len(node.tail(1 << 20)) < 20_000, "what is wrong is told once, not for every request"
    assert "Traceback" not in node.tail(1 << 20)

    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert set(writer.write(20)) == {0}
    for name, error in created.items():
        if not error:
            wait_until(lambda name=name: put(client, name, 0, records(b"x")).error_code == 0)
    node.kill()
    node.start()
    again = connect(node)
    writer.check(again)
    writer.client = again
    assert set(writer.write(5)) == {0}
    assert node.stop() == 0


def test_stop_on_a_full_disk(barnabas_nodes: NodeFactory, small_disk: Path, connect: Connect) -> None:
    node = barnabas_nodes({**OFTEN, "log.dirs": str(small_disk / "log")})
    create_topics(node.port, "t", partitions=2)
    writer = Writer(connect(node), "t", 2)
    while set(writer.write(10)) == {0}:
        pass
    for number in range(60):  # fill the metadata log's last page too
        topic = CreateTopicsRequest.CreatableTopic(name=f"new-{number}", num_partitions=1, replication_factor=1)
        writer.client.call(CreateTopicsRequest(topics=[topic], timeout_ms=1000), 7)
    began = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - began < 5
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    node.start()
    writer.check(connect(node))


def test_one_of_two_disks_fails(barnabas_nodes: NodeFactory, scratch: Path, connect: Connect) -> None:
    good, bad = scratch / "good", scratch / "bad"
    node = barnabas_nodes({**OFTEN, "log.dirs": f"{good},{bad}", "metadata.log.dir": str(good)})
    create_topics(node.port, "t", partitions=4)
    client = connect(node)
    writer = Writer(client, "t", 4)
    assert set(writer.write(1)) == {0}
    lost = {partition for partition in range(4) if (bad / f"t-{partition}").is_dir()}
    assert len(lost) == 2
    parked = []
    for partition in range(4):
        parked.append(connect(node))
        parked[-1].socket.settimeout(20)
        parked[-1].send(frame(fetch("t", partition, 1, wait_ms=15_000), 12))
    bad.rename(scratch / "gone")
    writer.write(150)  # beyond a segment's end
    for partition, known in writer.acknowledged.items():
        assert (len(known) == 151) == (partition not in lost)
    for client_waiting in parked:
        client_waiting.read_frame()  # told at once, whichever disk
    wait_until(lambda: offline(client) == lost)
    dirs = {row.log_dir: row.error_code for row in client.call(DescribeLogDirsRequest(topics=None), 4).results}
    assert dirs == {str(good): 0, str(bad): Error.KAFKA_STORAGE_ERROR}
    for partition in lost:
        row = client.call(fetch("t", partition, 0), 11).responses[0].partitions[0]
        assert row.error_code == Error.KAFKA_STORAGE_ERROR
    create_topics(node.port, "t2", partitions=2)
    assert set(Writer(client, "t2", 2).write(1)) == {0}
    assert "Traceback" not in node.tail(1 << 20)
    assert node.stop() == 0

    (scratch / "gone").rename(bad)
    node.start()
    writer.check(connect(node))


def test_what_is_left_of_a_replica_that_was_made_elsewhere(barnabas_nodes: NodeFactory, scratch: Path, connect: Connect) -> None:
    """In a directory that failed, or was full, while it was made there: it stops no start."""
    first, second = scratch / "first", scratch / "second"
    node = barnabas_nodes({"log.dirs": f"{first},{second}"})
    create_topics(node.port, "t", partitions=2)
    writer = Writer(connect(node), "t", 2)
    writer.write(3)
    assert node.stop() == 0
    for partition in range(2):
        here, there = (first, second) if (first / f"t-{partition}").is_dir() else (second, first)
        left = there / f"t-{partition}"
        left.mkdir()
        (left / "partition.metadata").write_bytes((here / left.name / "partition.metadata").read_bytes())
        (left / "00000000000000000000.log").touch()
    node.start()
    writer.check(connect(node))
    assert len([*scratch.glob("*/t-[01]")]) == 2


@pytest.mark.parametrize("fault", ["read-only", "meta.properties", "partition.metadata"])
def test_one_of_two_disks_is_bad_at_the_start(barnabas_nodes: NodeFactory, scratch: Path, small_disk: Path, connect: Connect, fault: str) -> None:
    """As Apache Kafka: the node starts with the other one, and says so. Once repaired, everything is there."""
    good, bad = scratch / "good", small_disk / "bad"
    node = barnabas_nodes({**OFTEN, "log.dirs": f"{good},{bad}", "metadata.log.dir": str(good)})
    create_topics(node.port, "t", partitions=4)
    writer = Writer(connect(node), "t", 4)
    assert set(writer.write(3)) == {0}
    lost = {partition for partition in range(4) if (bad / f"t-{partition}").is_dir()}
    assert len(lost) == 2
    node.kill()
    broken = bad / "meta.properties" if fault == "meta.properties" else bad / f"t-{min(lost)}" / "partition.metadata"
    content = broken.read_bytes()
    if fault == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    else:
        broken.write_text("version=7\n")
    node.start()
    assert f"Starting without {bad}, whose partitions are offline" in node.tail()
    assert "Traceback" not in node.tail(1 << 20)
    writer.client = client = connect(node)
    writer.write(1)
    assert {partition for partition, known in writer.acknowledged.items() if len(known) == 3} == lost
    wait_until(lambda: offline(client) == lost)
    dirs = {row.log_dir: row.error_code for row in client.call(DescribeLogDirsRequest(topics=None), 4).results}
    assert dirs == {str(good): 0, str(bad): Error.KAFKA_STORAGE_ERROR}
    create_topics(node.port, "t2", partitions=2)
    assert set(Writer(client, "t2", 2).write(1)) == {0}
    assert node.stop() == 0

    if fault == "read-only":
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    else:
        broken.write_bytes(content)
    node.start()
    writer.client = connect(node)
    writer.check(writer.client)
    assert set(writer.write(1)) == {0}


def test_no_good_disk_at_the_start(barnabas_nodes: NodeFactory, scratch: Path, small_disk: Path) -> None:
    """Without the metadata's directory, or with none for data, there is no start, and one line says why."""
    metadata, data = scratch / "metadata", small_disk / "data"
    node = barnabas_nodes({"log.dirs": str(data), "metadata.log.dir": str(metadata)})
    assert node.stop() == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for told in (f"{data}/.lock: Read-only file system", f"{metadata}/meta.properties"):
        shown = len(node.tail(1 << 20))
        assert node.spawn().wait(20) == 1
        said = node.tail(1 << 20)[shown:].strip()
        assert said.startswith(told), said
        assert "\n" not in said
        (metadata / "meta.properties").write_text("version=7\n")


def test_descriptors_run_out_for_logs(barnabas_nodes: NodeFactory, connect: Connect) -> None:
    """More logs than there may be open files: those that were open are served, the others once the limit is raised; no directory is given up."""
    node = barnabas_nodes(OFTEN)
    client = connect(node)
    create_topics(node.port, "t")
    writer = Writer(client, "t", 1)
    most = resource.prlimit(node.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(node.pid, resource.RLIMIT_NOFILE, (64, most))
    create_topics(node.port, "many", partitions=60)

    def errors() -> set[int]:
        return {put(client, "many", partition, records(b"x")).error_code for partition in range(60)}

    assert errors() == {0, Error.NOT_LEADER_OR_FOLLOWER}
    assert set(writer.write(200)) <= {0, Error.KAFKA_STORAGE_ERROR}, "a new segment needs a descriptor too"
    assert "Too many open files. Raise the limit of open files (ulimit -n); it is tried again." in node.tail()
    assert "offline" not in node.tail()
    resource.prlimit(node.pid, resource.RLIMIT_NOFILE, (most, most))
    wait_until(lambda: errors() == {0})
    assert set(writer.write(5)) == {0}
    assert "Traceback" not in node.tail(1 << 20)
    node.kill()
    node.start()
    writer.check(connect(node))


def test_files_deleted_under_it(barnabas_nodes: NodeFactory, scratch: Path, connect: Connect) -> None:
    """What is open is served all the same. At the segment's end the loss shows: as with Apache Kafka, which finds out when it deletes, the directory is
    given up. The others lose nothing, and the log goes on after a start."""
    node = barnabas_nodes({**OFTEN, "log.dirs": str(scratch / "log"), "metadata.log.dir": str(scratch / "metadata")})
    create_topics(node.port, "t", partitions=2)
    writer = Writer(connect(node), "t", 2)
    assert set(writer.write(100)) == {0}
    for path in (scratch / "log" / "t-0").glob("0*"):
        path.unlink()
    writer.check(writer.client)
    with contextlib.suppress(Closed, OSError):
        writer.write(50)
    assert node.process is not None
    assert node.process.wait(30) == 1
    assert f"{scratch / 'log' / 't-0'}: could not roll to a new segment: No such file" in node.tail()
    assert "Traceback" not in node.tail(1 << 20)
    node.process = None
    node.start()
    client = connect(node)
    found, known = read_all(client, "t", 1), writer.acknowledged[1]
    assert known.items() <= found.items()
    assert len(found) <= len(known) + 1, "written as the node ended, and not answered any more"
    assert put(client, "t", 0, records(b"x")).error_code == 0
    assert "Traceback" not in node.tail(1 << 20)
    assert node.stop() == 0


def test_a_disk_without_replicas_fails(barnabas_nodes: NodeFactory, scratch: Path, connect: Connect) -> None:
    """Nothing is on it yet: its loss shows when something should be. New partitions go elsewhere, and the controller gives it no more."""
    good, bad = scratch / "good", scratch / "bad"
    node = barnabas_nodes(
        {**OFTEN, "log.flush.offset.checkpoint.interval.ms": "60000", "replica.high.watermark.checkpoint.interval.ms": "60000"}
        | {"log.dirs": f"{good},{bad}", "metadata.log.dir": str(good)}
    )
    bad.rename(scratch / "gone")
    create_topics(node.port, "t", partitions=4)
    client = connect(node)
    assert set(Writer(client, "t", 4).write(1)) == {0}
    dirs = {row.log_dir: row.error_code for row in client.call(DescribeLogDirsRequest(topics=None), 4).results}
    assert dirs == {str(good): 0, str(bad): Error.KAFKA_STORAGE_ERROR}
    assert f"Taking {bad} offline" in node.tail()
    create_topics(node.port, "t2", partitions=2)
    assert set(Writer(client, "t2", 2).write(1)) == {0}
    assert "Traceback" not in node.tail(1 << 20)
    assert node.stop() == 0


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_start_on_a_full_metadata_disk(barnabas_nodes: NodeFactory, scratch: Path, small_disk: Path, connect: Connect, end: str) -> None:
    """A start writes there before all else. It says what to do, and goes well once that is done."""
    node = barnabas_nodes({**OFTEN, "log.dirs": str(scratch / "data"), "metadata.log.dir": str(small_disk / "metadata")})
    create_topics(node.port, "t")
    writer = Writer(connect(node), "t", 1)
    assert set(writer.write(2)) == {0}
    getattr(node, end)()
    junk = small_disk / "junk"
    with contextlib.suppress(OSError), open(junk, "wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    shown = len(node.tail(1 << 20))
    assert node.spawn().wait(20) == 1
    said = node.tail(1 << 20)[shown:].strip()
    assert said.startswith(str(small_disk / "metadata")), said
    assert said.endswith("No space left on device. The disk is full: make room on it, then start the node again. What was acknowledged is kept."), (
        said
    )
    assert "\n" not in said
    assert not list(small_disk.rglob("*.tmp"))
    junk.unlink()
    node.start()
    writer.check(connect(node))


def test_deleting_records_on_a_full_disk(barnabas_nodes: NodeFactory, small_disk: Path, connect: Connect) -> None:
    """As Apache Kafka, which writes the new start down later, the node answers; here it is written down once there is room."""
    node = barnabas_nodes({**OFTEN, "log.dirs": str(small_disk / "log")})
    create_topics(node.port, "t")
    client = connect(node)
    writer = Writer(client, "t", 1)
    assert set(writer.write(5)) == {0}
    junk = small_disk / "junk"
    with contextlib.suppress(OSError), open(junk, "wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    ask = DeleteRecordsRequest.Topic
    request = DeleteRecordsRequest(topics=[ask(name="t", partitions=[ask.Partition(partition_index=0, offset=3)])], timeout_ms=5000)
    row = client.call(request, 2).topics[0].partitions[0]
    assert (row.error_code, row.low_watermark) == (0, 3)
    for offset in range(3):
        del writer.acknowledged[0][offset]
    assert read_all(client, "t", 0, 3) == writer.acknowledged[0]
    junk.unlink()
    wait_until(lambda: checkpoint(node, "log-start-offset-checkpoint", "t") == 3)
    node.kill()
    node.start()
    row = connect(node).call(fetch("t", 0, 0), 11).responses[0].partitions[0]
    assert row.error_code == Error.OFFSET_OUT_OF_RANGE
    assert read_all(connect(node), "t", 0, 3) == writer.acknowledged[0]


def test_last_disk_fails(barnabas_nodes: NodeFactory, scratch: Path, connect: Connect) -> None:
    """The node ends with 1; with the disk back it has everything that it acknowledged."""
    node = barnabas_nodes({**OFTEN, "log.dirs": str(scratch / "log")})
    create_topics(node.port, "t")
    writer = Writer(connect(node), "t", 1)
    writer.write(2)
    (scratch / "log").rename(scratch / "gone")
    with contextlib.suppress(Exception):  # it ends in the middle
        writer.write(1000)
    assert node.process is not None
    assert node.process.wait(30) == 1
    assert "Shutting down" in node.tail()
    node.process = None
    shutil.rmtree(scratch / "log", ignore_errors=True)
    (scratch / "gone").rename(scratch / "log")
    node.start()
    found, known = read_all(connect(node), "t", 0), writer.acknowledged[0]
    assert known.items() <= found.items()
    assert len(found) <= len(known) + 1, "written as the node ended, and not answered any more"


def test_stopped_under_load(barnabas_nodes: NodeFactory) -> None:
    """SIGTERM: a clean stop at once, again and again; SIGSTOP and SIGCONT: as if nothing had been."""
    node = barnabas_nodes()
    create_topics(node.port, crash.TOPIC, partitions=crash.PARTITIONS)
    load = crash.Load(node.bootstrap, crash.TOPIC, crash.PARTITIONS)
    try:
        for _ in range(2):
            load.wait_for_more(300)
            began = time.monotonic()
            assert node.stop() == 0
            assert time.monotonic() - began < 3  # a stop that waits for something waits longer
            assert (node.log_dir / ".kafka_cleanshutdown").exists()
            node.start()
        hold(node.pid)
        time.sleep(0.5)
        os.kill(node.pid, signal.SIGCONT)
        load.wait_for_more(300)
    finally:
        load.stop()
    assert not load.failed
    found = crash.read_all(node.bootstrap)
    for rows in found.values():
        assert [number for _, number in rows] == sorted({number for _, number in rows})
    there = {(partition, offset): number for partition, rows in found.items() for offset, number in rows}
    assert all(there.get((row.partition, row.offset)) == row.number for row in load.acknowledged)
    assert "Traceback" not in node.tail(1 << 20)


def test_metadata_of_the_last_broker_while_it_stops(barnabas_nodes: NodeFactory) -> None:
    """A client that is told of no broker at all may have none to come back to: librdkafka drops its only one."""
    node = barnabas_nodes()
    told = []
    for _ in range(5):
        with contextlib.closing(Client(node.port)) as client:
            stopping = threading.Thread(target=node.stop)
            stopping.start()
            with contextlib.suppress(Closed, OSError):
                while True:
                    told.append(len(client.call(MetadataRequest(topics=[]), 9).brokers))
            stopping.join()
        node.start()
    assert told
    assert set(told) == {1}
