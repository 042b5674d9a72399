"""A leader's followers, in-sync set and high watermark, as Apache's Partition has them (R20-R30, R33)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from barnabas.core.metadata.partition import Partition
from barnabas.core.metadata.registration import Broker
from barnabas.core.partition.followers import UNKNOWN_OFFSET
from barnabas.core.partition.leadership import Leadership, Outcome, Proposal
from barnabas.wire.errors import Error

ME, LAG_MS = 1, 30_000


def broker(broker_id: int, epoch: int = 0, *, fenced: bool = False, stopping: bool = False) -> Broker:
    return Broker(broker_id, epoch or broker_id * 10, b"", {}, {}, None, fenced, stopping, (), None)


BROKERS = {broker_id: broker(broker_id) for broker_id in (1, 2, 3)}


def registration(
    isr: tuple[int, ...] = (1, 2, 3), replicas: tuple[int, ...] = (1, 2, 3), leader_epoch: int = 5, partition_epoch: int = 7
) -> Partition:
    return Partition(ME, leader_epoch, isr, replicas, partition_epoch, (b"",) * len(replicas))


def leadership(isr: tuple[int, ...] = (1, 2, 3), replicas: tuple[int, ...] = (1, 2, 3), *, min_isr: int = 1, end_offset: int = 100) -> Leadership:
    found = Leadership(ME, min_isr, LAG_MS)
    assert found.lead(registration(isr, replicas), end_offset, 0)
    return found


def fetch(leader: Leadership, replica: int, offset: int, now_ms: int = 0, end_offset: int = 100, epoch: int | None = None) -> bool:
    return leader.fetched(replica, offset, 0, now_ms, end_offset, replica * 10 if epoch is None else epoch, BROKERS)


def committed(leader: Leadership, high_watermark: int = 0, end_offset: int = 100, now_ms: int = 0) -> int:
    return leader.committed_to(high_watermark, end_offset, now_ms, BROKERS)


def test_alone_it_commits_what_it_writes() -> None:
    assert committed(leadership((1,), (1,))) == 100


def test_committed_is_what_all_in_sync_have() -> None:
    leader = leadership()
    assert committed(leader, 40) == 40, "nobody has told yet"
    fetch(leader, 2, 80)
    assert committed(leader, 40) == 40
    fetch(leader, 3, 60)
    assert committed(leader, 40) == 60
    assert committed(leader, 70) == 70, "it never goes back"


def test_who_is_out_of_sync_holds_nobody_up_unless_it_has_just_caught_up() -> None:
    leader = leadership((1, 2))
    fetch(leader, 2, 100)
    fetch(leader, 3, 50, now_ms=LAG_MS + 1)
    assert committed(leader, now_ms=LAG_MS + 1) == 100
    fetch(leader, 3, 100, now_ms=LAG_MS + 2)
    fetch(leader, 2, 120, end_offset=120, now_ms=LAG_MS + 3)
    assert committed(leader, end_offset=120, now_ms=LAG_MS + 3) == 100, "3 is about to join"


def test_nothing_is_committed_with_too_few_in_sync() -> None:
    leader = leadership((1,), min_isr=2)
    assert leader.is_under_min_isr
    assert committed(leader, 40) == 40
    assert not leadership((1,), (1,), min_isr=2).is_under_min_isr, "a topic with one replica can't have two"


def test_a_write_is_answered_when_committed_and_told_if_too_few_are_left() -> None:
    leader = leadership((1, 2), min_isr=2)
    assert leader.outcome_of_write(101, 100) is None
    assert leader.outcome_of_write(100, 100) is Error.NONE
    leader.lead(registration((1,), partition_epoch=8), 100, 0)
    assert leader.outcome_of_write(100, 100) is Error.NOT_ENOUGH_REPLICAS_AFTER_APPEND


def test_a_follower_joins_once_it_has_what_is_committed() -> None:
    leader = leadership((1,))
    fetch(leader, 2, 99)
    assert leader.proposal_to_add(2, 60, 10, BROKERS) is None, "this epoch began at 100"
    fetch(leader, 2, 100)
    assert leader.proposal_to_add(2, 101, 10, BROKERS) is None
    proposal = leader.proposal_to_add(2, 100, 10, BROKERS)
    assert proposal == Proposal(((1, 10), (2, 20)), 5, 7, 2)
    assert leader.isr == {1}
    assert leader.maximal_isr == {1, 2}, "it counts from now on, in case the controller agrees"
    fetch(leader, 3, 100)
    assert leader.proposal_to_add(3, 100, 10, BROKERS) is None, "one at a time"
    assert proposal is not None
    assert not leader.answered(proposal, Outcome(Error.NONE, 5, (1, 2), 8))
    assert (leader.isr, leader.maximal_isr, leader.partition_epoch) == ({1, 2}, {1, 2}, 8)


def test_who_is_being_added_counts_until_the_controller_has_said_no() -> None:
    leader = leadership((1,))
    fetch(leader, 2, 100, now_ms=LAG_MS + 1, end_offset=130)  # it has what is committed, and isn't caught up
    assert committed(leader, 100, 130, LAG_MS + 1) == 130
    proposal = leader.proposal_to_add(2, 100, 10, BROKERS)
    assert proposal is not None
    assert committed(leader, 100, 130, LAG_MS + 1) == 100
    leader.lead(registration((1,)), 130, LAG_MS + 1)  # the metadata tells what is known
    assert committed(leader, 100, 130, LAG_MS + 1) == 100
    leader.answered(proposal, Outcome(Error.INELIGIBLE_REPLICA))
    assert committed(leader, 100, 130, LAG_MS + 1) == 130


def test_who_was_taken_out_by_the_controller_joins_only_after_another_fetch() -> None:
    """Its disk has failed, say: it isn't waited for, although it was caught up a moment ago and has what is committed."""
    leader, now_ms = leadership(), LAG_MS + 1
    for replica in (2, 3):
        fetch(leader, replica, 100, now_ms)
    fetch(leader, 2, 120, now_ms, end_offset=120)
    assert committed(leader, 100, 120, now_ms) == 100
    leader.lead(registration((1, 2), partition_epoch=8), 120, now_ms)
    assert leader.proposal_to_add(3, 100, 10, BROKERS) is None
    assert committed(leader, 100, 120, now_ms) == 120
    fetch(leader, 3, 120, now_ms, end_offset=120)
    assert leader.proposal_to_add(3, 120, 10, BROKERS) is not None


