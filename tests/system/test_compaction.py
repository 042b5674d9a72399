"""Compaction on nodes: what topics' and the cleaners' keys do, and that what is left is what clients may rely on."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from barnabas.wire.records.batch import iterate_headers, read_header
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record, decode_records
from tests.cluster.cluster import Plan
from tests.conftest import SUBJECT
from tests.differential.transcript import Client
from tests.system.requests import batches, create_topics, fetch, put, records
from tests.system.test_config_topics import checkpoint, client_of, earliest
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from tests.cluster.cluster import Member
    from tests.cluster.disks import SmallDisk
    from tests.conftest import ClusterFactory, NodeFactory
    from tests.nodes import Node

pytestmark = pytest.mark.node

HOUR_MS = 3_600_000
EAGER = {"log.cleaner.backoff.ms": "50"}
COMPACT = {"cleanup.policy": "compact", "internal.segment.bytes": "300", "min.cleanable.dirty.ratio": "0"}
CHECKPOINT = "cleaner-offset-checkpoint"


def keyed(*pairs: tuple[bytes, bytes | None], producer: tuple[int, int, int] = (-1, -1, -1)) -> bytes:
    now_ms = time.time_ns() // 1_000_000 - 1000
    return build_batch(
        [Record(timestamp=now_ms, key=key, value=value) for key, value in pairs],
        producer_id=producer[0],
        producer_epoch=producer[1],
        base_sequence=producer[2],
    )


def fill(client: Client, topic: str, rounds: int = 10) -> None:
    """Keys a, b, c again and again, a tombstone of d, and what fills a segment."""
    assert put(client, topic, 0, keyed((b"d", b"x" * 50))).error_code == 0
    assert put(client, topic, 0, keyed((b"d", None))).error_code == 0
    for number in range(rounds):
        for key in (b"a", b"b", b"c"):
            assert put(client, topic, 0, keyed((key, b"%d" % number * 50))).error_code == 0
    assert put(client, topic, 0, keyed((b"end", b"x" * 200))).error_code == 0
    assert put(client, topic, 0, keyed((b"end", b"y" * 200))).error_code == 0


def left(node: Node, topic: str) -> list[bytes]:
    """The keys that are on disk, one for each record."""
    for _ in range(100):
        with contextlib.suppress(FileNotFoundError):  # replaced just now
            found = []
            for path in sorted((node.log_dir / f"{topic}-0").glob("*.log")):
                data = path.read_bytes()
                for position, header in iterate_headers(data):
                    found += [record.key or b"" for record in decode_records(data[position : position + header.size])]
            return found
    raise AssertionError("files come and go")


def read_keys(client: Client, topic: str) -> dict[int, bytes]:
    """Offset -> key of all that is there; batches may be empty."""
    found: dict[int, bytes] = {}
    offset = 0
    while True:
        row = client.call(fetch(topic, 0, offset), 11).responses[0].partitions[0]
        assert not row.error_code, row
        if not row.records:
            return found
        for batch in batches(bytes(row.records)):
            found.update({record.offset: record.key or b"" for record in decode_records(batch)})
            offset = read_header(batch).next_offset


def alter(client: Client, kind: int, name: str, key: str, value: str) -> None:
    change = IncrementalAlterConfigsRequest.AlterConfigsResource.AlterableConfig(name=key, config_operation=0, value=value)
    resource = IncrementalAlterConfigsRequest.AlterConfigsResource(resource_type=kind, resource_name=name, configs=[change])
    assert client.call(IncrementalAlterConfigsRequest(resources=[resource]), 1).responses[0].error_code == 0


def rounds_told(node: Node, topic: str) -> list[tuple[int, int, float]]:
    """(from offset, to offset, seconds) of each cleaning that the node tells of."""
    text = node.output.read_text(errors="replace")
    pattern = rf"<{topic}-0> was compacted from offset (\d+) to (\d+): .* in ([\d.]+) s"
    return [(int(first), int(last), float(seconds)) for first, last, seconds in re.findall(pattern, text)]


def threads_of(node: Node) -> int:
    assert node.process is not None
    return len(list(Path(f"/proc/{node.process.pid}/task").iterdir()))


def test_what_is_cleaned_and_when(barnabas_nodes: NodeFactory) -> None:
    """cleanup.policy, min.cleanable.dirty.ratio, min.compaction.lag.ms, max.compaction.lag.ms, delete.retention.ms, log.cleaner.backoff.ms."""
    node = barnabas_nodes(EAGER)
    create_topics(node.port, "clean", "graveless", configs={**COMPACT, "delete.retention.ms": "0"})
    create_topics(node.port, "graves", configs=COMPACT)
    create_topics(node.port, "patient", configs={**COMPACT, "min.cleanable.dirty.ratio": "1"})
    create_topics(node.port, "overdue", configs={**COMPACT, "min.cleanable.dirty.ratio": "1", "max.compaction.lag.ms": "1", "segment.ms": "1000000"})
    create_topics(node.port, "young", configs={**COMPACT, "min.compaction.lag.ms": str(HOUR_MS)})
    create_topics(node.port, "both", configs={**COMPACT, "cleanup.policy": "compact,delete", "retention.ms": "1"})
    with client_of(node) as client:
        assert put(client, "clean", 0, records(b"no key")).error_code == Error.INVALID_RECORD
        for topic in ("clean", "graves", "patient", "overdue", "young", "both"):
            fill(client, topic)
        kept = [b"a", b"b", b"c", b"end", b"end"]
        wait_until(lambda: left(node, "graves") == [b"d", *kept])
        wait_until(lambda: set(left(node, "overdue")) == {b"a", b"b", b"c", b"d", b"end"} and len(left(node, "overdue")) < 12)
        wait_until(lambda: earliest(client, "both") > 0)
        for _ in range(2):
            for topic in ("clean", "graves"):
                assert put(client, topic, 0, keyed((b"end", b"z" * 200))).error_code == 0
        wait_until(lambda: (found := left(node, "clean")) and b"d" not in found)  # the second pass takes the tombstone that the first one marked
        wait_until(lambda: left(node, "graves").count(b"end") == 2)
        assert b"d" in left(node, "graves")
        assert len(left(node, "patient")) == len(left(node, "young")) == 34
        assert (checkpoint(node, CHECKPOINT, "graves") or 0) > 30
        alter(client, 2, "young", "min.compaction.lag.ms", "0")
        wait_until(lambda: left(node, "young") == [b"d", *kept])
        client.call(DeleteTopicsRequest(topic_names=["young"], timeout_ms=10_000), 5)
        wait_until(lambda: checkpoint(node, CHECKPOINT, "young") is None)
    assert node.stop() == 0


def test_a_small_table_takes_more_rounds(barnabas_nodes: NodeFactory) -> None:
    """log.cleaner.dedupe.buffer.size, log.cleaner.io.buffer.load.factor; and none at all without cleaners: log.cleaner.enable."""
    off = barnabas_nodes({**EAGER, "log.cleaner.enable": "false"})
    create_topics(off.port, "t", configs=COMPACT)
    with client_of(off) as client:
        fill(client, "t")
    small = {**EAGER, "log.cleaner.io.buffer.load.factor": "0.0001", "log.cleaner.io.buffer.size": "2"}
    few = barnabas_nodes({**small, "log.cleaner.dedupe.buffer.size": str(1200 * 1024)})
    many = barnabas_nodes({**small, "log.cleaner.dedupe.buffer.size": str(24 * 1024 * 1024)})
    for node in (few, many):
        create_topics(node.port, "t", configs={**COMPACT, "internal.segment.bytes": "4000", "cleanup.policy": "delete"})
        with client_of(node) as client:
            for number in range(60):
                assert put(client, "t", 0, keyed((b"%d" % (number % 20), b"x" * 50))).error_code == 0
            for _ in range(2):
                assert put(client, "t", 0, keyed((b"end", b"x" * 3900))).error_code == 0
            alter(client, 2, "t", "cleanup.policy", "compact")  # not before all is there
        wait_until(lambda: left(node, "t") == [b"%d" % number for number in range(20)] + [b"end"] * 2)  # noqa: B023
    wait_until(lambda: rounds_told(many, "t"))
    assert len(rounds_told(many, "t")) == 1
    wait_until(lambda: len(rounds_told(few, "t")) > 2)
    assert len(left(off, "t")) == 34


def test_pace_and_threads(barnabas_nodes: NodeFactory) -> None:
    """log.cleaner.io.max.bytes.per.second, log.cleaner.threads."""
    node = barnabas_nodes({**EAGER, "log.cleaner.io.max.bytes.per.second": "20000"})
    create_topics(node.port, "slow", configs={**COMPACT, "internal.segment.bytes": "20000"})
    with client_of(node) as client:
        for _ in range(2):
            assert put(client, "slow", 0, keyed(*[(b"k", b"x" * 1000)] * 19)).error_code == 0
        wait_until(lambda: rounds_told(node, "slow") != [])
        assert rounds_told(node, "slow")[0][2] > 0.5
        before = threads_of(node)
        alter(client, 4, "", "log.cleaner.threads", "2")
        wait_until(lambda: threads_of(node) > before)
        alter(client, 4, "", "log.cleaner.threads", "1")
        wait_until(lambda: threads_of(node) == before)


def test_killed_while_it_compacts(barnabas_nodes: NodeFactory) -> None:
    """Producers' sequences go on, and each key has its last value, after kill -9 at any time (T24)."""
    node = barnabas_nodes({"log.cleaner.backoff.ms": "1"})
    create_topics(node.port, "t", configs=COMPACT)
    written: dict[bytes, int] = {}
    sequence = 0
    for turn in range(3):
        with client_of(node) as client:
            for number in range(120):
                key = b"%d" % (number * 7 % 25)
                row = put(client, "t", 0, keyed((key, b"x%d.%d" % (turn, number)), producer=(4000, 0, sequence)))
                assert row.error_code == 0
                written[key] = row.base_offset
                sequence += 1
        node.kill()
        node.start()
        with client_of(node) as client:
            found = {key: offset for offset, key in sorted(read_keys(client, "t").items())}
        assert found == written
    assert node.stop() == 0
    assert [path.name for path in (node.log_dir / "t-0").iterdir() if path.suffix in (".cleaned", ".swap")] == []


