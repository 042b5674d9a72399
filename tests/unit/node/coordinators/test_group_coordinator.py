"""The coordinators' thread with real partitions: loading, batching, losing leadership, foreign writes, failing disks (G8-G11, W34)."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.core.groups.context import Caller
from barnabas.core.groups.partitioning import partition_for
from barnabas.core.groups.records import Offset, OffsetRecord
from barnabas.core.groups.settings import GroupSettings
from barnabas.core.partition.epochs import LeaderEpochs
from barnabas.core.partition.producers import ProducerStates
from barnabas.node.coordinators.group_coordinator import GroupCoordinator
from barnabas.node.loop import Loop
from barnabas.node.partition import Partition
from barnabas.storage.log import Log
from barnabas.storage.log_config import LogConfig
from barnabas.wire.errors import Error
from barnabas.wire.messages.heartbeat import HeartbeatRequest
from barnabas.wire.messages.join_group import JoinGroupRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from barnabas.wire.records.batch import iterate_headers
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record
from barnabas.wire.records.validation import AppendRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from barnabas.wire.records.batch import BatchHeader

COUNT = 4
WAIT_S = 10.0


class Stand:
    """A coordinator on its loop, and partitions on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.warnings: list[str] = []
        self.failures: list[BaseException] = []
        self.loop = Loop("coordinators", self.failures.append)
        self.settings = GroupSettings(initial_rebalance_delay_ms=0, max_batch_bytes=100_000)
        self.coordinator = GroupCoordinator(self.loop, lambda: COUNT, lambda: self.settings, warn=self.warnings.append)
        self.loop.start()

    def partition(self, index: int) -> Partition:
        path = self.root / f"__consumer_offsets-{index}"
        path.mkdir(exist_ok=True)
        producers, epochs = ProducerStates(86_400_000), LeaderEpochs()
        log = Log.open(path, LogConfig(), recovery_point=0, clean=False, log_start_offset=0, producers=producers, epochs=epochs, now_ms=1)
        rules = AppendRules(max_message_bytes=100_000)
        return Partition("__consumer_offsets", index, bytes(16), log, producers, epochs, rules, bytes(16), lambda partition, error: None)

    def lead(self, index: int, epoch: int = 0) -> Partition:
        partition = self.partition(index)
        partition.lead(epoch)
        self.coordinator.elect(partition, epoch)
        return partition

    def ask(self, call: Callable[..., None], *arguments: Any) -> Any:
        """The answer to one call."""
        return self.ask_all([(call, arguments)])[0]

    def hold(self) -> threading.Event:
        """The loop does nothing more until this is set."""
        held = threading.Event()
        self.loop.call(held.wait, WAIT_S)
        return held

    def ask_all(self, calls: list[tuple[Callable[..., None], tuple[Any, ...]]], held: threading.Event | None = None) -> list[Any]:
        """The answers to several calls, which the loop finds together where it is `held` meanwhile."""
        answers: dict[int, Any] = {}
        all_here = threading.Event()

        def put(number: int, answer: Any) -> None:
            assert number not in answers
            answers[number] = answer
            if len(answers) == len(calls):
                all_here.set()

        for number, (call, arguments) in enumerate(calls):
            call(*arguments, lambda answer, number=number: put(number, answer))
        if held is not None:
            held.set()
        assert all_here.wait(WAIT_S), f"{len(answers)} of {len(calls)} calls were answered"
        return [answers[number] for number in range(len(calls))]

    def commit(self, group: str, offset: int) -> int:
        return int(self.ask(self.coordinator.commit_offsets, commit_request(group, offset), 9).topics[0].partitions[0].error_code)

    def fetch(self, *groups: str, stable: bool = False) -> list[Any]:
        topics = [OffsetFetchRequest.Group.Topics(name="t", partition_indexes=[0])]
        requests = [OffsetFetchRequest.Group(group_id=group, topics=topics) for group in groups]
        answers = self.ask(self.coordinator.fetch_offsets, requests, stable, 9)
        return [Error(answer.error_code) if answer.error_code else answer.topics[0].partitions[0].committed_offset for answer in answers]


