"""One member of the metadata quorum: a state machine that takes events and returns effects.

Owns epoch, vote, leadership and high watermark. So far it forms a quorum of one voter (Q21) with any number of observers; a log or a configuration with
more voters is refused at start, by name. Its events and effects are those of more voters: elections among them are what is still to come.
Source: KIP-595, KIP-853, KIP-996; Apache's `QuorumState` and `KafkaRaftClient`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.quorum.events import (
    AppendControl,
    BecameLeader,
    Effect,
    Election,
    Event,
    Fetched,
    Flushed,
    HighWatermark,
    LostLeadership,
    Persist,
    RaiseKRaftVersion,
    Start,
    Stop,
)
from barnabas.core.quorum.leader import Leader, ReplicaProgress
from barnabas.wire.logs.raft import KRaftVersionRecord
from barnabas.wire.types import ZERO_UUID, uuid_text

if TYPE_CHECKING:
    from barnabas.core.quorum.voters import ControlHistory, Voter, VoterSet

UNATTACHED = "Unattached"
CANDIDATE = "Candidate"
LEADER = "Leader"
RESIGNED = "Resigned"


class QuorumRefused(ValueError):
    """The node can't take part in the quorum that its log or configuration describes; the message says why and what to do."""


class QuorumDescription(NamedTuple):
    """What DescribeQuorum answers."""

    leader_id: int
    leader_epoch: int
    high_watermark: int
    voters: list[ReplicaProgress]
    observers: list[ReplicaProgress]
    nodes: list[Voter]


