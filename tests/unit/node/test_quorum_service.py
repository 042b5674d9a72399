"""What replicas of the metadata log are told: Fetch, FetchSnapshot, Vote (Q3-Q7, Q24-Q27, Q31, Q39-Q43)."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from barnabas.core.quorum.log_shape import TOPIC_ID
from barnabas.node.metadata_start import bootstrap_records
from barnabas.node.quorum_service import QuorumService
from barnabas.wire.errors import Error
from barnabas.wire.messages.fetch import FetchRequest, FetchResponse
from barnabas.wire.messages.fetch_snapshot import FetchSnapshotRequest
from barnabas.wire.messages.vote import VoteRequest
from barnabas.wire.schema import Message


def _beside(name: str) -> ModuleType:
    """The other test's host of a metadata log."""
    specification = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert specification is not None and specification.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


logs = _beside("test_metadata_log")
Part = FetchRequest.Topic.Partition


class Asker:
    def __init__(self, directory: Path) -> None:
        self.host = logs.Host(logs.formatted(directory))
        self.service = QuorumService(self.host.log)

    def on_control_thread(self, work: Callable[[Callable[[Message], object]], object]) -> Message:
        found: list[Message] = []
        self.host.loop.call(work, found.append)
        self.host.until(lambda: bool(found))
        return found[0]

    def request(self, offset: int, last_epoch: int, *, epoch: int = 1, wait_ms: int = 0, cluster: str | None = "c", known: int = -1) -> FetchRequest:
        partition = Part(
            partition=0,
            current_leader_epoch=epoch,
            fetch_offset=offset,
            last_fetched_epoch=last_epoch,
            partition_max_bytes=0,
            replica_directory_id=b"o" * 16,
            high_watermark=known,
        )
        return FetchRequest(
            cluster_id=cluster,
            replica_state=FetchRequest.ReplicaState(replica_id=5, replica_epoch=-1),
            max_wait_ms=wait_ms,
            min_bytes=0,
            max_bytes=1024,
            topics=[FetchRequest.Topic(topic_id=TOPIC_ID, partitions=[partition])],
        )

    def fetch(self, *arguments: int, **options: object) -> FetchResponse:
        request = self.request(*arguments, **options)  # type: ignore[arg-type]
        response = self.on_control_thread(lambda reply: self.service.ask(request, 18, reply))
        assert isinstance(response, FetchResponse)
        response.encode(18)
        return response

    def row(self, *arguments: int, **options: object) -> FetchResponse.FetchableTopicResponse.PartitionData:
        return self.fetch(*arguments, **options).responses[0].partitions[0]


@pytest.fixture
def asker(tmp_path: Path) -> Iterator[Asker]:
    made = Asker(tmp_path)
    yield made
    made.host.stop()


def test_an_observer_gets_the_log_the_watermark_and_the_leader(asker: Asker) -> None:
    response = asker.fetch(0, 0)
    row = response.responses[0].partitions[0]
    assert (row.error_code, row.high_watermark, row.log_start_offset) == (0, 3, 0)
    assert row.records and (row.current_leader.leader_id, row.current_leader.leader_epoch) == (1, 1)
    assert [(node.node_id, node.host, node.port) for node in response.node_endpoints] == [(1, "localhost", 9093)]
    assert asker.row(3, 1).records == b""
    described: list[object] = []
    asker.host.loop.call(lambda: described.append(asker.host.log.describe()))
    asker.host.until(lambda: bool(described))
    assert [(seen.id, seen.log_end_offset) for seen in described[0].observers] == [(5, 3)]  # type: ignore[attr-defined]


