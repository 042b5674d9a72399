"""The leader of one epoch: its first records, who follows how far, and what is committed (Q28-Q31, Q53, Q54).

Owns nothing that outlives the epoch. Source: KIP-595, Apache's `LeaderState`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.quorum.voters import BOOTSTRAP_OFFSET, ControlHistory, Voter
from barnabas.wire.logs.raft import KRaftVersionRecord, LeaderChangeMessage

if TYPE_CHECKING:
    from barnabas.wire.schema import Message

OBSERVER_TIMEOUT_MS = 300_000
MAX_OBSERVERS = 10_000


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

    __slots__ = ("_history", "_observers", "_progress", "epoch", "high_watermark", "local", "start_offset")

    def __init__(self, local: Voter, epoch: int, start_offset: int, history: ControlHistory) -> None:
        self.local = local
        self.epoch = epoch
        self.start_offset = start_offset
        self.high_watermark: int | None = None
        self._history = history
        self._progress: dict[int, ReplicaProgress] = {}
        self._observers: dict[tuple[int, bytes], ReplicaProgress] = {}

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

    def local_flushed(self, end_offset: int) -> int | None:
        """The local log is durable up to `end_offset` (O9: not sooner, unlike Q30). The new high watermark, if it moved."""
        self._progress[self.local.id] = ReplicaProgress(self.local.id, self.local.directory_id, end_offset)
        return self._advance()

    def fetched(self, replica_id: int, directory_id: bytes, offset: int, log_end_offset: int, now_ms: int) -> int | None:
        """A replica has everything before `offset`. The new high watermark, if it moved."""
        voter = self._history.voters.contains(replica_id, directory_id)
        key = (replica_id, directory_id)
        before = self._progress.get(replica_id) if voter else self._observers.get(key)
        caught_up_ms = -1 if before is None else before.last_caught_up_ms
        if offset >= log_end_offset:
            caught_up_ms = max(caught_up_ms, now_ms)
        elif before is not None and before.last_fetch_ms > 0 and offset >= before.last_fetch_leader_end_offset:
            caught_up_ms = max(caught_up_ms, before.last_fetch_ms)
        progress = ReplicaProgress(replica_id, directory_id, offset, now_ms, caught_up_ms, log_end_offset)
        if not voter:
            if key not in self._observers and len(self._observers) >= MAX_OBSERVERS:
                self._forget_observers(now_ms)
            self._observers[key] = progress
            return None
        self._progress[replica_id] = progress
        return self._advance()

    def _advance(self) -> int | None:
        """The offset that a majority of the voters has, once it lies beyond the epoch's first record (Q29)."""
        offsets = sorted((self._end_offset(voter_id) for voter_id in self._history.voters.ids), reverse=True)
        if not offsets:
            return None
        candidate = offsets[len(offsets) // 2]
        if candidate <= self.start_offset or (self.high_watermark is not None and candidate <= self.high_watermark):
            return None
        self.high_watermark = candidate
        return candidate

    def _end_offset(self, voter_id: int) -> int:
        progress = self._progress.get(voter_id)
        return -1 if progress is None else progress.log_end_offset

    def _forget_observers(self, now_ms: int) -> None:
        """Those unseen for five minutes (Q53); when all were seen, the one seen longest ago."""
        for key in [key for key, seen in self._observers.items() if now_ms - seen.last_fetch_ms >= OBSERVER_TIMEOUT_MS]:
            del self._observers[key]
        if len(self._observers) >= MAX_OBSERVERS:
            del self._observers[min(self._observers, key=lambda key: self._observers[key].last_fetch_ms)]

    def voters_progress(self, now_ms: int) -> list[ReplicaProgress]:
        """Every voter; the leader itself counts as fetching and caught up now."""
        found = []
        for voter in self._history.voters.by_id.values():
            progress = self._progress.get(voter.id) or ReplicaProgress(voter.id, voter.directory_id)
            if voter.id == self.local.id:
                progress = progress._replace(directory_id=voter.directory_id, last_fetch_ms=now_ms, last_caught_up_ms=now_ms)
            found.append(progress)
        return found

    def observers_progress(self, now_ms: int) -> list[ReplicaProgress]:
        """Replicas without a vote that fetched within five minutes."""
        self._forget_observers(now_ms)
        return list(self._observers.values())
