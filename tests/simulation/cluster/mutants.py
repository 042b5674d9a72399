"""Bugs to plant in a cluster's core and storage, one at a time: each is a mistake that somebody could make, and that the simulator must find.

A mutant replaces one attribute of the production code while it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from barnabas.core.controller.controller import Controller
from barnabas.core.controller.partition_change import PartitionChange
from barnabas.core.groups.writes import Writes
from barnabas.core.partition import following
from barnabas.core.partition.leadership import Leadership, Proposal
from barnabas.core.partition.producers import ProducerStates
from barnabas.storage import quorum_state
from barnabas.storage.atomic_file import replace_file
from barnabas.storage.loader import Loader
from barnabas.storage.log import Log
from barnabas.wire.errors import Error
from tests.simulation.quorum.mutants import Mutant

if TYPE_CHECKING:
    from barnabas.core.controller.result import Result
    from barnabas.core.partition.followers import Follower


def acknowledge_before_the_high_watermark() -> Mutant:
    return Leadership, "outcome_of_write", lambda leading, end_of_write, high_watermark: Error.NONE


def commit_below_min_isr() -> Mutant:
    return Leadership, "is_under_min_isr", property(lambda leading: False)


def commit_without_who_is_joining() -> Mutant:
    """The controller may have taken it into the in-sync set already."""

    def committed_to(self: Leadership, high_watermark: int, end_offset: int, now_ms: int, brokers: Any) -> int:
        ends = [follower.end_offset for follower in self.followers.values() if follower.id in self.isr]
        return high_watermark if self.is_under_min_isr else max(high_watermark, min([end_offset, *ends]))

    return Leadership, "committed_to", committed_to


def commit_without_the_slowest() -> Mutant:
    def committed_to(self: Leadership, high_watermark: int, end_offset: int, now_ms: int, brokers: Any) -> int:
        ends = sorted([end_offset, *(follower.end_offset for follower in self.followers.values() if follower.id in self.isr)])
        return high_watermark if self.is_under_min_isr else max(high_watermark, ends[-min(len(ends), self.effective_min_isr)])

    return Leadership, "committed_to", committed_to


def expand_the_isr_too_early() -> Mutant:
    """Before the follower has all that is committed."""

    def proposal_to_add(self: Leadership, replica: int, high_watermark: int, own_epoch: int, brokers: Any) -> Proposal | None:
        follower: Follower | None = self.followers.get(replica)
        if self._proposal is not None or follower is None or replica in self.isr or not self._may_join(follower, brokers):
            return None
        return self._propose(self.isr | {replica}, replica, own_epoch)

    return Leadership, "proposal_to_add", proposal_to_add


def shrink_the_isr_before_the_controller_agrees() -> Mutant:
    whole = Leadership.proposal_to_remove

    def proposal_to_remove(self: Leadership, end_offset: int, now_ms: int, own_epoch: int) -> Proposal | None:
        proposal = whole(self, end_offset, now_ms, own_epoch)
        if proposal is not None:
            self.isr = frozenset(member for member, _ in proposal.isr)
            self.min_isr = 1
        return proposal

    return Leadership, "proposal_to_remove", proposal_to_remove


def forget_to_truncate() -> Mutant:
    return following, "truncation_offset", lambda leader_epoch, leader_end_offset, log: log.offset


def keep_what_was_not_committed() -> Mutant:
    """A controller that lost its leadership goes on with the records that its successor may not have."""

    def deactivate(self: Controller) -> bool:
        self.is_active = False
        return True

    return Controller, "deactivate", deactivate


def let_anybody_lead() -> Mutant:
    return PartitionChange, "_may_lead", lambda change, replica: change._acceptable(replica)


def answer_before_the_commit() -> Mutant:
    """The coordinator of groups tells its members of what may be lost."""
    whole = Writes.advance
    return Writes, "advance", lambda writes, committed: whole(writes, writes.written)


def append_a_retry_again() -> Mutant:
    def check(self: ProducerStates, producer_id: int, epoch: int, base_sequence: int, count: int, transactional: bool) -> None:
        return None

    return ProducerStates, "check", check


def forget_the_producers_of_a_snapshot() -> Mutant:
    return ProducerStates, "load", lambda producers, entries, now_ms: None


def advance_the_recovery_point_without_a_sync() -> Mutant:
    return Log, "_sync", lambda log, segments, target: None


def store_a_vote_without_a_sync() -> Mutant:
    return quorum_state, "replace_file", lambda path, data: replace_file(path, data, sync=False)


def keep_a_hole_in_a_log() -> Mutant:
    whole = Loader._recover

    def recover(self: Loader, scanned_from: int, log_start_offset: int) -> int:
        self.config = self.config._replace(compact=True)
        return whole(self, scanned_from, log_start_offset)

    return Loader, "_recover", recover


def give_an_id_block_out_twice() -> Mutant:
    from barnabas.core.controller.producer_ids import ProducerIds

    whole = ProducerIds.allocate

    def allocate(self: ProducerIds, broker_id: int, broker_epoch: int) -> Result:
        result = whole(self, broker_id, broker_epoch)
        return result._replace(response=(0, result.response[1]))

    return ProducerIds, "allocate", allocate


MUTANTS: tuple[Callable[[], Mutant], ...] = (
    acknowledge_before_the_high_watermark,
    commit_below_min_isr,
    commit_without_who_is_joining,
    commit_without_the_slowest,
    expand_the_isr_too_early,
    shrink_the_isr_before_the_controller_agrees,
    forget_to_truncate,
    keep_what_was_not_committed,
    let_anybody_lead,
    answer_before_the_commit,
    append_a_retry_again,
    forget_the_producers_of_a_snapshot,
    advance_the_recovery_point_without_a_sync,
    store_a_vote_without_a_sync,
    keep_a_hole_in_a_log,
    give_an_id_block_out_twice,
)
