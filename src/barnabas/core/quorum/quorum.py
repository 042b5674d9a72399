"""One member of the metadata quorum: a state machine that takes events and returns effects.

The way in. `member` holds what it knows; `voting`, `following` and `leading` say what it does in each state; `exchange` is its talk with its peers. What
a lone voter doesn't need is imported when it is. Source: KIP-595, KIP-630, KIP-853, KIP-996; Apache's `KafkaRaftClient`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.quorum.events import Appended, Election, Flushed, LogStartMoved, RaiseKRaftVersion, SnapshotTaken, Start, Stop, Tick
from barnabas.core.quorum.leader import Leader, ReplicaProgress
from barnabas.core.quorum.log_shape import LogShape
from barnabas.core.quorum.member import Member
from barnabas.core.quorum.peers import FOREVER
from barnabas.core.quorum.roles import Candidate, Follower, Prospective, Resigned, Unattached
from barnabas.core.quorum.settings import QuorumSettings
from barnabas.wire.logs.raft import KRaftVersionRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.core.quorum.events import Effect, Event
    from barnabas.core.quorum.peer_events import Peer
    from barnabas.core.quorum.voters import ControlHistory, Endpoint, Voter, VoterSet

MAX_TRANSITIONS = 16


class QuorumRefused(ValueError):
    """What was asked for can't be done in this quorum; the message says why and what to do."""


class QuorumDescription(NamedTuple):
    """What DescribeQuorum answers."""

    leader_id: int
    leader_epoch: int
    high_watermark: int
    voters: list[ReplicaProgress]
    observers: list[ReplicaProgress]
    nodes: list[Voter]