def commit_request(group: str, offset: int, metadata: str = "") -> OffsetCommitRequest:
    row = OffsetCommitRequest.Topic.Partition(partition_index=0, committed_offset=offset, committed_metadata=metadata)
    return OffsetCommitRequest(group_id=group, topics=[OffsetCommitRequest.Topic(name="t", topic_id=b"t" * 16, partitions=[row])])


def batches(partition: Partition) -> list[BatchHeader]:
    data = b"".join(path.read_bytes() for path in sorted(Path(partition.log.directory).glob("*.log")))
    return [header for _, header in iterate_headers(data)]


def group_in(index: int, number: int = 0) -> str:
    return [name for name in (f"group{i}" for i in range(1000)) if partition_for(name, COUNT) == index][number]


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    made.coordinator.close()
    made.loop.stop()
    assert made.loop.join(WAIT_S)
    assert not made.failures


def test_commits_survive_a_new_leader(stand: Stand) -> None:
    group = group_in(1)
    partition = stand.lead(1)
    assert stand.commit(group, 5) == 0
    assert stand.fetch(group) == [5]
    stand.coordinator.resign(1, 1)
    assert stand.fetch(group) == [Error.NOT_COORDINATOR]
    assert stand.commit(group, 6) == Error.NOT_COORDINATOR
    partition.log.close()
    stand.lead(1, 2)
    assert stand.fetch(group) == [5]
    assert not stand.warnings


def test_several_groups_in_one_request(stand: Stand) -> None:
    stand.lead(1)
    stand.lead(2)
    here, there, elsewhere = group_in(1), group_in(2), group_in(3)
    stand.commit(here, 5)
    stand.commit(there, 7)
    assert stand.fetch(there, elsewhere, here) == [7, Error.NOT_COORDINATOR, 5]
    assert stand.fetch(there, elsewhere, here, stable=True) == [7, Error.NOT_COORDINATOR, 5]
    assert stand.fetch() == []
    described = stand.ask(stand.coordinator.describe_groups, [here, elsewhere], 6)
    assert [(group.group_id, group.group_state, group.error_code) for group in described] == [(here, "Empty", 0), (elsewhere, "", 16)]
    listed = stand.ask(stand.coordinator.list_groups, [], [])
    assert {group.group_id for group in listed.groups} == {here, there}
    deleted = stand.ask(
        stand.coordinator.delete_groups, [here, elsewhere, "unknown-in-1" if partition_for("unknown-in-1", COUNT) == 1 else group_in(1, 9)]
    )
    assert sorted(result.error_code for result in deleted) == [0, 16, 69]


def test_commits_that_come_together_share_a_batch(stand: Stand) -> None:
    partition = stand.lead(0)
    stand.fetch(group_in(0))  # it is loaded now
    held = stand.hold()
    calls = [(stand.coordinator.commit_offsets, (commit_request(group_in(0, number), number), 9)) for number in range(50)]
    answers = stand.ask_all(calls, held)
    assert all(answer.topics[0].partitions[0].error_code == 0 for answer in answers)
    (header,) = batches(partition)
    assert (header.count, header.producer_id, header.base_sequence, header.attributes) == (50, -1, 0, 0)


def test_a_full_batch_is_written_before_the_next_operation(stand: Stand) -> None:
    partition = stand.lead(0)
    stand.fetch(group_in(0))
    held = stand.hold()
    calls = [(stand.coordinator.commit_offsets, (commit_request(group_in(0, number), number, "x" * 4000), 9)) for number in range(60)]
    stand.ask_all(calls, held)
    found = batches(partition)
    assert len(found) == 3
    assert sum(header.count for header in found) == 60
    assert all(header.size <= 100_000 for header in found)


def test_a_log_of_many_steps_is_loaded_whole(stand: Stand) -> None:
    partition = stand.partition(0)
    partition.lead(0)
    for number in range(300):
        partition.append_own(bytearray(commit_batch(group_in(0, number % 20), number, "x" * 1000)), 1, 1)
    assert partition.log.end_offset == 300
    stand.coordinator.elect(partition, 0)
    wait_until(lambda: stand.fetch(group_in(0)) == [280])
    assert stand.fetch(*(group_in(0, number) for number in range(20))) == list(range(280, 300))