def test_committed_offsets(barnabas_nodes: NodeFactory) -> None:
    """The coordinators' topic shrinks while it is used, and a coordinator that loads it finds what was committed last."""
    node = barnabas_nodes({**EAGER, "offsets.topic.num.partitions": "1", "offsets.topic.segment.bytes": str(1 << 20)})
    create_topics(node.port, "t", partitions=100)

    def commit(client: Client, offset: int) -> None:
        partitions = [OffsetCommitRequest.Topic.Partition(partition_index=index, committed_offset=offset + index) for index in range(100)]
        topics = [OffsetCommitRequest.Topic(name="t", partitions=partitions)]
        found = client.call(OffsetCommitRequest(group_id="g", generation_id_or_member_epoch=-1, member_id="", topics=topics), 8)
        assert {row.error_code for row in found.topics[0].partitions} == {0}

    def log_bytes() -> int:
        with contextlib.suppress(FileNotFoundError):
            return sum(path.stat().st_size for path in (node.log_dir / "__consumer_offsets-0").glob("*.log"))
        return 1 << 30

    with client_of(node) as client:
        wait_until(lambda: client.call(FindCoordinatorRequest(key="g"), 3).error_code == 0)
        wait_until(lambda: client.call(OffsetFetchRequest(group_id="g", topics=None), 7).error_code == 0)
        for number in range(250):
            commit(client, number)
        wait_until(lambda: (checkpoint(node, CHECKPOINT, "__consumer_offsets") or 0) > 5_000)
        wait_until(lambda: log_bytes() < 1_300_000)  # the active segment, and one record of each key
    node.kill()
    node.start()
    with client_of(node) as client:
        wait_until(lambda: client.call(FindCoordinatorRequest(key="g"), 3).error_code == 0)
        wait_until(lambda: client.call(OffsetFetchRequest(group_id="g", topics=None), 7).error_code == 0)
        topics = [OffsetFetchRequest.Topic(name="t", partition_indexes=list(range(100)))]
        found = client.call(OffsetFetchRequest(group_id="g", topics=topics), 5)
        assert {row.partition_index: row.committed_offset for row in found.topics[0].partitions} == {index: 249 + index for index in range(100)}


