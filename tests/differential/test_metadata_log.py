"""The metadata log between the engines: Apache's tools read ours, Apache starts on ours, we go on with Apache's (D22-D44, Q10, M13)."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from barnabas.core.metadata.image import MetadataImage
from barnabas.core.metadata.record_versions import record_version
from barnabas.core.quorum.voters import Endpoint, Voter, VoterSet
from barnabas.node.loop import Loop
from barnabas.node.metadata_batches import MetadataBatch
from barnabas.node.metadata_files import MetadataLogSettings
from barnabas.node.metadata_loader import MetadataLoader
from barnabas.node.metadata_log import MetadataLog
from barnabas.node.metadata_start import DIRECTORY, bootstrap_records
from barnabas.storage.meta_properties import read_meta_properties
from barnabas.wire.logs.cluster_metadata import (
    BeginTransactionRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    NoOpRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    TopicRecord,
)
from barnabas.wire.messages.describe_quorum import DescribeQuorumRequest
from barnabas.wire.schema import Message
from tests import nodes
from tests.differential.tools import by_apache
from tests.differential.transcript import Client

if TYPE_CHECKING:
    NodeFactory = Callable[..., nodes.Node]

pytestmark = pytest.mark.apache

TOPIC_ID = bytes(range(16))


class Host:
    """A metadata log of ours, led, with an image."""

    def __init__(self, directory: Path, endpoint: tuple[str, int] = ("127.0.0.1", 9093), static: VoterSet | None = None) -> None:
        self.loader = MetadataLoader()
        self.committed_offset = -1
        self.loop = Loop("control", self.failed)
        self.failures: list[BaseException] = []
        meta = read_meta_properties(str(directory))
        assert meta.directory_id is not None and meta.node_id is not None
        local = Voter(meta.node_id, meta.directory_id, (Endpoint("CONTROLLER", *endpoint),))
        clock: Callable[[], int] = lambda: int(time.time() * 1000)  # noqa: E731
        self.log = MetadataLog(str(directory), local, static or VoterSet(), MetadataLogSettings(), self, self.loop, clock, self.failed)
        self.loader.publish()
        self.log.start()
        self.loop.start()
        self.log.run()

    def failed(self, error: BaseException) -> None:
        self.failures.append(error)

    def load_snapshot(self, records: Iterator[Message], last_offset: int, epoch: int, timestamp_ms: int) -> None:
        self.loader.load_snapshot(records, last_offset, epoch, timestamp_ms)

    def loaded(self, batch: MetadataBatch) -> None:
        self.loader.replay(batch)

    def appended(self, batch: MetadataBatch) -> None:
        pass

    def committed(self, last_offset: int, batches: Sequence[MetadataBatch]) -> None:
        for batch in batches:
            self.loader.replay(batch)
        self.loader.publish()
        self.committed_offset = last_offset

    def leading(self, epoch: int) -> None:
        pass

    def resigned(self, epoch: int) -> None:
        pass

    def leader_changed(self, leader_id: int, epoch: int) -> None:
        pass

    @property
    def image(self) -> MetadataImage:
        return self.loader.image

    def append(self, *records: Message, level: int = 30) -> int:
        offsets: list[int] = []
        self.loop.call(lambda: offsets.append(self.log.append(records, lambda record: record_version(record, level))))
        self._until(lambda: bool(offsets) and self.committed_offset >= offsets[0])
        return offsets[0]

    def snapshot(self) -> Path:
        self.loop.call(self.log.snapshot, self.image)
        self._until(lambda: self.log.snapshots.latest is not None and self.log.snapshots.latest.offset == self.image.offset + 1)
        assert self.log.snapshots.latest is not None
        return Path(self.log.snapshots.path(self.log.snapshots.latest))

    def stop(self) -> None:
        stopped: list[bool] = []
        self.loop.call(lambda: (self.log.stop(), stopped.append(True)))
        self._until(lambda: bool(stopped))
        self.loop.stop()
        self.loop.join(10)

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert not self.failures, self.failures
            assert time.monotonic() < deadline
            time.sleep(0.001)


def cluster_records(broker_epoch: int) -> list[Message]:
    """Records of several kinds that Apache can replay."""
    return [
        RegisterBrokerRecord(
            broker_id=1,
            incarnation_id=b"i" * 16,
            broker_epoch=broker_epoch,
            end_points=[RegisterBrokerRecord.BrokerEndpoint(name="PLAINTEXT", host="localhost", port=9092, security_protocol=0)],
            features=[RegisterBrokerRecord.BrokerFeature(name="metadata.version", min_supported_version=7, max_supported_version=30)],
            rack=None,
            log_dirs=[b"l" * 16],
        ),
        TopicRecord(name="orders", topic_id=TOPIC_ID),
        PartitionRecord(
            partition_id=0,
            topic_id=TOPIC_ID,
            replicas=[1],
            isr=[1],
            removing_replicas=[],
            adding_replicas=[],
            leader=1,
            leader_epoch=0,
            partition_epoch=0,
            directories=[b"l" * 16],
        ),
        PartitionChangeRecord(partition_id=0, topic_id=TOPIC_ID, leader=1),
        ConfigRecord(resource_type=2, resource_name="orders", name="retention.ms", value="1000"),
        ProducerIdsRecord(broker_id=1, broker_epoch=broker_epoch, next_producer_id=1000),
        NoOpRecord(),
    ]


def formatted(folder: Path, **overrides: str) -> nodes.Node:
    return nodes.new_node(nodes.BARNABAS, folder, {key.replace("_", "."): value for key, value in overrides.items()})


def controller_endpoint(node: nodes.Node) -> tuple[str, int]:
    host, _, port = node.properties["controller.quorum.bootstrap.servers"].rpartition(":")
    return host, int(port)


def filled(folder: Path) -> tuple[nodes.Node, Host]:
    """A new cluster with some metadata, its host still leading."""
    node = formatted(folder)
    host = Host(node.log_dir, controller_endpoint(node))
    host.append(BeginTransactionRecord(name="Bootstrap records"), *bootstrap_records(str(node.log_dir)), EndTransactionRecord())
    host.append(*cluster_records(host.log.end_offset))
    return node, host


def dumped(path: Path) -> list[dict[str, Any]]:
    """Records and batches as kafka-dump-log shows them."""
    status, output, _ = by_apache("kafka-dump-log", "--cluster-metadata-decoder", "--files", str(path))
    assert status == 0
    found: list[dict[str, Any]] = []
    for line in output.splitlines():
        if line.startswith("| offset:"):
            payload = re.search(r"payload: (\{.*\})$", line)
            control = re.search(r"(?:LeaderChange|KRaftVersion|KRaftVoters|SnapshotHeader|SnapshotFooter):? (\{.*\})", line)
            found.append({"line": line, "payload": json.loads(payload.group(1)) if payload else None, "control": control is not None})
        elif line.startswith("baseOffset:"):
            assert "isvalid: true" in line, line
    return found


def test_apaches_tools_read_log_and_snapshot(tmp_path: Path, apache_libs: Path) -> None:
    node, host = filled(tmp_path)
    image = host.image
    snapshot = host.snapshot()
    host.stop()
    assert image.topics.by_name["orders"].id == TOPIC_ID
    records = dumped(node.log_dir / DIRECTORY / f"{0:020d}.log")
    assert sum(record["control"] for record in records) == 3
    types = [record["payload"]["type"] for record in records if record["payload"]]
    assert types[:2] == ["BEGIN_TRANSACTION_RECORD", "FEATURE_LEVEL_RECORD"] and types[-1] == "NO_OP_RECORD"
    versions = {record["payload"]["type"]: record["payload"]["version"] for record in records if record["payload"]}
    assert versions["REGISTER_BROKER_RECORD"] == 4 and versions["PARTITION_RECORD"] == 2 and versions["PARTITION_CHANGE_RECORD"] == 2
    kept = [record["payload"]["type"] for record in dumped(snapshot) if record["payload"]]
    assert kept[:6] == ["FEATURE_LEVEL_RECORD"] * 6
    assert sorted(set(kept)) == sorted(
        ["FEATURE_LEVEL_RECORD", "REGISTER_BROKER_RECORD", "TOPIC_RECORD", "PARTITION_RECORD", "CONFIG_RECORD", "PRODUCER_IDS_RECORD"]
    )


def leader_epoch(node: nodes.Node) -> int:
    """Of the quorum, as its leader says."""
    topic = DescribeQuorumRequest.TopicData
    asked = DescribeQuorumRequest(topics=[topic(topic_name="__cluster_metadata", partitions=[topic.PartitionData(partition_index=0)])])
    with closing(Client(node.port)) as client:
        return int(client.call(asked, 2).topics[0].partitions[0].leader_epoch)


@pytest.mark.node
def test_apache_goes_on_with_ours_and_we_with_apaches(tmp_path: Path, apache_libs: Path) -> None:
    """With our log first; then with our snapshot and what was written after it."""
    node = formatted(tmp_path)
    host = Host(node.log_dir, controller_endpoint(node))
    host.append(BeginTransactionRecord(name="Bootstrap records"), *bootstrap_records(str(node.log_dir)), EndTransactionRecord())
    host.append(ConfigRecord(resource_type=4, resource_name="", name="min.insync.replicas", value="1"))
    host.append(ConfigRecord(resource_type=4, resource_name="", name="log.cleaner.threads", value="2"))
    epoch, end_offset = host.log.quorum.epoch, host.log.end_offset
    host.stop()
    apache = node.on(nodes.APACHE)
    try:
        apache.start()
        admin = AdminClient({"bootstrap.servers": apache.bootstrap})
        admin.create_topics([NewTopic("orders", 2, 1)])["orders"].result(30)
        assert leader_epoch(apache) == epoch + 1
        assert apache.stop() in (0, 143)
    finally:
        apache.kill()
    again = Host(node.log_dir, controller_endpoint(node))
    assert again.log.quorum.epoch == epoch + 2 and again.log.end_offset > end_offset
    assert len(again.image.topics.by_name["orders"].partitions) == 2
    assert again.image.config(4, "")["log.cleaner.threads"] == "2"
    assert again.image.features.finalized["transaction.version"] == 2 and again.log.kraft_version == 1
    again.snapshot()
    again.append(FeatureLevelRecord(name="share.version", feature_level=1))
    again.stop()
    try:
        apache.start()
        assert list(AdminClient({"bootstrap.servers": apache.bootstrap}).list_topics(timeout=30).topics) == ["orders"]
    finally:
        apache.kill()
    final = Host(node.log_dir, controller_endpoint(node))  # after a kill
    assert final.log.quorum.epoch == epoch + 4 and "orders" in final.image.topics.by_name
    final.stop()


@pytest.mark.node
def test_a_static_quorum_is_continued_by_both(tmp_path: Path, apache_libs: Path) -> None:
    properties = nodes.combined_properties(tmp_path)
    servers = properties.pop("controller.quorum.bootstrap.servers")
    properties["controller.quorum.voters"] = f"1@{servers}"
    path = nodes.write_properties(tmp_path / "server.properties", properties)
    apache = nodes.Node(nodes.APACHE, path).format(quorum=())
    static = VoterSet([Voter(1)])
    try:
        apache.start()
        assert apache.stop() in (0, 143)
        host = Host(apache.log_dir, static=static)
        assert host.log.kraft_version == 0 and 1 in host.image.cluster.brokers
        epoch = host.log.quorum.epoch
        host.stop()
        apache.start()
        apache.kill()
        host = Host(apache.log_dir, static=static)
        assert host.log.quorum.epoch == epoch + 2
        host.stop()
    finally:
        apache.kill()
        shutil.rmtree(apache.log_dir, ignore_errors=True)
