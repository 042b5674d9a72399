"""Who votes for whom, and when a member stands for election (Q15-Q26, Q34, D36, D37, O7)."""

from __future__ import annotations

import pytest

from barnabas.core.quorum.batching import MAX_BATCHES, Accumulator, TooManyBatches
from barnabas.core.quorum.events import BecameLeader, Election, LostLeadership, Persist, Stop
from barnabas.core.quorum.log_shape import TOPIC_ID, LogShape
from barnabas.core.quorum.peer_events import Contradiction, Failed, Reply
from barnabas.core.quorum.roles import Tally
from barnabas.wire.errors import Error
from barnabas.wire.messages.begin_quorum_epoch import BeginQuorumEpochRequest
from barnabas.wire.messages.end_quorum_epoch import EndQuorumEpochRequest
from barnabas.wire.messages.fetch import FetchRequest, FetchResponse
from barnabas.wire.messages.vote import VoteRequest
from tests.quorum_members import Play

LOG = ((2, 0), (4, 10))
"""Epoch 4 since offset 10."""


def member(**options: object) -> Play:
    return Play(log=LogShape(20, LOG), election=Election(5), **options)  # type: ignore[arg-type]


def test_a_vote_is_durable_before_it_is_told() -> None:
    play = member()
    assert play.vote(2, 6, (4, 20)).vote_granted
    kinds = [type(effect) for effect in play.effects]
    assert kinds.index(Persist) < kinds.index(Reply)
    assert play.all(Persist)[-1].election == Election(6, voted_id=2, voted_directory_id=b"\x02" * 16)


def test_one_vote_an_epoch_also_after_a_restart() -> None:
    play = member()
    play.vote(2, 6, (4, 20))
    stored = play.all(Persist)[-1].election
    for again in (play, Play(log=LogShape(20, LOG), election=stored)):
        assert not again.vote(3, 6, (4, 20)).vote_granted
        assert again.vote(2, 6, (4, 20)).vote_granted  # the same one may ask twice
        assert not again.vote(2, 6, (4, 20), directory=b"x" * 16).vote_granted
        assert again.vote(3, 7, (4, 20)).vote_granted


@pytest.mark.parametrize(("last", "granted"), [((4, 20), True), ((4, 21), True), ((4, 19), False), ((5, 1), True), ((3, 99), False)])
def test_only_a_log_that_is_as_good_gets_votes(last: tuple[int, int], granted: bool) -> None:
    assert member().vote(2, 6, last).vote_granted == granted
    assert member().vote(2, 6, last, pre=True).vote_granted == granted


def test_a_pre_vote_promises_nothing() -> None:
    play = member()
    assert play.vote(2, 5, (4, 20), pre=True).vote_granted and play.all(Persist) == []
    assert play.vote(3, 5, (4, 20), pre=True).vote_granted


@pytest.mark.parametrize(("state", "pre", "real"), [("Unattached", True, True), ("Prospective", True, True), ("Candidate", True, False)])
def test_who_looks_for_a_leader_grants(state: str, pre: bool, real: bool) -> None:
    play = member()
    if state != "Unattached":
        play.wait(1_000)
    if state == "Candidate":
        play.answer_vote(play.sent(VoteRequest)[0], True)
    assert play.quorum.state == state
    last, epoch = play.quorum.log.position, play.quorum.epoch
    assert play.vote(3, epoch, last, pre=True).vote_granted == pre
    assert play.vote(3, epoch, last).vote_granted == real