def test_retention_lets_go_of_the_log_s_head_while_it_is_loaded(stand: Stand) -> None:
    partition = stand.partition(0)
    partition.lead(0)
    for number in range(200):
        partition.append_own(bytearray(commit_batch(group_in(0), number, "x" * 1000)), 1, 1)
    held = stand.hold()
    stand.coordinator.elect(partition, 0)
    stand.loop.call(partition.log.set_start_offset, 150)  # between the first step of loading and the second
    held.set()
    wait_until(lambda: stand.fetch(group_in(0)) == [199])
    assert not stand.warnings


def test_what_a_new_leader_loads_is_shown_once_it_is_committed(stand: Stand) -> None:
    """Other replicas may not have the log's tail yet: with the next leader it may be gone."""
    partition = stand.partition(0)
    partition.lead(0)
    for number in range(3):
        partition.append_own(bytearray(commit_batch(group_in(0, number % 2), number, "")), 1, 1)
    partition.high_watermark = 1
    stand.coordinator.elect(partition, 0)
    wait_until(lambda: stand.fetch(group_in(0)) == [0])
    assert stand.fetch(group_in(0, 1)) == [-1]
    assert [group.group_id for group in stand.ask(stand.coordinator.list_groups, [], []).groups] == [group_in(0)]
    stable: list[Any] = []
    topics = [OffsetFetchRequest.Group.Topics(name="t", partition_indexes=[0])]
    stand.coordinator.fetch_offsets([OffsetFetchRequest.Group(group_id=group_in(0), topics=topics)], True, 9, stable.append)
    assert stand.fetch(group_in(0)) == [0] and not stable
    partition.high_watermark = 3
    for wake in partition._take_waiters():
        wake()
    wait_until(lambda: stand.fetch(group_in(0), group_in(0, 1)) == [2, 1])
    assert [answer.topics[0].partitions[0].committed_offset for (answer,) in stable] == [2]


def test_what_commits_while_a_new_leader_loads_is_shown_at_once(stand: Stand) -> None:
    partition = stand.partition(0)
    partition.lead(0)
    for number in range(200):
        partition.append_own(bytearray(commit_batch(group_in(0), number, "x" * 1000)), 1, 1)
    partition.high_watermark = 1
    held = stand.hold()
    stand.coordinator.elect(partition, 0)
    stand.loop.call(setattr, partition, "high_watermark", 200)  # between the first step of loading and the second
    held.set()
    wait_until(lambda: stand.fetch(group_in(0)) == [199])


def commit_batch(group: str, offset: int, metadata: str) -> bytes:
    key, value = OffsetRecord(group, "t", 0, Offset(offset, -1, metadata, 1, -1, b"t" * 16)).encode()
    return build_batch([Record(timestamp=1, key=key, value=value)])


def test_while_loading_calls_are_refused_and_heartbeats_are_not(stand: Stand) -> None:
    partition = stand.partition(0)
    partition.lead(0)
    for number in range(200):
        partition.append_own(bytearray(commit_batch(group_in(0), number, "x" * 1000)), 1, 1)
    held = stand.hold()
    stand.coordinator.elect(partition, 0)
    beat = HeartbeatRequest(group_id=group_in(0), generation_id=1, member_id="m")
    coordinator = stand.coordinator
    commit_1 = (commit_request(group_in(0), 1), 9)
    calls: list[Any] = [(coordinator.commit_offsets, commit_1), (coordinator.heartbeat, (beat,)), (coordinator.list_groups, ([], []))]
    commit, heartbeat, listed = stand.ask_all(calls, held)
    assert commit.topics[0].partitions[0].error_code == Error.COORDINATOR_LOAD_IN_PROGRESS
    assert heartbeat.error_code == Error.NONE
    assert listed.error_code == Error.COORDINATOR_LOAD_IN_PROGRESS
    wait_until(lambda: stand.fetch(group_in(0)) == [199])


def test_an_unknown_version_makes_the_partition_unusable(stand: Stand) -> None:
    partition = stand.partition(0)
    partition.lead(0)
    partition.append_own(bytearray(build_batch([Record(timestamp=1, key=b"\x00\x02\x00\x01g", value=b"\x00\x09")])), 1, 1)
    stand.coordinator.elect(partition, 0)
    assert stand.fetch(group_in(0)) == [Error.NOT_COORDINATOR]
    assert "can't be loaded at offset 0" in stand.warnings[0]