@pytest.mark.parametrize("known", [None, broker(2, fenced=True), broker(2, stopping=True), broker(2, 21)])
def test_nobody_joins_whose_broker_doesnt_serve_or_is_another_life_of_it(known: Broker | None) -> None:
    leader = leadership((1,))
    fetch(leader, 2, 100)
    assert leader.proposal_to_add(2, 100, 10, {} if known is None else {2: known}) is None
    assert leader.proposal_to_add(4, 100, 10, BROKERS) is None, "no replica at all"


def test_an_older_life_of_a_broker_isnt_heard() -> None:
    leader = leadership()
    assert fetch(leader, 2, 100)
    assert not fetch(leader, 2, 50, epoch=19)
    assert leader.followers[2].end_offset == 100
    assert fetch(leader, 2, 50, epoch=-1), "it doesn't tell"
    assert not fetch(leader, 4, 50)


def test_who_falls_behind_leaves() -> None:
    leader = leadership()
    fetch(leader, 2, 100, now_ms=10_000)
    fetch(leader, 3, 100, now_ms=10_000)
    fetch(leader, 3, 110, now_ms=35_000, end_offset=130)  # it has what there was at 10 s, not what there is
    assert leader.proposal_to_remove(130, 40_000, 10) is None
    proposal = leader.proposal_to_remove(130, 40_001, 10)
    assert proposal == Proposal(((1, 10),), 5, 7, None)
    assert leader.maximal_isr == {1, 2, 3}, "they count until the controller has agreed"
    assert leader.proposal_to_remove(130, 50_000, 10) is None


def test_caught_up_is_who_had_all_at_the_previous_fetch() -> None:
    leader = leadership()
    for second in range(1, 100):  # always a fetch behind a leader that never rests
        fetch(leader, 2, 100 + (second - 1) * 10, second * 1000, 100 + second * 10)
        fetch(leader, 3, 100 + second * 10, second * 1000, 100 + second * 10)
    assert leader.proposal_to_remove(2000, 99_500, 10) is None


@pytest.mark.parametrize("error", [Error.INELIGIBLE_REPLICA, Error.OPERATION_NOT_ATTEMPTED])
def test_a_refusal_leaves_the_set_as_it_was(error: Error) -> None:
    leader = leadership((1,))
    fetch(leader, 2, 100)
    proposal = leader.proposal_to_add(2, 100, 10, BROKERS)
    assert proposal is not None
    assert not leader.answered(proposal, Outcome(error))
    assert leader.maximal_isr == {1}
    assert leader.proposal_to_add(2, 100, 10, BROKERS) is not None