def test_a_flapping_node_disturbs_nobody() -> None:
    follower, leader = member().follow(2, 6), member().elect()
    for play in (follower, leader):
        epoch, state = play.quorum.epoch, play.quorum.state
        answer = play.vote(3, epoch, (epoch, 99), pre=True)
        assert (answer.vote_granted, answer.error_code) == (False, 0)
        assert (play.quorum.epoch, play.quorum.state) == (epoch, state)
    assert not follower.vote(3, 6, (6, 99)).vote_granted  # there is a leader in this epoch
    fresh = member()
    fresh.begin(2, 6)
    assert fresh.vote(3, 6, (6, 99), pre=True).vote_granted  # it hasn't fetched yet: perhaps that leader is gone


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"epoch": 4, "last": (3, 20)}, Error.FENCED_LEADER_EPOCH),
        ({"epoch": 4}, Error.INVALID_REQUEST),
        ({"epoch": 6, "last": (6, 1)}, Error.INVALID_REQUEST),
        ({"epoch": 6, "last": (4, -1)}, Error.INVALID_REQUEST),
        ({"epoch": 6, "candidate": -1}, Error.INVALID_REQUEST),
        ({"epoch": 6, "voter": 9}, Error.INVALID_VOTER_KEY),
        ({"epoch": 6, "voter": 1, "voter_directory": b"x" * 16}, Error.INVALID_VOTER_KEY),
        ({"epoch": 6, "voter": 1, "voter_directory": b"\x01" * 16}, Error.NONE),
        ({"epoch": 6, "cluster": "other"}, Error.INCONSISTENT_CLUSTER_ID),
        ({"epoch": 6, "cluster": None}, Error.NONE),
        ({"epoch": 6, "topic": "orders"}, Error.INVALID_REQUEST),
        ({"epoch": 6, "candidate": 77}, Error.NONE),
        ({"epoch": 6, "version": 0}, Error.NONE),
    ],
)
def test_votes_are_checked_as_apache_does(options: dict[str, object], error: Error) -> None:
    asked = {"candidate": 2, "last": (4, 20), **options}
    assert member().vote(**asked).error_code == error  # type: ignore[arg-type]


def test_from_prospective_to_leader() -> None:
    play = member()
    play.wait(1_000)
    asked = play.sent(VoteRequest)
    assert [send.peer.id for send in asked] == [2, 3] and play.quorum.state == "Prospective"
    assert all(send.message.topics[0].partitions[0].pre_vote for send in asked)
    play.answer_vote(asked[0], True)
    assert (play.quorum.state, play.quorum.epoch) == ("Candidate", 6)
    assert isinstance(play.effects[0], Persist)  # before anybody is asked
    asked = play.sent(VoteRequest)
    play.answer_vote(asked[0], False)
    assert play.quorum.state == "Candidate"
    play.answer_vote(asked[1], True)
    assert play.quorum.state == "Leader" and play.all(BecameLeader) == [BecameLeader(6, 20)]
    assert {send.peer.id for send in play.sent(BeginQuorumEpochRequest)} == {2, 3}


def test_who_loses_waits_and_goes_back_to_its_leader() -> None:
    play = member().follow(2, 6)
    play.wait(2_100)
    assert play.quorum.state == "Prospective" and play.quorum.epoch == 6
    for send in play.sent(VoteRequest):
        play.answer_vote(send, False, leader=2)
    assert (play.quorum.state, play.quorum.leader_id, play.quorum.epoch) == ("Follower", 2, 6)


def test_a_voter_without_pre_votes_makes_a_plain_election() -> None:
    play = member()
    play.wait(1_000)
    send = play.sent(VoteRequest)[0]
    play.happen(Failed(send.peer.id, send.correlation_id, is_unsupported=True))
    assert (play.quorum.state, play.quorum.epoch) == ("Candidate", 6)


def test_a_dead_leader_is_replaced_at_once_but_only_asked_about_once() -> None:
    play = member().follow(2, 6)
    send = play.sent(FetchRequest)[-1]
    play.happen(Failed(2, send.correlation_id, is_refused=True))
    assert play.quorum.state == "Prospective"
    for vote in play.sent(VoteRequest):
        play.answer_vote(vote, False)
    assert play.quorum.state == "Follower"
    send = play.sent(FetchRequest)[-1]
    play.happen(Failed(2, send.correlation_id, is_refused=True))
    assert play.quorum.state == "Follower"


