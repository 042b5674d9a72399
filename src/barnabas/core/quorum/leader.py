"""The leader of one epoch: its first records, who follows how far, what is committed, and whether enough still follow (Q28-Q33, Q53, Q54).

Owns nothing that outlives the epoch. Source: KIP-595, KIP-853; Apache's `LeaderState`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.quorum.peers import FOREVER
from barnabas.core.quorum.roles import LEADER
from barnabas.core.quorum.voters import BOOTSTRAP_OFFSET, ControlHistory, Voter, VoterSet
from barnabas.wire.logs.raft import KRaftVersionRecord, LeaderChangeMessage
from barnabas.wire.types import ZERO_UUID

if TYPE_CHECKING:
    from barnabas.core.quorum.batching import Accumulator
    from barnabas.core.quorum.fetch_answers import Parked
    from barnabas.core.quorum.voter_changes import Operation
    from barnabas.wire.schema import Message

OBSERVER_TIMEOUT_MS = 300_000
MAX_OBSERVERS = 10_000
CAUGHT_UP_WITHIN_MS = 3_600_000


class ReplicaProgress(NamedTuple):
    """How far a replica is, as DescribeQuorum shows it. -1 where nothing is known."""

    id: int
    directory_id: bytes
    log_end_offset: int = -1
    last_fetch_ms: int = -1
    last_caught_up_ms: int = -1
    last_fetch_leader_end_offset: int = -1


class Leader:
    """The state of the epoch's leader."""

    __slots__ = (
        "_fetched_voters",
        "_history",
        "_progress",
        "accumulator",
        "begin_due_ms",
        "check_quorum_ms",
        "epoch",
        "high_watermark",
        "known_voters",
        "local",
        "must_resign",
        "operation",
        "parked",
        "start_offset",
    )
    name = LEADER

    def __init__(self, local: Voter, epoch: int, start_offset: int, history: ControlHistory) -> None:
        self.local = local
        self.epoch = epoch
        self.start_offset = start_offset
        self.high_watermark: int | None = None
        """None until a record of this epoch is committed."""
        self.check_quorum_ms = FOREVER
        """When to resign unless a majority fetches before (Q32)."""
        self.begin_due_ms = 0
        self.must_resign = False
        self.operation: Operation | None = None
        """The one change of voters that is under way (Q47)."""
        self.parked: dict[int, Parked] = {}
        """Fetches that wait for news, by their reply's key (Q31)."""
        self.accumulator: Accumulator | None = None
        """None until something is proposed."""
        self.known_voters: VoterSet | None = None if history.kraft_version else history.voters.with_voter(local)
        """At kraft.version 0: what the voters told of themselves (Q11, Q50)."""
        self._history = history
        self._progress: dict[tuple[int, bytes], ReplicaProgress] = {}
        self._fetched_voters: set[int] = set()

    def first_records(self, granting: tuple[int, ...]) -> tuple[Message, ...]:
        """LeaderChange, and the voters if the log lacks them or has an old address of this node (Q28)."""
        history = self._history
        voter = LeaderChangeMessage.Voter
        change = LeaderChangeMessage(
            version=0,
            leader_id=self.local.id,
            voters=[voter(voter_id=voter_id) for voter_id in history.voters.ids],
            granting_voters=[voter(voter_id=voter_id) for voter_id in granting],
        )
        if history.kraft_version == 0:
            return (change,)
        if history.voters_offset != BOOTSTRAP_OFFSET and history.voters.by_id.get(self.local.id) == self.local:
            return (change,)
        version = KRaftVersionRecord(version=0, k_raft_version=history.kraft_version)
        return change, version, history.voters.with_voter(self.local).to_record()

    def _key(self, replica_id: int, directory_id: bytes) -> tuple[int, bytes]:
        """A voter whose directory nobody knows is known by its id alone (Q9)."""
        voter = self._history.voters.by_id.get(replica_id)
        return (replica_id, ZERO_UUID) if voter is not None and voter.directory_id == ZERO_UUID else (replica_id, directory_id)

    def _of_voter(self, voter: Voter) -> ReplicaProgress:
        found = self._progress.get((voter.id, voter.directory_id)) or self._progress.get((voter.id, ZERO_UUID))
        return found or ReplicaProgress(voter.id, voter.directory_id)

    def local_flushed(self, end_offset: int) -> int | None:
        """The local log is durable up to `end_offset` (O9: not sooner, unlike Q30). The new high watermark, if it moved."""
        key = self._key(self.local.id, self.local.directory_id)
        self._progress[key] = ReplicaProgress(self.local.id, self.local.directory_id, end_offset)
        return self.advance()

    def fetched(self, replica_id: int, directory_id: bytes, offset: int, log_end_offset: int, now_ms: int) -> int | None:
        """A replica has everything before `offset`. The new high watermark, if it moved."""
        key = self._key(replica_id, directory_id)
        before = self._progress.get(key)
        caught_up_ms = -1 if before is None else before.last_caught_up_ms
        if offset >= log_end_offset:
            caught_up_ms = max(caught_up_ms, now_ms)
        elif before is not None and before.last_fetch_ms > 0 and offset >= before.last_fetch_leader_end_offset:
            caught_up_ms = max(caught_up_ms, before.last_fetch_ms)
        if before is None and len(self._progress) >= MAX_OBSERVERS:
            self._forget_observers(now_ms)
        self._progress[key] = ReplicaProgress(replica_id, directory_id, offset, now_ms, caught_up_ms, log_end_offset)
        if not self._history.voters.contains(replica_id, directory_id):
            return None
        if key[1] != ZERO_UUID:
            self._progress.pop((replica_id, ZERO_UUID), None)  # of the time when its directory wasn't known
        return self.advance()

    def advance(self) -> int | None:
        """The offset that a majority of the voters has, once it lies beyond the epoch's first record (Q29)."""
        offsets = sorted((self._of_voter(voter).log_end_offset for voter in self._history.voters.by_id.values()), reverse=True)
        if not offsets:
            return None
        candidate = offsets[len(offsets) // 2]
        if candidate <= self.start_offset or (self.high_watermark is not None and candidate <= self.high_watermark):
            return None
        self.high_watermark = candidate
        return candidate

    def heard_from(self, replica_id: int, directory_id: bytes, now_ms: int, timeout_ms: int) -> None:
        """A replica asked for something: once a majority has, counted with this node, the leader may go on (Q32)."""
        voters = self._history.voters
        if voters.contains(replica_id, directory_id):
            self._fetched_voters.add(replica_id)
        others_needed = len(voters) // 2 + (0 if voters.contains(self.local.id, self.local.directory_id) else 1)
        if len(self._fetched_voters) >= others_needed:
            self._fetched_voters.clear()
            self.check_quorum_ms = now_ms + timeout_ms

    def is_caught_up(self, replica_id: int, directory_id: bytes, now_ms: int) -> bool:
        """Whether an observer was level with the leader, and fetched within an hour (Q48)."""
        seen = self._progress.get((replica_id, directory_id))
        return seen is not None and seen.last_caught_up_ms > 0 and seen.last_fetch_ms > now_ms - CAUGHT_UP_WITHIN_MS

    def voters_not_fetching(self, now_ms: int, interval_ms: int) -> list[Voter]:
        """Other voters that haven't fetched for `interval_ms` (Q33)."""
        others = [voter for voter in self._history.voters.by_id.values() if voter.id != self.local.id]
        return [voter for voter in others if now_ms - self._of_voter(voter).last_fetch_ms >= interval_ms]

    def successors(self) -> tuple[tuple[int, bytes], ...]:
        """The other voters, those with most of the log first (Q34)."""
        others = [voter for voter in self._history.voters.by_id.values() if voter.id != self.local.id]
        others.sort(key=lambda voter: -self._of_voter(voter).log_end_offset)
        return tuple((voter.id, voter.directory_id) for voter in others)

    def _is_voter(self, key: tuple[int, bytes]) -> bool:
        is_unnamed = key[1] == ZERO_UUID and key[0] in self._history.voters.by_id
        return is_unnamed or self._history.voters.contains(*key) or key[0] == self.local.id

    def _forget_observers(self, now_ms: int) -> None:
        """Those unseen for five minutes (Q53); when all were seen, the one seen longest ago."""
        observers = [(seen.last_fetch_ms, key) for key, seen in self._progress.items() if not self._is_voter(key)]
        for last_fetch_ms, key in observers:
            if now_ms - last_fetch_ms >= OBSERVER_TIMEOUT_MS:
                del self._progress[key]
        if observers and len(self._progress) >= MAX_OBSERVERS:
            del self._progress[min(observers)[1]]

    def voters_progress(self, now_ms: int) -> list[ReplicaProgress]:
        """Every voter, with its directory if the voters are known by them; the leader itself counts as fetching and caught up now."""
        found = []
        for voter in self._history.voters.by_id.values():
            progress = self._of_voter(voter)._replace(directory_id=voter.directory_id)
            if voter.id == self.local.id:
                progress = progress._replace(last_fetch_ms=now_ms, last_caught_up_ms=now_ms)
            found.append(progress)
        return found

    def observers_progress(self, now_ms: int) -> list[ReplicaProgress]:
        """Replicas without a vote that fetched within five minutes."""
        self._forget_observers(now_ms)
        return [seen for key, seen in self._progress.items() if not self._is_voter(key)]
