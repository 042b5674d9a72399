"""A partition's leader: who is in sync with it, what it asks the controller to change about that, and how far records are committed (R20-R30).

Owns the in-sync set as the leader knows it, the one change of it that may be under way, and the rules of the high watermark. Doesn't own the log (its offsets
are passed in) nor the way to the controller: `Proposal`s are sent by the caller, `answered` takes what came back. Time is passed in; no locks.

Two sets matter (KIP-497, T13). The committed ISR is what the controller has agreed to: a write with acks=all is refused when it is too small. The maximal ISR
has whoever is being added as well, and still has whoever is being taken out: only what all of these have is committed, so that no outcome of the change can
lose it.

Source: Partition, PartitionState of 4.3.1; KIP-497, KIP-841, KIP-903, KIP-966.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.partition.followers import NO_EPOCH, UNKNOWN_OFFSET, Follower
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barnabas.core.metadata.partition import Partition
    from barnabas.core.metadata.registration import Broker

    Brokers = Mapping[int, Broker]
    """The brokers that the metadata knows, by id."""

_UNDONE = (Error.OPERATION_NOT_ATTEMPTED, Error.INELIGIBLE_REPLICA)
_METADATA_WILL_TELL = (
    Error.UNKNOWN_TOPIC_OR_PARTITION,
    Error.UNKNOWN_TOPIC_ID,
    Error.FENCED_LEADER_EPOCH,
    Error.INVALID_UPDATE_VERSION,
    Error.INVALID_REQUEST,
    Error.NEW_LEADER_ELECTED,
)


class Proposal(NamedTuple):
    """An in-sync set to ask the controller for, by AlterPartition: (broker id, broker epoch) of each member, epoch -1 where it isn't known."""

    isr: tuple[tuple[int, int], ...]
    leader_epoch: int
    partition_epoch: int
    joining: int | None
    """Who is added; None when members are taken out."""


class Outcome(NamedTuple):
    """What the controller made of a proposal (AlterPartitionResponse's partition)."""

    error: Error
    leader_epoch: int = -1
    isr: tuple[int, ...] = ()
    partition_epoch: int = -1


