"""What a member of the quorum knows, and how it passes from one state to the next.

Owns the election, the state, the log's shape and the effects of the step that runs. When to pass is decided by the modules of the states: `voting`
(prospective, candidate), `following` (unattached, follower), `leading` (leader, resigned). Source: KIP-595, KIP-996; Apache's `QuorumState`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.quorum.events import AppendControl, BecameLeader, Election, HighWatermark, LostLeadership, Persist
from barnabas.core.quorum.leader import Leader
from barnabas.core.quorum.peers import FOREVER, Peers
from barnabas.core.quorum.roles import TRANSITIONS, Candidate, Follower, Prospective, Resigned, Tally, Unattached

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.core.quorum.events import Effect
    from barnabas.core.quorum.log_shape import LogShape
    from barnabas.core.quorum.peer_events import Peer
    from barnabas.core.quorum.settings import QuorumSettings
    from barnabas.core.quorum.voters import ControlHistory, Endpoint, Voter
    from barnabas.wire.schema import Message

_STAGGER = 10
"""Who starts asks for pre-votes almost at once, which disturbs no leader that there is (Q23); the small differences keep votes from being split."""

Role = Unattached | Prospective | Candidate | Leader | Follower | Resigned


class QuorumBroken(AssertionError):
    """What consensus rules out has happened: this node must stop before it does harm."""


class Member:
    __slots__ = (
        "_announced",
        "_has_quick_campaign",
        "_random_below",
        "awaits_log",
        "cluster_id",
        "effects",
        "election",
        "high_watermark",
        "history",
        "is_stopping",
        "leader_endpoints",
        "local",
        "log",
        "peers",
        "role",
        "settings",
    )

    def __init__(
        self,
        local: Voter,
        history: ControlHistory,
        election: Election | None,
        log: LogShape,
        *,
        cluster_id: str,
        bootstrap: Sequence[Peer],
        settings: QuorumSettings,
        random_below: Callable[[int], int],
    ) -> None:
        self.local = local
        self.history = history
        self.election = election or Election()
        self.log = log
        self.cluster_id = cluster_id
        self.settings = settings
        self.peers = Peers(bootstrap, settings, random_below)
        self._random_below = random_below
        self.high_watermark: int | None = None
        """What this node knows to be committed; never falls, whoever leads. Not stored (Q42)."""
        self.leader_endpoints: tuple[Endpoint, ...] = ()
        self.effects: list[Effect] = []
        self.is_stopping = False
        self.awaits_log = False
        """The host has been told to change the log, and must say first what came of it."""
        self._announced = (-1, -1)
        self._has_quick_campaign = True
        self.role: Role = self._first_role()

    def _first_role(self) -> Role:
        """Where the last run stopped, made safe (D35, D37). Its deadline is set by `start`."""
        election = self.election
        if election.epoch < self.log.last_epoch:
            self.election = Election(self.log.last_epoch)
        elif election.leader_id == self.local.id:
            self.leader_endpoints = self.local.endpoints
            return Resigned((), (), FOREVER)
        elif election.leader_id < 0 and self.voted_for(self.local.id, self.local.directory_id) and self.is_voter:
            return Candidate(Tally(self.history.voters.ids, self.local.id), FOREVER)
        elif election.leader_id >= 0 and self.history.voters.endpoints(election.leader_id):
            self.leader_endpoints = self.history.voters.endpoints(election.leader_id)
            return Follower(0, FOREVER)
        return Unattached(FOREVER)

    def start(self, now_ms: int) -> None:
        """Write the state down and give it its time."""
        role = self.role
        self.persist()
        if self.is_only_voter and not isinstance(role, Candidate):
            self.become_prospective(now_ms)
        elif isinstance(role, Candidate) and role.tally.is_won:
            self.become_leader(now_ms)
        elif isinstance(role, Follower):
            self.role = Follower(now_ms, self.settings.fetch_timeout_ms)
            self._announce(self.election.leader_id)
        elif isinstance(role, Resigned):
            others = [voter_id for voter_id in self.history.voters.ids if voter_id != self.local.id]
            self.role = Resigned(others, (), self.random_deadline(now_ms))
        elif isinstance(role, Candidate):
            role.deadline_ms = self.random_deadline(now_ms)
        elif self.is_voter:
            assert isinstance(role, Unattached)
            role.deadline_ms = now_ms + 1 + self._random_below(max(self.settings.election_timeout_ms // _STAGGER, 1))

    # --- what is so

    @property
    def epoch(self) -> int:
        return self.election.epoch

    @property
    def is_voter(self) -> bool:
        return self.history.voters.contains(self.local.id, self.local.directory_id)

    @property
    def is_only_voter(self) -> bool:
        return self.history.voters.is_only(self.local.id, self.local.directory_id)

    @property
    def must_sync(self) -> bool:
        """Whether this replica's copy may count for a majority (Q30)."""
        return self.settings.can_become_voter or self.is_voter

    def voted_for(self, candidate_id: int, directory_id: bytes) -> bool:
        election = self.election
        return election.voted_id == candidate_id and election.voted_directory_id in (bytes(16), directory_id)

    def random_deadline(self, now_ms: int) -> int:
        """One to two election time-outs from now (Q16)."""
        timeout_ms = self.settings.election_timeout_ms
        return now_ms + timeout_ms + (self._random_below(timeout_ms) if timeout_ms > 0 else 0)

    def default_endpoint(self, endpoints: Sequence[Endpoint]) -> Endpoint | None:
        """That of the controllers' first listener (Q13); for a broker, which has none itself, the only one that it is told of."""
        if not self.local.endpoints:
            return endpoints[0] if endpoints else None
        listener = self.local.endpoints[0].listener
        return next((endpoint for endpoint in endpoints if endpoint.listener == listener), None)

    def peer(self, replica_id: int, endpoints: Sequence[Endpoint]) -> Peer | None:
        from barnabas.core.quorum.peer_events import Peer

        endpoint = self.default_endpoint(endpoints)
        return None if endpoint is None else Peer(replica_id, endpoint.host, endpoint.port)

    # --- effects

    def persist(self) -> None:
        """Two in a row are one: nobody could have seen the first."""
        if self.effects and isinstance(self.effects[-1], Persist):
            self.effects.pop()
        self.effects.append(Persist(self.election, self.history.kraft_version, self.history.voters.ids))

    def send(self, peer: Peer, message: Message, now_ms: int) -> None:
        from barnabas.core.quorum.peer_events import Send

        self.effects.append(Send(peer, self.peers.sent(peer.id, now_ms), message))

    def send_when_ready(self, peer: Peer | None, build: Callable[[], Message], now_ms: int) -> int:
        """Send, if the peer may be sent something now. When to look at it again."""
        if peer is None:
            return FOREVER
        if self.peers.ready_at(peer.id) <= now_ms:
            self.send(peer, build(), now_ms)
        return self.peers.ready_at(peer.id)

    def append_control(self, records: tuple[Message, ...]) -> int:
        """As the leader. The records count from now on (Q51). The offset of the last one."""
        base_offset = self.log.end_offset
        self.effects.append(AppendControl(self.epoch, records))
        self.log.append(base_offset, base_offset + len(records), self.epoch)
        for offset, record in enumerate(records, base_offset):
            self.history.replay(offset, record)
        return self.log.end_offset - 1

    def commit(self, offset: int) -> None:
        if self.high_watermark is None or offset > self.high_watermark:
            self.high_watermark = offset
            self.effects.append(HighWatermark(offset))

    def contradict(self, text: str) -> None:
        from barnabas.core.quorum.peer_events import Contradiction

        self.effects.append(Contradiction(text))

    # --- transitions

    def _become(self, role: Role) -> None:
        before = self.role
        if role.name not in TRANSITIONS[before.name]:
            raise QuorumBroken(f"{before.name} can't become {role.name}")
        if isinstance(before, Leader):
            self._leave(before)
        self.role = role
        self.peers.forget_all()

    def _leave(self, leader: Leader) -> None:
        self.effects.append(LostLeadership(leader.epoch))
        self._announced = (-1, leader.epoch)
        if leader.parked or leader.operation is not None:
            from barnabas.core.quorum import leading

            leading.dismiss_waiting(self, leader)

    def _announce(self, leader_id: int) -> None:
        if self._announced != (leader_id, self.epoch):
            from barnabas.core.quorum.peer_events import LeaderChanged

            self._announced = (leader_id, self.epoch)
            self.effects.append(LeaderChanged(leader_id, self.epoch))

    def become_unattached(self, epoch: int, now_ms: int, leader_id: int = -1) -> None:
        """`epoch` is newer, or a prospective member gives up. An election under way keeps its time, so that nobody is put off for ever."""
        role, election = self.role, self.election
        if isinstance(role, Prospective) and role.tally.is_lost:
            deadline_ms = self.random_deadline(now_ms)
        elif isinstance(role, Unattached | Prospective | Candidate | Resigned):
            deadline_ms = role.deadline_ms
        else:
            deadline_ms = self.random_deadline(now_ms)
        if epoch < election.epoch:
            raise QuorumBroken(f"from epoch {election.epoch} back to {epoch}")
        if epoch > election.epoch:
            self.election = Election(epoch, leader_id)
        if not self.is_voter:
            deadline_ms = FOREVER
        elif deadline_ms == FOREVER:
            deadline_ms = self.random_deadline(now_ms)
        self.leader_endpoints = ()
        self._become(Unattached(deadline_ms))
        self._has_quick_campaign = True
        self.persist()
        self._announce(self.election.leader_id)

    def become_follower(self, epoch: int, leader_id: int, endpoints: tuple[Endpoint, ...], now_ms: int) -> None:
        election = self.election
        if leader_id == self.local.id or epoch < election.epoch or (epoch == election.epoch and isinstance(self.role, Leader)):
            raise QuorumBroken(f"{self.role.name} of epoch {election.epoch} can't follow {leader_id} in {epoch}")
        if epoch > election.epoch:
            self.election = Election(epoch, leader_id)
            self._has_quick_campaign = True
        else:
            self.election = election._replace(leader_id=leader_id)
        self.leader_endpoints = endpoints  # before this: a leader that was dismisses its replicas to the new one
        self._become(Follower(now_ms, self.settings.fetch_timeout_ms))
        self.persist()
        self._announce(leader_id)

    def become_prospective(self, now_ms: int) -> None:
        """In memory only: nothing was promised to anybody (Q18)."""
        if not self.is_voter:
            raise QuorumBroken("an observer can't stand for election")
        tally = Tally(self.history.voters.ids, self.local.id)
        self._become(Prospective(tally, self.random_deadline(now_ms)))
        if tally.is_won:
            self.become_candidate(now_ms)

    def become_candidate(self, now_ms: int) -> None:
        tally = Tally(self.history.voters.ids, self.local.id)
        self.election = Election(self.epoch + 1, voted_id=self.local.id, voted_directory_id=self.local.directory_id)
        self._become(Candidate(tally, self.random_deadline(now_ms)))
        self.leader_endpoints = ()
        self.persist()
        if tally.is_won:
            self.become_leader(now_ms)

    def become_leader(self, now_ms: int) -> None:
        role = self.role
        if not isinstance(role, Candidate) or not role.tally.is_won or not self.is_voter:
            raise QuorumBroken(f"{role.name} of epoch {self.epoch} wasn't elected")
        self.election = Election(self.epoch, leader_id=self.local.id)
        leader = Leader(self.local, self.epoch, self.log.end_offset, self.history)
        leader.check_quorum_ms = now_ms + self.settings.check_quorum_timeout_ms
        self._become(leader)
        self._announced = (self.local.id, self.epoch)
        self.leader_endpoints = self.local.endpoints
        self.log.begin_epoch(self.epoch)
        self.persist()
        self.effects.append(BecameLeader(self.epoch, leader.start_offset))
        self.append_control(leader.first_records(tuple(sorted(role.tally.granting))))
        if self.log.flushed_offset > 0:
            leader.local_flushed(self.log.flushed_offset)

    def become_resigned(self, now_ms: int) -> None:
        """In memory only: the file keeps this node as the leader, so that it starts with a new epoch (D36, D37)."""
        leader = self.role
        assert isinstance(leader, Leader)
        others = [voter_id for voter_id in self.history.voters.ids if voter_id != self.local.id]
        self._become(Resigned(others, leader.successors(), self.random_deadline(now_ms)))

    def take_quick_campaign(self) -> bool:
        """Whether a dead leader's follower may ask for votes at once: one time an epoch, else it would keep asking (O7)."""
        may, self._has_quick_campaign = self._has_quick_campaign, False
        return may and self.settings.trusts_refusals