def test_made_again_while_the_node_was_down(cluster_of: ClusterFactory) -> None:
    """A topic of the same name is another log: what was cleaned of the first one isn't clean of the second, or what is deleted there would come back."""
    cluster = cluster_of(Plan([SUBJECT] * 2, controllers=[1], overrides={"log.cleaner.backoff.ms": "1000"}))
    controller, node = cluster.start().members.values()
    with contextlib.closing(at(controller)) as client:
        make(client, COMPACT, node.node_id)
        with contextlib.closing(at(node)) as writer:
            wait_until(lambda: put(writer, "t", 0, keyed((b"a", b""))).error_code == 0)
            fill(writer, "t", rounds=30)
            wait_until(lambda: (checkpoint(node, CHECKPOINT, "t") or 0) > 60)
        node.kill()
        rounds = len(rounds_told(node, "t"))
        assert client.call(DeleteTopicsRequest(topic_names=["t"], timeout_ms=10_000), 5).responses[0].error_code == 0
        cluster.start([node])
        make(client, COMPACT, node.node_id)
    with contextlib.closing(at(node)) as writer:
        wait_until(lambda: put(writer, "t", 0, keyed((b"a", b""))).error_code == 0)
        fill(writer, "t", rounds=30)
        wait_until(lambda: len(rounds_told(node, "t")) > rounds)
        assert rounds_told(node, "t")[rounds][0] == 0