def test_mistakes_are_answered_as_apache_does(asker: Asker) -> None:
    assert asker.fetch(0, 0, cluster="x").error_code == Error.INCONSISTENT_CLUSTER_ID
    assert asker.row(0, 0, epoch=0).error_code == Error.FENCED_LEADER_EPOCH
    assert asker.row(0, 0, epoch=2).error_code == Error.UNKNOWN_LEADER_EPOCH
    assert asker.row(-1, 0).error_code == Error.INVALID_REQUEST
    assert asker.row(0, 0, cluster=None).error_code == 0
    diverging = asker.row(9, 1).diverging_epoch
    assert (diverging.epoch, diverging.end_offset) == (1, 3)


def test_who_is_up_to_date_waits_for_news(asker: Asker) -> None:
    answers: list[FetchResponse] = []
    asker.host.loop.call(asker.service.ask, asker.request(3, 1, wait_ms=60_000, known=3), 18, answers.append)
    asker.host.append(logs.topic(1))
    asker.host.until(lambda: bool(answers))
    assert answers[0].responses[0].partitions[0].records
    assert asker.row(4, 1, wait_ms=20, known=4).records == b""  # nothing came
    assert asker.row(4, 1, wait_ms=60_000, known=3).high_watermark == 4  # the watermark is news


def test_a_snapshot_is_offered_and_given_in_pieces(asker: Asker) -> None:
    asker.host.loop.call(lambda: asker.host.log.append(bootstrap_records(asker.host.log.directory + "/.."), lambda record: 0))
    asker.host.append(logs.topic(1))
    asker.host.loop.call(asker.host.log.snapshot, asker.host.listener.loader.image)
    asker.host.until(lambda: len(asker.host.log.snapshots.ids) == 2)
    offered = asker.row(0, 0).snapshot_id
    expected = Path(asker.host.log.snapshots.path(asker.host.log.snapshots.ids[-1])).read_bytes()
    whole = b""
    while len(whole) < len(expected):
        whole += ask_for_snapshot(asker, offered.end_offset, offered.epoch, len(whole))[1]
    assert whole == expected
    assert ask_for_snapshot(asker, offered.end_offset, offered.epoch, len(expected))[0] == Error.POSITION_OUT_OF_RANGE
    assert ask_for_snapshot(asker, 0, 0, 0)[0] == Error.SNAPSHOT_NOT_FOUND  # the bootstrap snapshot (D42)
    assert ask_for_snapshot(asker, 1, 1, 0)[0] == Error.SNAPSHOT_NOT_FOUND


def ask_for_snapshot(asker: Asker, end_offset: int, epoch: int, position: int) -> tuple[int, bytes]:
    piece = FetchSnapshotRequest.TopicSnapshot.PartitionSnapshot
    wanted = piece(partition=0, current_leader_epoch=1, snapshot_id=piece.SnapshotId(end_offset=end_offset, epoch=epoch), position=position)
    request = FetchSnapshotRequest(
        cluster_id="c", replica_id=5, max_bytes=100, topics=[FetchSnapshotRequest.TopicSnapshot(name="__cluster_metadata", partitions=[wanted])]
    )
    response = asker.on_control_thread(lambda reply: asker.service.ask(request, 1, reply))
    response.encode(1)
    row = response.topics[0].partitions[0]  # type: ignore[attr-defined]
    return row.error_code, bytes(row.unaligned_records)


@pytest.mark.parametrize(("epoch", "error"), [(0, Error.FENCED_LEADER_EPOCH), (1, Error.NONE)])
def test_no_vote_is_given(asker: Asker, epoch: int, error: Error) -> None:
    data = VoteRequest.TopicData.PartitionData(
        partition_index=0, replica_epoch=epoch, replica_id=7, last_offset_epoch=0, last_offset=0, pre_vote=True
    )
    request = VoteRequest(cluster_id="c", voter_id=1, topics=[VoteRequest.TopicData(topic_name="__cluster_metadata", partitions=[data])])
    response = asker.on_control_thread(lambda reply: asker.service.ask(request, 2, reply))
    response.encode(2)
    row = response.topics[0].partitions[0]  # type: ignore[attr-defined]
    assert (row.error_code, row.vote_granted, row.leader_id, row.leader_epoch) == (error, False, 1, 1)