class Quorum:
    """Feed events to `step`, in the order in which they happen, and carry out the effects in theirs."""

    __slots__ = ("_leader", "_local", "_log_end_offset", "election", "history", "state")

    def __init__(self, local: Voter, history: ControlHistory, election: Election | None, log_end_offset: int, last_epoch: int) -> None:
        """`local`: this node with its directory and its controllers' endpoints; `history`: replayed from snapshot and log; `election`: as
        stored, None without a file; `last_epoch`: of the log's last batch, of its snapshot when the log is empty, else 0 (Q46)."""
        self._local = local
        self.history = history
        self._log_end_offset = log_end_offset
        self._leader: Leader | None = None
        self.election = election or Election()
        self.state = self._initial_state(last_epoch)

    def _initial_state(self, last_epoch: int) -> str:
        """Where the last run stopped, made safe (D35, D37)."""
        election = self.election
        if election.epoch < last_epoch:
            self.election = Election(last_epoch)
            return UNATTACHED
        if election.leader_id == self._local.id:
            return RESIGNED
        if election.voted_id == self._local.id and election.voted_directory_id in (ZERO_UUID, self._local.directory_id):
            return CANDIDATE
        return UNATTACHED

    @property
    def epoch(self) -> int:
        return self.election.epoch

    @property
    def voters(self) -> VoterSet:
        return self.history.voters

    @property
    def leader_id(self) -> int:
        """-1 when unknown."""
        return self.election.leader_id if self.state == LEADER else -1

    @property
    def high_watermark(self) -> int | None:
        """None until something of this epoch is committed (Q42)."""
        return None if self._leader is None else self._leader.high_watermark

    def step(self, event: Event, now_ms: int) -> list[Effect]:
        """Advance by one event. Effects are ordered: a Persist must be durable before any effect after it is acted upon."""
        if isinstance(event, Flushed):
            self._log_end_offset = event.end_offset
            return [] if self._leader is None else self._committed(self._leader.local_flushed(event.end_offset))
        if isinstance(event, Fetched):
            return self._fetched(event, now_ms)
        if isinstance(event, Start):
            return self._start()
        if isinstance(event, RaiseKRaftVersion):
            return self._raise_kraft_version(event)
        assert isinstance(event, Stop)
        return self._resign()

    def _start(self) -> list[Effect]:
        self._require_only_voter()
        if self.state != CANDIDATE:
            self.election = Election(self.election.epoch + 1)
        # The vote for oneself and the victory are one durable step: with one voter nobody else could have seen the first.
        self.election = Election(self.election.epoch, leader_id=self._local.id)
        self.state = LEADER
        self._leader = Leader(self._local, self.election.epoch, self._log_end_offset, self.history)
        return [
            self._persist(),
            BecameLeader(self.election.epoch, self._log_end_offset),
            AppendControl(self.election.epoch, self._leader.first_records((self._local.id,))),
        ]

    def _require_only_voter(self) -> None:
        voters = self.history.voters
        if not len(voters):
            raise QuorumRefused(
                "The metadata log names no voters and controller.quorum.voters is empty: format the node's directories with --standalone, "
                "or set controller.quorum.voters."
            )
        voter = voters.by_id.get(self._local.id)
        if voter is None or len(voters) > 1:
            raise QuorumRefused(
                f"The voters of the metadata quorum are {list(voters.ids)}, this node is {self._local.id}: Barnabas forms quorums of one "
                "controller so far. Use Apache Kafka for the controllers, or a quorum of this node alone."
            )
        if voter.directory_id not in (ZERO_UUID, self._local.directory_id):
            raise QuorumRefused(
                f"Voter {voter.id} of the metadata log is the directory {uuid_text(voter.directory_id)}, but this node's metadata directory is "
                f"{uuid_text(self._local.directory_id)}: put that directory.id back into its meta.properties."
            )

    def _persist(self) -> Persist:
        return Persist(self.election, self.history.kraft_version, self.history.voters.ids)

    def _fetched(self, event: Fetched, now_ms: int) -> list[Effect]:
        if event.replica_id == self._local.id:
            raise ValueError(f"Replica {event.replica_id} fetched from the leader with the leader's own node id: give that node another one (Q7).")
        if self._leader is None or event.replica_id < 0:
            return []
        return self._committed(self._leader.fetched(event.replica_id, event.directory_id, event.offset, event.log_end_offset, now_ms))

    @staticmethod
    def _committed(high_watermark: int | None) -> list[Effect]:
        return [] if high_watermark is None else [HighWatermark(high_watermark)]

    def _raise_kraft_version(self, event: RaiseKRaftVersion) -> list[Effect]:
        """From static voters to dynamic ones: the record, and the voters with what is known of them now. Never back (Q11)."""
        if self._leader is None:
            raise QuorumRefused("This node doesn't lead the metadata quorum: ask the leader to change kraft.version.")
        present, voters = self.history.kraft_version, self.history.voters.with_voter(self._local)
        if event.level == present:
            return []
        if event.level < present:
            raise QuorumRefused(f"kraft.version is {present} and can't go back to {event.level}.")
        unfit = [voter.id for voter in voters.by_id.values() if not voter.min_kraft_version <= event.level <= voter.max_kraft_version]
        if unfit:
            raise QuorumRefused(f"Voters {unfit} don't support kraft.version {event.level}: upgrade them first.")
        if event.validate_only:
            return []
        version = KRaftVersionRecord(version=0, k_raft_version=event.level)
        return [AppendControl(self._leader.epoch, (version, voters.to_record()))]

    def _resign(self) -> list[Effect]:
        """Resigned is memory only: the file keeps this node as the leader, so that it starts with a new epoch (D36, D37)."""
        if self._leader is None:
            return []
        self.state, self._leader = RESIGNED, None
        return [LostLeadership(self.election.epoch)]

    def describe(self, now_ms: int) -> QuorumDescription | None:
        """None unless this node leads: then the answer is NOT_LEADER_OR_FOLLOWER (Q54)."""
        leader = self._leader
        if leader is None:
            return None
        return QuorumDescription(
            leader_id=self._local.id,
            leader_epoch=self.election.epoch,
            high_watermark=-1 if leader.high_watermark is None else leader.high_watermark,
            voters=leader.voters_progress(now_ms),
            observers=leader.observers_progress(now_ms),
            nodes=list(self.history.voters.by_id.values()),
        )