def test_losing_the_partition_answers_who_waits(stand: Stand) -> None:
    group = group_in(0)
    stand.lead(0)
    protocols = [JoinGroupRequest.Protocol(name="range", metadata=b"")]
    request = JoinGroupRequest(
        group_id=group, session_timeout_ms=10_000, rebalance_timeout_ms=60_000, member_id="", protocol_type="x", protocols=protocols
    )
    leader = stand.ask(stand.coordinator.join_group, request, Caller("c", "/h", 3))
    assert leader.generation_id == 1
    threading.Timer(0.1, stand.coordinator.resign, (0, 0)).start()
    assert stand.ask(stand.coordinator.join_group, request, Caller("c", "/h", 3)).error_code == Error.NOT_COORDINATOR


def test_a_retired_partition_takes_no_commit(stand: Stand) -> None:
    partition = stand.lead(0)
    assert stand.commit(group_in(0), 1) == 0
    partition.retire()
    assert stand.commit(group_in(0), 2) == Error.NOT_COORDINATOR
    assert stand.fetch(group_in(0)) == [1]


def test_old_news_is_ignored(stand: Stand) -> None:
    partition = stand.lead(0, 5)
    stand.coordinator.resign(0, 4)
    stand.coordinator.elect(partition, 4)
    assert stand.commit(group_in(0), 1) == 0
    stand.coordinator.elect(partition, 6)  # the same leader in a new epoch keeps its state
    assert stand.fetch(group_in(0)) == [1]


def test_a_foreign_write_means_loading_anew(stand: Stand) -> None:
    """An administrative client may write to the topic; the shard's offsets would be wrong from then on."""
    partition = stand.lead(0)
    assert stand.commit(group_in(0), 1) == 0
    partition.append_own(bytearray(commit_batch(group_in(0), 77, "")), 1, 1)
    assert stand.commit(group_in(0, 1), 2) == Error.NOT_COORDINATOR
    wait_until(lambda: stand.fetch(group_in(0)) == [77])
    assert stand.fetch(group_in(0, 1)) == [2]
    assert "somebody else" in stand.warnings[0]


def test_sessions_end_by_the_loop_s_timer(stand: Stand) -> None:
    stand.settings = GroupSettings(initial_rebalance_delay_ms=0, min_session_timeout_ms=1)
    partition = stand.lead(0)
    protocols = [JoinGroupRequest.Protocol(name="range", metadata=b"")]
    request = JoinGroupRequest(
        group_id=group_in(0), session_timeout_ms=60, rebalance_timeout_ms=60, member_id="", protocol_type="x", protocols=protocols
    )
    assert stand.ask(stand.coordinator.join_group, request, Caller("c", "/h", 3)).generation_id == 1
    wait_until(lambda: stand.ask(stand.coordinator.describe_groups, [group_in(0)], 6)[0].group_state == "Empty")
    assert partition.log.end_offset == 2  # the group's making, and its end


def test_sessions_end_though_the_clock_was_set(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever partition comes to know of it: the others' sessions end in their time too, without anybody asking for their groups."""
    stand.settings = GroupSettings(initial_rebalance_delay_ms=0, min_session_timeout_ms=1)
    stand.lead(0)
    stand.lead(1)
    protocols = [JoinGroupRequest.Protocol(name="range", metadata=b"")]
    request = JoinGroupRequest(
        group_id=group_in(0), session_timeout_ms=500, rebalance_timeout_ms=500, member_id="", protocol_type="x", protocols=protocols
    )
    assert stand.ask(stand.coordinator.join_group, request, Caller("c", "/h", 3)).generation_id == 1
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 3_600_000_000_000)
    assert stand.commit(group_in(1), 1) == 0
    wait_until(lambda: stand.ask(stand.coordinator.describe_groups, [group_in(0)], 6)[0].group_state == "Empty")


def test_a_deleted_topic_takes_its_offsets_along(stand: Stand) -> None:
    stand.lead(0)
    assert stand.commit(group_in(0), 1) == 0
    stand.coordinator.forget_topics([("t", b"u" * 16)])
    assert stand.fetch(group_in(0)) == [1]
    stand.coordinator.forget_topics([("t", b"t" * 16)])
    wait_until(lambda: stand.fetch(group_in(0)) == [-1])


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