def make(client: Client, configs: dict[str, str], node_id: int) -> None:
    """The topic, on one node."""
    Topic = CreateTopicsRequest.CreatableTopic
    entries = [Topic.CreatableTopicConfig(name=name, value=value) for name, value in configs.items()]
    placed = [Topic.CreatableReplicaAssignment(partition_index=0, broker_ids=[node_id])]
    topic = Topic(name="t", num_partitions=-1, replication_factor=-1, configs=entries, assignments=placed)
    wait_until(lambda: client.call(CreateTopicsRequest(topics=[topic], timeout_ms=10_000), 7).topics[0].error_code == 0)


def at(member: Member) -> Client:
    return Client(member.port, member.address()[0])


def test_a_full_disk(small_disk: SmallDisk, barnabas_nodes: NodeFactory, tmp_path: Path) -> None:
    """What lies on it isn't cleaned and isn't lost; what lies elsewhere is cleaned meanwhile. It goes on when there is room."""
    dirs = {"log.dirs": f"{small_disk.path / 'log'},{tmp_path / 'other'}", "metadata.log.dir": str(tmp_path / "other")}
    node = barnabas_nodes(EAGER | dirs)
    with client_of(node) as client:
        for topic, directory in (("full", small_disk.path / "log"), ("free", tmp_path / "other")):
            create_topics(node.port, topic, configs={**COMPACT, "min.cleanable.dirty.ratio": "1", "internal.segment.bytes": "20000"})
            assert (directory / f"{topic}-0").is_dir()
            for number in range(200):
                assert put(client, topic, 0, keyed((b"%d" % (number % 100), b"x" * 1000))).error_code == 0
        small_disk.fill()
        for topic in ("full", "free"):
            alter(client, 2, topic, "min.cleanable.dirty.ratio", "0")
        wait_until(lambda: "is not compacted until there is room again" in node.output.read_text(errors="replace"))
        wait_until(lambda: rounds_told(node, "free"))
        assert not rounds_told(node, "full")
        newest = {b"%d" % number: 100 + number for number in range(100)}
        assert {key: offset for offset, key in sorted(read_keys(client, "full").items())} == newest
        small_disk.make_room()
        wait_until(lambda: rounds_told(node, "full"))
        found = read_keys(client, "full")
        assert len(found) < 200
        assert {key: offset for offset, key in sorted(found.items())} == newest
        assert put(client, "full", 0, keyed((b"more", b""))).error_code == 0
    assert node.stop() == 0
