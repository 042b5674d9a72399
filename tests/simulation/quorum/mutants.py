"""Bugs to plant in the quorum, one at a time: each is a mistake that somebody could make, and that the simulator must find.

A mutant replaces one attribute of the production code while it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from barnabas.core.quorum import following, leader, member, quorum, voter_changes, voting
from barnabas.core.quorum.events import Election, Persist
from barnabas.core.quorum.roles import Tally
from barnabas.core.quorum.voters import ControlHistory
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from barnabas.core.quorum.events import Effect


Mutant = tuple[object, str, Any]


def count_a_vote_twice() -> Mutant:
    return Tally, "is_won", property(lambda tally: 2 * len(tally.granting) - 1 >= tally.majority)


def half_is_a_majority() -> Mutant:
    return Tally, "majority", property(lambda tally: max(len(tally._voters) // 2, 1))


def forget_to_truncate() -> Mutant:
    return following, "truncate", lambda member, epoch, end_offset: None


def keep_the_voters_of_a_log_that_was_cut() -> Mutant:
    return ControlHistory, "truncate", lambda history, end_offset: None


def commit_an_older_epochs_record_by_counting() -> Mutant:
    whole = leader.Leader.advance

    def advance(self: leader.Leader) -> int | None:
        start_offset, self.start_offset = self.start_offset, -1
        try:
            return whole(self)
        finally:
            self.start_offset = start_offset

    return leader.Leader, "advance", advance


def commit_what_the_fastest_voter_has() -> Mutant:
    def advance(self: leader.Leader) -> int | None:
        end_offset = max(self._of_voter(voter).log_end_offset for voter in self._history.voters.by_id.values())
        if end_offset <= max(self.start_offset, self.high_watermark or 0):
            return None
        self.high_watermark = end_offset
        return end_offset

    return leader.Leader, "advance", advance


def forget_the_vote_on_disk() -> Mutant:
    """So that it is given again after a restart."""

    def give_vote(member: member.Member, candidate_id: int, directory_id: bytes, now_ms: int) -> None:
        member.election = member.election._replace(voted_id=candidate_id, voted_directory_id=directory_id)

    return voting, "give_vote", give_vote


def vote_for_whoever_asks() -> Mutant:
    whole = voting.may_grant

    def may_grant(member: member.Member, candidate_id: int, directory_id: bytes, is_log_good: bool, *, is_pre_vote: bool) -> bool:
        election, member.election = member.election, Election(member.epoch)
        try:
            return whole(member, candidate_id, directory_id, is_log_good, is_pre_vote=is_pre_vote)
        finally:
            member.election = election

    return voting, "may_grant", may_grant


def vote_for_a_shorter_log() -> Mutant:
    whole = voting.may_grant

    def may_grant(member: member.Member, candidate_id: int, directory_id: bytes, is_log_good: bool, *, is_pre_vote: bool) -> bool:
        return whole(member, candidate_id, directory_id, True, is_pre_vote=is_pre_vote)

    return voting, "may_grant", may_grant


def send_before_persisting() -> Mutant:
    whole = quorum.Quorum.step

    def step(self: quorum.Quorum, event: Any, now_ms: int) -> list[Effect]:
        return sorted(whole(self, event, now_ms), key=lambda effect: isinstance(effect, Persist))

    return quorum.Quorum, "step", step


def acknowledge_before_syncing() -> Mutant:
    return following, "is_waiting_for_disk", lambda member: False


def lead_the_same_epoch_again() -> Mutant:
    """After a restart, as if nothing had happened."""
    whole = member.Member.start

    def start(self: member.Member, now_ms: int) -> None:
        whole(self, now_ms)
        if self.election.leader_id == self.local.id and self.is_voter and self.role.name == "Resigned":
            self.role = member.Candidate(Tally([self.local.id], self.local.id), now_ms)
            self.become_leader(now_ms)

    return member.Member, "start", start


def stay_in_the_epoch_of_a_lost_election() -> Mutant:
    whole = member.Member.become_candidate

    def become_candidate(self: member.Member, now_ms: int) -> None:
        if self.election.leader_id < 0 and self.epoch > 1:
            self.election = self.election._replace(epoch=self.epoch - 1)
        whole(self, now_ms)

    return member.Member, "become_candidate", become_candidate


def believe_a_high_watermark_beyond_the_log() -> Mutant:
    def follow_high_watermark(member: member.Member) -> None:
        role = member.role
        if isinstance(role, following.Follower) and role.leader_high_watermark >= 0:
            member.commit(role.leader_high_watermark)

    return following, "follow_high_watermark", follow_high_watermark


def change_voters_while_they_change() -> Mutant:
    whole = voter_changes._refusal

    def refusal(member: member.Member, now_ms: int) -> tuple[Error, str | None]:
        error, text = whole(member, now_ms)
        if error == Error.REQUEST_TIMED_OUT and member.history.voters_offset is not None:
            assert isinstance(member.role, leader.Leader)
            member.role.operation = None
            return Error.NONE, None
        return error, text

    return voter_changes, "_refusal", refusal


MUTANTS: tuple[Callable[[], Mutant], ...] = (
    count_a_vote_twice,
    half_is_a_majority,
    forget_to_truncate,
    keep_the_voters_of_a_log_that_was_cut,
    commit_an_older_epochs_record_by_counting,
    commit_what_the_fastest_voter_has,
    forget_the_vote_on_disk,
    vote_for_whoever_asks,
    vote_for_a_shorter_log,
    send_before_persisting,
    acknowledge_before_syncing,
    lead_the_same_epoch_again,
    stay_in_the_epoch_of_a_lost_election,
    believe_a_high_watermark_beyond_the_log,
    change_voters_while_they_change,
)


@contextmanager
def planted(mutant: Callable[[], Mutant]) -> Iterator[None]:
    owner, name, replacement = mutant()
    whole = vars(owner)[name] if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        setattr(owner, name, whole)
