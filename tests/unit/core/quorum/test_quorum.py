"""A quorum of one: election, first records, commit, resignation (Q9-Q12, Q21, Q28-Q31, Q51, Q54, D35-D37, O9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from barnabas.core.quorum.events import (
    AppendControl,
    Appended,
    BecameLeader,
    Election,
    Flushed,
    HighWatermark,
    LostLeadership,
    Persist,
    RaiseKRaftVersion,
    Start,
    Stop,
)
from barnabas.core.quorum.log_shape import TOPIC_ID, LogShape
from barnabas.core.quorum.peer_events import Reply, Request
from barnabas.core.quorum.peers import FOREVER
from barnabas.core.quorum.quorum import Quorum, QuorumRefused
from barnabas.core.quorum.voters import ControlHistory, Endpoint, Voter, VoterSet
from barnabas.wire.errors import Error
from barnabas.wire.logs.raft import KRaftVersionRecord, LeaderChangeMessage, VotersRecord
from barnabas.wire.messages.fetch import FetchRequest
from barnabas.wire.schema import Message

if TYPE_CHECKING:
    from barnabas.core.quorum.events import Effect


DIRECTORY = b"d" * 16
LOCAL = Voter(1, DIRECTORY, (Endpoint("CONTROLLER", "localhost", 9093),))


def static_history(*ids: int) -> ControlHistory:
    return ControlHistory(VoterSet(Voter(voter_id) for voter_id in ids or (1,)))


def dynamic_history(offset: int, voter: Voter = LOCAL) -> ControlHistory:
    history = ControlHistory()
    history.replay(offset, KRaftVersionRecord(version=0, k_raft_version=1))
    history.replay(offset, VoterSet([voter]).to_record())
    return history


def first_records(history: ControlHistory, end_offset: int = 0) -> tuple[Message, ...]:
    *_, append = Quorum(LOCAL, history, None, LogShape(end_offset)).step(Start(), 0)
    assert isinstance(append, AppendControl)
    return append.records


def fetch(replica_id: int, offset: int) -> Request:
    partition = FetchRequest.Topic.Partition(
        partition=0, current_leader_epoch=1, fetch_offset=offset, last_fetched_epoch=1, partition_max_bytes=0, replica_directory_id=b"o" * 16
    )
    topic = FetchRequest.Topic(topic_id=TOPIC_ID, partitions=[partition])
    state = FetchRequest.ReplicaState(replica_id=replica_id, replica_epoch=-1)
    return Request(1, FetchRequest(replica_state=state, max_wait_ms=0, min_bytes=0, topics=[topic]), 18)


def committed(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, HighWatermark)]


def test_a_lone_voter_elects_itself_and_commits_what_is_flushed() -> None:
    quorum = Quorum(LOCAL, static_history(), Election(4, leader_id=1), LogShape(100, [(4, 0)]))
    persist, leader, append = quorum.step(Start(), 0)
    assert persist == Persist(Election(5, leader_id=1), 0, (1,))
    assert leader == BecameLeader(5, 100)
    assert isinstance(append, AppendControl) and append.epoch == 5
    assert quorum.high_watermark is None
    assert quorum.step(Flushed(100), 1) == []  # nothing of this epoch yet
    assert quorum.deadline_ms == FOREVER
    assert quorum.step(Flushed(101), 2) == [HighWatermark(101)]
    assert quorum.step(Flushed(101), 3) == []


def test_the_first_batch_names_leader_and_voters() -> None:
    (change,) = first_records(static_history())
    voter = LeaderChangeMessage.Voter(voter_id=1)
    assert change == LeaderChangeMessage(version=0, leader_id=1, voters=[voter], granting_voters=[voter])


def test_voters_of_the_bootstrap_snapshot_are_written_to_the_log() -> None:
    _, version, voters = first_records(dynamic_history(-1))
    assert version == KRaftVersionRecord(version=0, k_raft_version=1)
    assert isinstance(voters, VotersRecord) and VoterSet.from_record(voters) == VoterSet([LOCAL])
    assert len(first_records(dynamic_history(2))) == 1


def test_a_moved_controller_rewrites_its_endpoint() -> None:
    old = LOCAL._replace(endpoints=(Endpoint("CONTROLLER", "localhost", 1),))
    *_, voters = first_records(dynamic_history(2, old))
    assert isinstance(voters, VotersRecord) and VoterSet.from_record(voters) == VoterSet([LOCAL])


@pytest.mark.parametrize(
    ("stored", "last_epoch", "epoch"),
    [
        (None, 0, 1),
        (None, 7, 8),  # D35: the file is gone, the log still knows
        (Election(3, leader_id=1), 3, 4),
        (Election(3, voted_id=1, voted_directory_id=DIRECTORY), 2, 3),  # its own candidacy, unfinished
        (Election(3, voted_id=1, voted_directory_id=b"x" * 16), 2, 4),  # that of another directory
        (Election(3, leader_id=2), 3, 4),
    ],
)
def test_no_epoch_is_led_twice(stored: Election | None, last_epoch: int, epoch: int) -> None:
    persist, *_ = Quorum(LOCAL, static_history(), stored, LogShape(10, [(last_epoch, 0)])).step(Start(), 0)
    assert isinstance(persist, Persist) and persist.election == Election(epoch, leader_id=1)


def test_observers_are_described_but_never_commit() -> None:
    quorum = Quorum(LOCAL, dynamic_history(0), None, LogShape(0))
    assert quorum.describe(0) is None
    quorum.step(Start(), 0)
    quorum.step(Appended(((3, 10, 1),)), 0)
    quorum.step(Flushed(10), 0)
    assert committed(quorum.step(fetch(5, 10), 1000)) == []
    quorum.step(Appended(((10, 20, 1),)), 1200)
    assert committed(quorum.step(fetch(5, 12), 1500)) == []
    described = quorum.describe(2000)
    assert described is not None
    assert [(voter.id, voter.log_end_offset, voter.last_fetch_ms, voter.last_caught_up_ms) for voter in described.voters] == [(1, 10, 2000, 2000)]
    assert [(seen.id, seen.log_end_offset, seen.last_fetch_ms, seen.last_caught_up_ms) for seen in described.observers] == [(5, 12, 1500, 1000)]
    late = quorum.describe(2_000_000)
    assert late is not None and late.observers == []
    (reply,) = quorum.step(fetch(1, 10), 0)  # a second node with the leader's own id (Q7)
    assert isinstance(reply, Reply) and reply.message.responses[0].partitions[0].error_code == Error.UNKNOWN_SERVER_ERROR  # type: ignore[attr-defined]


def test_a_stop_resigns_and_leaves_the_file() -> None:
    quorum = Quorum(LOCAL, static_history(), None, LogShape(0))
    quorum.step(Start(), 0)
    assert quorum.step(Stop(), 1) == [LostLeadership(1)]
    assert (quorum.leader_id, quorum.step(Flushed(5), 2), quorum.step(Stop(), 3)) == (-1, [], [])


def test_voters_count_when_appended_and_go_when_truncated() -> None:
    history = dynamic_history(-1)
    other = VoterSet([LOCAL._replace(max_kraft_version=0)])
    history.replay(17, other.to_record())
    assert (history.voters, history.voters_offset) == (other, 17)
    assert history.at(16) == (1, VoterSet([LOCAL])) and history.at(17) == (1, other)
    history.truncate(17)
    assert (history.voters, history.voters_offset) == (VoterSet([LOCAL]), -1)
    history.replay(30, other.to_record())
    history.forget_before(40)
    assert history.at(40) == (1, other)
    history.replay(40, VoterSet([LOCAL]).to_record())
    history.forget_before(40)
    history.truncate(40)  # the record at the log's very start wasn't committed
    assert history.voters == other


def test_kraft_version_goes_up_and_never_down() -> None:
    history = static_history()
    quorum = Quorum(LOCAL, history, None, LogShape(0))
    with pytest.raises(QuorumRefused, match="lead"):
        quorum.step(RaiseKRaftVersion(1), 0)
    quorum.step(Start(), 0)
    with pytest.raises(QuorumRefused, match="support"):
        quorum.step(RaiseKRaftVersion(2), 0)
    assert quorum.step(RaiseKRaftVersion(1, validate_only=True), 0) == []
    (append,) = quorum.step(RaiseKRaftVersion(1), 0)
    assert isinstance(append, AppendControl)
    version, voters = append.records
    assert version == KRaftVersionRecord(version=0, k_raft_version=1)
    assert isinstance(voters, VotersRecord) and VoterSet.from_record(voters) == VoterSet([LOCAL])
    for record in append.records:
        history.replay(5, record)
    assert quorum.step(RaiseKRaftVersion(1), 0) == []
    with pytest.raises(QuorumRefused, match="back"):
        quorum.step(RaiseKRaftVersion(0), 0)