def test_errors_that_only_the_metadata_explains_leave_it_open_until_then() -> None:
    leader = leadership((1,))
    fetch(leader, 2, 100)
    proposal = leader.proposal_to_add(2, 100, 10, BROKERS)
    assert proposal is not None
    assert not leader.answered(proposal, Outcome(Error.INVALID_UPDATE_VERSION))
    assert leader.maximal_isr == {1, 2}, "the controller may have agreed to it before"
    assert leader.answered(proposal, Outcome(Error.REQUEST_TIMED_OUT)), "again"
    assert not leader.answered(proposal, Outcome(Error.NONE, 4, (1,), 9)), "another epoch's"
    leader.lead(registration((1, 2), partition_epoch=8), 100, 0)
    assert leader.maximal_isr == leader.isr == {1, 2}
    assert not leader.answered(proposal, Outcome(Error.NONE, 5, (1,), 9)), "overtaken"
    assert leader.isr == {1, 2}


def test_news_that_came_before_changes_nothing() -> None:
    leader = leadership()
    fetch(leader, 2, 100)
    assert not leader.lead(registration((1,), partition_epoch=6), 100, 0)
    assert leader.isr == {1, 2, 3}
    assert not leader.lead(registration((1, 2), partition_epoch=8), 100, 0), "the same leader epoch"
    assert leader.followers[2].end_offset == 100
    assert leader.lead(registration((1, 2), leader_epoch=6, partition_epoch=9), 150, 5)
    assert (leader.epoch_start_offset, leader.followers[2].end_offset, leader.followers[2].caught_up_ms) == (150, 100, 5)


def test_replicas_come_and_go() -> None:
    leader = leadership()
    fetch(leader, 2, 100)
    leader.lead(registration((1, 2), (1, 2, 4), partition_epoch=8), 100, 0)
    assert set(leader.followers) == {2, 4}
    assert (leader.followers[2].end_offset, leader.followers[4].end_offset) == (100, UNKNOWN_OFFSET)


def test_the_low_watermark_is_that_of_the_living() -> None:
    leader = leadership()
    leader.fetched(2, 100, 30, 0, 100, 20, BROKERS)
    assert leader.low_watermark(50, BROKERS) == UNKNOWN_OFFSET, "3 hasn't told"
    assert leader.low_watermark(50, {2: BROKERS[2], 3: broker(3, fenced=True)}) == 30
    assert leadership((1,), (1,)).low_watermark(50, BROKERS) == 50


class Histories(RuleBasedStateMachine):
    """Writes, fetches, late followers, a controller that agrees, refuses or isn't heard: what is committed is on every member of any set in force."""

    def __init__(self) -> None:
        super().__init__()
        self.leader = Leadership(ME, 2, LAG_MS)
        self.end, self.high_watermark, self.now_ms = 0, 0, 0
        self.epoch = 1
        self.agreed: tuple[int, ...] = (1, 2, 3)  # what the controller has
        self.has = {2: 0, 3: 0}
        self.open: Proposal | None = None
        self.leader.lead(registration(self.agreed, partition_epoch=1), 0, 0)

    @rule(count=st.integers(1, 5))
    def write(self, count: int) -> None:
        self.end += count

    @rule(replica=st.sampled_from([2, 3]), takes=st.integers(0, 5), passes_ms=st.integers(0, 20_000))
    def follow(self, replica: int, takes: int, passes_ms: int) -> None:
        """It tells what it has, then takes more."""
        self.now_ms += passes_ms
        fetch(self.leader, replica, self.has[replica], self.now_ms, self.end)
        self.open = self.leader.proposal_to_add(replica, self.high_watermark, 10, BROKERS) or self.open
        self.high_watermark = self.leader.committed_to(self.high_watermark, self.end, self.now_ms, BROKERS)
        self.has[replica] = min(self.end, self.has[replica] + takes)

    @rule()
    def look_for_late_ones(self) -> None:
        self.open = self.leader.proposal_to_remove(self.end, self.now_ms, 10) or self.open

    @precondition(lambda self: self.open is not None)
    @rule(heard=st.booleans())
    def agree(self, heard: bool) -> None:
        """The controller takes it; its answer may get lost, and the metadata tells."""
        assert self.open is not None
        proposal, self.open = self.open, None
        if proposal.partition_epoch != self.epoch:
            return
        self.agreed, self.epoch = tuple(member for member, _ in proposal.isr), self.epoch + 1
        if heard:
            assert not self.leader.answered(proposal, Outcome(Error.NONE, 5, self.agreed, self.epoch))
        else:
            self.leader.lead(registration(self.agreed, partition_epoch=self.epoch), self.end, self.now_ms)

    @precondition(lambda self: self.open is not None)
    @rule()
    def refuse(self) -> None:
        assert self.open is not None
        self.leader.answered(self.open, Outcome(Error.INELIGIBLE_REPLICA))
        self.open = None

    @invariant()
    def committed_is_safe(self) -> None:
        assert all(self.has[member] >= self.high_watermark for member in self.agreed if member != ME)
        assert self.leader.isr == set(self.agreed)
        assert self.agreed[0] == ME


Histories.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
test_histories = Histories.TestCase