def test_who_starts_asks_for_pre_votes_at_once_and_for_votes_only_if_they_are_granted() -> None:
    play = member()
    play.wait(100)
    asked = play.sent(VoteRequest)
    assert play.quorum.state == "Prospective" and play.quorum.epoch == 5
    assert all(send.message.topics[0].partitions[0].pre_vote for send in asked)
    for send in asked:
        play.answer_vote(send, False, leader=2)  # there is a leader, whom they go on following
    assert (play.quorum.state, play.quorum.leader_id, play.quorum.epoch) == ("Follower", 2, 5)


def test_a_leader_that_says_it_leads_no_more_is_replaced_at_once_but_only_asked_about_once() -> None:
    play = member().follow(2, 6)
    row = FetchResponse.FetchableTopicResponse.PartitionData
    leader = row.LeaderIdAndEpoch(leader_id=-1, leader_epoch=6)
    gone = row(partition_index=0, error_code=Error.NOT_LEADER_OR_FOLLOWER, high_watermark=-1, current_leader=leader, records=b"")
    answer = FetchResponse(responses=[FetchResponse.FetchableTopicResponse(topic_id=TOPIC_ID, partitions=[gone])])
    play.answer(play.sent(FetchRequest)[-1], answer)
    assert play.quorum.state == "Prospective"
    for vote in play.sent(VoteRequest):
        play.answer_vote(vote, False)
    assert play.quorum.state == "Follower"
    play.answer(play.sent(FetchRequest)[-1], answer)
    assert play.quorum.state == "Follower"


def test_a_leader_that_stops_names_its_successors() -> None:
    play = member().elect().sync()
    play.fetch(3, 22, 6)
    play.fetch(2, 21, 6)
    play.happen(Stop())
    assert play.all(LostLeadership) and play.quorum.state == "Resigned" and not play.quorum.has_stopped
    told = play.sent(EndQuorumEpochRequest)
    assert {send.peer.id for send in told} == {2, 3}
    row = told[0].message.topics[0].partitions[0]
    assert [candidate.candidate_id for candidate in row.preferred_candidates] == [3, 2]
    for send in told:
        other = Play(local=send.peer.id, log=LogShape(20, LOG), election=Election(5)).follow(1, 6)
        other.end(1, 6, (3, 2))
        play.answer(send, other.all(Reply)[-1].message)
        first = other.quorum.state == "Prospective"
        assert first == (send.peer.id == 3)  # the first does not wait
    assert play.quorum.has_stopped


def test_a_leader_without_a_majority_resigns() -> None:
    play = member().elect().sync()
    play.wait(2_900)
    play.fetch(2, 20, 4)
    play.wait(2_900)
    assert play.quorum.is_leader
    play.wait(200)
    assert play.quorum.state == "Resigned"


def test_two_leaders_of_an_epoch_are_reported_and_not_followed() -> None:
    play = member().follow(2, 6)
    assert play.begin(3, 6).leader_id == 2
    assert len(play.all(Contradiction)) == 1 and play.quorum.leader_id == 2


def test_a_tally_counts_a_voter_once() -> None:
    tally = Tally((1, 2, 3, 4, 5), 1)
    for voter_id in (2, 2, 2, 9):
        tally.record(voter_id, True)
    assert not tally.is_won and tally.silent == [3, 4, 5]
    tally.record(3, True)
    assert tally.is_won


def test_proposals_share_batches_within_limits() -> None:
    accumulator = Accumulator(100, linger_ms=25)
    assert [accumulator.add(("a", "b"), 10, 1_000), accumulator.add(("c",), 10, 1_010)] == [100, 102]
    assert accumulator.due_ms == 1_025
    assert [(batch.base_offset, batch.records) for batch in accumulator.drain()] == [(100, ("a", "b", "c"))]
    for _ in range(MAX_BATCHES):
        accumulator.add(("x",), 8 * 1024 * 1024 - 100, 2_000)
    assert accumulator.due_ms == 2_000  # a full one doesn't wait
    with pytest.raises(TooManyBatches):
        accumulator.add(("x",), 1_000, 2_000)