class Leadership:
    """From the moment when `broker_id` becomes leader until another one does.

    `min_isr` (min.insync.replicas) and `max_lag_ms` (replica.lag.time.max.ms) may be changed at any time.
    """

    __slots__ = (
        "_proposal",
        "broker_id",
        "epoch_start_offset",
        "followers",
        "isr",
        "leader_epoch",
        "max_lag_ms",
        "min_isr",
        "partition_epoch",
    )

    def __init__(self, broker_id: int, min_isr: int, max_lag_ms: int) -> None:
        self.broker_id = broker_id
        self.min_isr, self.max_lag_ms = min_isr, max_lag_ms
        self.followers: dict[int, Follower] = {}
        self.isr: frozenset[int] = frozenset()
        """The committed one."""
        self.leader_epoch = self.partition_epoch = -1
        self.epoch_start_offset = UNKNOWN_OFFSET
        self._proposal: Proposal | None = None

    # What the metadata says

    def lead(self, registration: Partition, end_offset: int, now_ms: int) -> bool:
        """The metadata says that this broker leads. Whether it does so in a new leader epoch, which begins at `end_offset`.

        What isn't newer changes nothing. Apache's Partition.makeLeader takes the same partition epoch once more, when an answer of the controller had told it
        already, and forgets a proposal that is under way meanwhile: then what it commits isn't kept by whom the controller is about to add.
        """
        if registration.partition_epoch <= self.partition_epoch:
            return False
        others = [replica for replica in registration.replicas if replica != self.broker_id]
        self.followers = {replica: self.followers.get(replica) or Follower(replica) for replica in others}
        taken_out, self.isr = self.isr.difference(registration.isr), frozenset(registration.isr)
        self._proposal = None
        for replica in taken_out & self.followers.keys():
            self.followers[replica].forget_position()
        is_new = registration.leader_epoch > self.leader_epoch
        if is_new:
            for follower in self.followers.values():
                follower.begin_epoch(now_ms, end_offset, in_sync=follower.id in self.isr)
            self.leader_epoch, self.epoch_start_offset = registration.leader_epoch, end_offset
        self.partition_epoch = registration.partition_epoch
        return is_new

    # What followers ask

    def fetched(self, replica: int, offset: int, start_offset: int, now_ms: int, end_offset: int, broker_epoch: int, brokers: Brokers) -> bool:
        """A follower asks for records from `offset` on. False, and nothing is noted, when it isn't one, or is an older life of its broker (R8)."""
        follower = self.followers.get(replica)
        if follower is None:
            return False
        known = brokers.get(replica)
        if broker_epoch != NO_EPOCH and known is not None and known.epoch > broker_epoch:
            return False
        follower.fetched(offset, start_offset, now_ms, end_offset, broker_epoch)
        return True

    def has_forgotten(self, replica: int) -> bool:
        """A follower that was taken out of sync: what it has asked for so far counts no more."""
        follower = self.followers.get(replica)
        return follower is not None and follower.end_offset == UNKNOWN_OFFSET

    # How far records are committed

    @property
    def maximal_isr(self) -> frozenset[int]:
        proposal = self._proposal
        return self.isr if proposal is None or proposal.joining is None else self.isr | {proposal.joining}

    @property
    def effective_min_isr(self) -> int:
        """A topic with fewer replicas than min.insync.replicas needs them all."""
        return min(self.min_isr, len(self.followers) + 1)

    @property
    def is_under_min_isr(self) -> bool:
        """A write with acks=all is refused, and nothing gets committed (R21, R27)."""
        return len(self.isr) < self.effective_min_isr

    def committed_to(self, high_watermark: int, end_offset: int, now_ms: int, brokers: Brokers) -> int:
        """The high watermark: what all in sync have, and those who are about to be. It never goes back."""
        if self.is_under_min_isr:
            return high_watermark
        found = end_offset
        members = self.maximal_isr
        for follower in self.followers.values():
            if follower.end_offset < found and (
                follower.id in members or (follower.is_caught_up(end_offset, now_ms, self.max_lag_ms) and self._may_join(follower, brokers))
            ):
                found = follower.end_offset
        return max(found, high_watermark)

    def outcome_of_write(self, end_of_write: int, high_watermark: int) -> Error | None:
        """What a producer with acks=all is told; None: not yet. The set may have shrunk since the write was taken (R27)."""
        if high_watermark < end_of_write:
            return None
        return Error.NOT_ENOUGH_REPLICAS_AFTER_APPEND if len(self.maximal_isr) < self.effective_min_isr else Error.NONE

    def low_watermark(self, start_offset: int, brokers: Brokers) -> int:
        """The least log start of the replicas whose brokers live: records before it are deleted everywhere (R33)."""
        starts = (
            follower.start_offset for follower in self.followers.values() if (known := brokers.get(follower.id)) is not None and not known.fenced
        )
        return min((start_offset, *starts))

    # Who is in sync

    def proposal_to_add(self, replica: int, high_watermark: int, own_epoch: int, brokers: Brokers) -> Proposal | None:
        """A follower that has what is committed, and this epoch's beginning, may join (R23). `own_epoch` is this broker's epoch."""
        follower = self.followers.get(replica)
        if self._proposal is not None or follower is None or replica in self.isr:
            return None
        if follower.end_offset < max(high_watermark, self.epoch_start_offset) or not self._may_join(follower, brokers):
            return None
        return self._propose(self.isr | {replica}, replica, own_epoch)

    def proposal_to_remove(self, end_offset: int, now_ms: int, own_epoch: int) -> Proposal | None:
        """Members that weren't caught up for replica.lag.time.max.ms leave (R24). To be asked each half of that time."""
        if self._proposal is not None:
            return None
        late = {member for member in self.isr if member != self.broker_id and self._is_late(member, end_offset, now_ms)}
        return self._propose(self.isr - late, None, own_epoch) if late else None

    def is_proposing(self, proposal: Proposal) -> bool:
        """Whether its outcome is waited for still."""
        return proposal is self._proposal

    def answered(self, proposal: Proposal, outcome: Outcome) -> bool:
        """The controller's answer. True: send the same proposal again. An answer to what the metadata has overtaken changes nothing (R26)."""
        if proposal is not self._proposal:
            return False
        if outcome.error is Error.NONE:
            if outcome.leader_epoch == self.leader_epoch and outcome.partition_epoch >= self.partition_epoch:
                self.isr = frozenset(outcome.isr)
                self.partition_epoch = outcome.partition_epoch
                self._proposal = None
            return False
        if outcome.error in _UNDONE:
            self._proposal = None
            return False
        return outcome.error not in _METADATA_WILL_TELL

    def _propose(self, members: frozenset[int], joining: int | None, own_epoch: int) -> Proposal:
        isr = tuple((member, own_epoch if member == self.broker_id else self._epoch_of(member)) for member in sorted(members))
        self._proposal = Proposal(isr, self.leader_epoch, self.partition_epoch, joining)
        return self._proposal

    def _epoch_of(self, member: int) -> int:
        follower = self.followers.get(member)
        return NO_EPOCH if follower is None or follower.broker_epoch is None else follower.broker_epoch

    def _is_late(self, member: int, end_offset: int, now_ms: int) -> bool:
        follower = self.followers.get(member)
        return follower is None or not follower.is_caught_up(end_offset, now_ms, self.max_lag_ms)

    def _may_join(self, follower: Follower, brokers: Brokers) -> bool:
        """Its broker serves, and it is this life of the broker that has fetched (KIP-841, KIP-903)."""
        known = brokers.get(follower.id)
        return known is not None and known.is_active and follower.broker_epoch in (NO_EPOCH, known.epoch)