class Quorum:
    """Feed events to `step`, in the order in which they happen, and carry out the effects in theirs: see `events` for the contract."""

    __slots__ = ("_is_started", "_member", "deadline_ms")

    def __init__(
        self,
        local: Voter,
        history: ControlHistory,
        election: Election | None,
        log: LogShape,
        *,
        cluster_id: str = "",
        bootstrap: Sequence[Peer] = (),
        settings: QuorumSettings | None = None,
        random_below: Callable[[int], int] = lambda bound: 0,
    ) -> None:
        """`local`: this node with its directory and its controllers' endpoints; `history`: replayed from snapshot and log; `election`: as
        stored, None without a file; `bootstrap`: whom to ask for the leader; `random_below(n)`: one of 0 ... n-1."""
        settings = settings or QuorumSettings()
        self._member = Member(local, history, election, log, cluster_id=cluster_id, bootstrap=bootstrap, settings=settings, random_below=random_below)
        self._is_started = False
        self.deadline_ms = FOREVER
        """When `Tick` is due."""

    # --- what is so

    @property
    def state(self) -> str:
        return self._member.role.name

    @property
    def election(self) -> Election:
        return self._member.election

    @property
    def history(self) -> ControlHistory:
        return self._member.history

    @property
    def log(self) -> LogShape:
        return self._member.log

    @property
    def epoch(self) -> int:
        return self._member.election.epoch

    @property
    def voters(self) -> VoterSet:
        return self._member.history.voters

    @property
    def is_leader(self) -> bool:
        return isinstance(self._member.role, Leader)

    @property
    def leader_id(self) -> int:
        """Who leads, -1 when that is unknown."""
        role = self._member.role
        return -1 if isinstance(role, Resigned) else self._member.election.leader_id

    @property
    def leader_endpoint(self) -> Endpoint | None:
        """Where the leader is asked for what controllers answer; None when that is unknown, or this node leads."""
        member = self._member
        if self.leader_id in (-1, member.local.id):
            return None
        endpoints = member.leader_endpoints or member.history.voters.endpoints(self.leader_id)
        return member.default_endpoint(endpoints) or next(iter(endpoints), None)

    @property
    def high_watermark(self) -> int | None:
        """What is known to be committed. A leader says nothing until something of its own epoch is (Q29, Q42)."""
        role = self._member.role
        return role.high_watermark if isinstance(role, Leader) else self._member.high_watermark

    @property
    def is_caught_up(self) -> bool:
        """Whether everything is here that was committed when the leader last said so."""
        role = self._member.role
        if isinstance(role, Leader):
            return role.high_watermark is not None
        return isinstance(role, Follower) and 0 <= role.leader_high_watermark <= (self._member.high_watermark or 0)

    @property
    def has_stopped(self) -> bool:
        """Whether the node may go after Stop: nobody waits for its farewell."""
        role = self._member.role
        return self._member.is_stopping and not (isinstance(role, Resigned) and role.unacknowledged)

    def describe(self, now_ms: int) -> QuorumDescription | None:
        """None unless this node leads: then the answer is NOT_LEADER_OR_FOLLOWER (Q54)."""
        leader = self._member.role
        if not isinstance(leader, Leader):
            return None
        return QuorumDescription(
            leader_id=leader.local.id,
            leader_epoch=leader.epoch,
            high_watermark=-1 if leader.high_watermark is None else leader.high_watermark,
            voters=leader.voters_progress(now_ms),
            observers=leader.observers_progress(now_ms),
            nodes=list(self.voters.by_id.values()),
        )

    # --- what happens

    def step(self, event: Event, now_ms: int) -> list[Effect]:
        """Advance by one event. Effects are ordered: a Persist must be durable before any effect after it is acted upon.

        Raises QuorumBroken when this node must stop; QuorumRefused, TooManyBatches and ValueError for what may not be asked, without effects.
        """
        member = self._member
        self._take(event, now_ms)
        self._drive(now_ms)
        effects, member.effects = member.effects, []
        return effects

    def _take(self, event: Event, now_ms: int) -> None:
        member = self._member
        if isinstance(event, Start):
            self._is_started = True
            member.start(now_ms)
        elif isinstance(event, Flushed | Appended):
            self._log_changed(event, now_ms)
        elif isinstance(event, SnapshotTaken):
            member.log.take_snapshot(event.epoch, event.end_offset)
        elif isinstance(event, LogStartMoved):
            member.log.move_start(event.start_offset)
            member.history.forget_before(event.start_offset)
        elif isinstance(event, RaiseKRaftVersion):
            self._raise_kraft_version(event)
        elif isinstance(event, Stop):
            member.is_stopping = True
        elif not isinstance(event, Tick):
            from barnabas.core.quorum import exchange

            exchange.take(member, event, now_ms)

    def _log_changed(self, event: Appended | Flushed, now_ms: int) -> None:
        member = self._member
        if isinstance(event, Appended):
            member.awaits_log = False
            for base_offset, end_offset, epoch in event.batches:
                member.log.append(base_offset, end_offset, epoch)
            for offset, record in event.controls:
                member.history.replay(offset, record)
        else:
            member.log.flushed_offset = max(member.log.flushed_offset, min(event.end_offset, member.log.end_offset))
        role = member.role
        if isinstance(role, Leader):
            if isinstance(event, Flushed):
                from barnabas.core.quorum.leading import flushed

                flushed(member, role, now_ms)
        elif isinstance(role, Follower):
            from barnabas.core.quorum.following import follow_high_watermark

            follow_high_watermark(member)

    def _raise_kraft_version(self, event: RaiseKRaftVersion) -> None:
        """From static voters to dynamic ones: the record, and the voters with what they told of themselves. Never back (Q11)."""
        member = self._member
        leader = member.role
        if not isinstance(leader, Leader):
            raise QuorumRefused("This node doesn't lead the metadata quorum: ask the leader to change kraft.version.")
        present, voters = self.history.kraft_version, leader.known_voters or self.voters
        if event.level == present:
            return
        if event.level < present:
            raise QuorumRefused(f"kraft.version is {present} and can't go back to {event.level}.")
        unfit = [voter.id for voter in voters.by_id.values() if not voter.min_kraft_version <= event.level <= voter.max_kraft_version]
        if unfit:
            raise QuorumRefused(f"Voters {unfit} don't support kraft.version {event.level}: upgrade them first.")
        unknown = [voter.id for voter in voters.by_id.values() if voter.directory_id == bytes(16)]
        if unknown:
            raise QuorumRefused(f"The directories of voters {unknown} aren't known yet: see that they run, and try again.")
        if not event.validate_only:
            from barnabas.core.quorum.leading import drain

            drain(member, leader)
            member.append_control((KRaftVersionRecord(version=0, k_raft_version=event.level), voters.to_record()))
            leader.known_voters = None

    # --- what is to be done now

    def _drive(self, now_ms: int) -> None:
        """Do what is due in this state, and in the next one if that brought it; then set the deadline."""
        member = self._member
        self.deadline_ms = FOREVER
        if not self._is_started or member.awaits_log:
            return
        for _ in range(MAX_TRANSITIONS):
            role = member.role
            self.deadline_ms = self._drive_once(role, now_ms)
            if isinstance(role, Leader) and role is member.role:
                from barnabas.core.quorum.leading import tell_followers

                tell_followers(member, role, now_ms)
            if member.role is role and not (isinstance(role, Leader) and role.must_resign):
                return
        raise AssertionError(f"the quorum's member doesn't come to rest in {member.role.name}")

    def _drive_once(self, role: object, now_ms: int) -> int:
        member = self._member
        if isinstance(role, Leader):
            from barnabas.core.quorum import leading

            return leading.drive(member, now_ms)
        if isinstance(role, Resigned):
            from barnabas.core.quorum import leading

            return leading.drive_resigned(member, now_ms)
        if member.is_stopping:
            return FOREVER
        if isinstance(role, Prospective | Candidate):
            from barnabas.core.quorum import voting

            return voting.drive(member, now_ms)
        from barnabas.core.quorum import following

        return following.drive_unattached(member, now_ms) if isinstance(role, Unattached) else following.drive_follower(member, now_ms)
