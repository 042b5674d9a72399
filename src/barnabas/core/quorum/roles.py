"""The states of a member but the leader's, each with what is only known in it; and which state may follow which (Q15).

Source: KIP-595, KIP-996; Apache's `QuorumState` and its states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.core.quorum.peer_events import SnapshotId

UNATTACHED = "Unattached"
PROSPECTIVE = "Prospective"
CANDIDATE = "Candidate"
LEADER = "Leader"
FOLLOWER = "Follower"
RESIGNED = "Resigned"

TRANSITIONS = {
    UNATTACHED: (UNATTACHED, PROSPECTIVE, FOLLOWER),
    PROSPECTIVE: (PROSPECTIVE, UNATTACHED, CANDIDATE, FOLLOWER),
    CANDIDATE: (UNATTACHED, PROSPECTIVE, LEADER, FOLLOWER),
    LEADER: (UNATTACHED, RESIGNED, FOLLOWER),
    FOLLOWER: (UNATTACHED, PROSPECTIVE, FOLLOWER),
    RESIGNED: (UNATTACHED, PROSPECTIVE, FOLLOWER),
}
"""What may follow. Resigned to Prospective is the start of a lone voter (Q21)."""


class Tally:
    """The votes of one election. A voter counts once, however often it answers."""

    __slots__ = ("_voters", "granting", "rejecting")

    def __init__(self, voters: Iterable[int], local_id: int) -> None:
        self._voters = frozenset(voters)
        self.granting = {local_id}
        self.rejecting: set[int] = set()

    def record(self, voter_id: int, is_granted: bool) -> None:
        """The last word counts; who isn't a voter doesn't."""
        if voter_id in self._voters:
            (self.granting if is_granted else self.rejecting).add(voter_id)
            (self.rejecting if is_granted else self.granting).discard(voter_id)

    @property
    def majority(self) -> int:
        return len(self._voters) // 2 + 1

    @property
    def is_won(self) -> bool:
        return len(self.granting) >= self.majority

    @property
    def is_lost(self) -> bool:
        return len(self._voters) - len(self.rejecting) < self.majority

    @property
    def silent(self) -> list[int]:
        """Who hasn't answered."""
        return sorted(self._voters - self.granting - self.rejecting)


class Unattached:
    """Knows the epoch, but no leader to follow in it."""

    __slots__ = ("deadline_ms",)
    name = UNATTACHED

    def __init__(self, deadline_ms: int) -> None:
        self.deadline_ms = deadline_ms


class Prospective:
    """Asks whether it would be elected, and disturbs nobody by that (KIP-996, Q18)."""

    __slots__ = ("deadline_ms", "tally")
    name = PROSPECTIVE

    def __init__(self, tally: Tally, deadline_ms: int) -> None:
        self.tally = tally
        self.deadline_ms = deadline_ms


class Candidate:
    """Voted for itself in a new epoch, and asks for the others' votes (Q19)."""

    __slots__ = ("deadline_ms", "tally")
    name = CANDIDATE

    def __init__(self, tally: Tally, deadline_ms: int) -> None:
        self.tally = tally
        self.deadline_ms = deadline_ms


class Follower:
    """Fetches from the epoch's leader."""

    __slots__ = ("deadline_ms", "has_fetched", "has_updated_leader", "leader_high_watermark", "snapshot", "snapshot_position", "update_due_ms")
    name = FOLLOWER

    def __init__(self, now_ms: int, fetch_timeout_ms: int) -> None:
        self.deadline_ms = now_ms + fetch_timeout_ms
        """When a voter gives the leader up."""
        self.update_due_ms = now_ms + fetch_timeout_ms
        """When to look next whether the leader knows this voter as it is (Q50)."""
        self.has_fetched = False
        self.has_updated_leader = False
        self.leader_high_watermark = -1
        self.snapshot: SnapshotId | None = None
        """What is being fetched instead of the log (Q44)."""
        self.snapshot_position = 0


class Resigned:
    """Led this epoch, and leads it no longer (Q34)."""

    __slots__ = ("deadline_ms", "successors", "unacknowledged")
    name = RESIGNED

    def __init__(self, voters: Iterable[int], successors: tuple[tuple[int, bytes], ...], deadline_ms: int) -> None:
        """`successors`: (id, directory) of those who should follow, the best first; `voters`: who must be told."""
        self.unacknowledged = set(voters)
        self.successors = successors
        self.deadline_ms = deadline_ms
