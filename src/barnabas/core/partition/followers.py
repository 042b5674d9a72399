"""What a leader knows of the replicas on other brokers: how far each has fetched, and when it was last caught up (R4, R8, R23, R24, R36).

Owns one follower's state. Which of them are in sync is `leadership`'s. Source: Replica and ReplicaState of 4.3.1; KIP-16, KIP-903.
"""

from __future__ import annotations

UNKNOWN_OFFSET = -1
NO_EPOCH = -1
"""A follower that doesn't tell its broker epoch: Fetch before version 15."""


class Follower:
    """Times are in milliseconds of the leader's clock."""

    __slots__ = ("_fetched_ms", "_leader_end_offset", "broker_epoch", "caught_up_ms", "end_offset", "id", "start_offset")

    def __init__(self, broker_id: int) -> None:
        self.id = broker_id
        self.end_offset = self.start_offset = UNKNOWN_OFFSET
        self.broker_epoch: int | None = None
        """As the follower tells it; None until it has fetched."""
        self.caught_up_ms = 0
        self._fetched_ms = 0
        self._leader_end_offset = UNKNOWN_OFFSET  # when it last fetched

    def __repr__(self) -> str:
        return f"<{self.id} at {self.end_offset}, caught up at {self.caught_up_ms} ms>"

    def begin_epoch(self, now_ms: int, leader_end_offset: int, *, in_sync: bool) -> None:
        """A leader epoch begins. Whoever is in the ISR is taken for caught up; what it told under this leader stays (R30)."""
        self.caught_up_ms = self._fetched_ms = now_ms if in_sync else 0
        self._leader_end_offset = leader_end_offset

    def forget_position(self) -> None:
        """The controller took it out of sync, and knows why (its disk failed, for instance): it isn't waited for, nor joins, until it has fetched again."""
        self.end_offset, self.caught_up_ms = UNKNOWN_OFFSET, 0

    def fetched(self, offset: int, start_offset: int, now_ms: int, leader_end_offset: int, broker_epoch: int) -> None:
        """It asks for records from `offset` on, so it has those before. Whoever has now what the leader had at its last fetch was caught up then."""
        if offset >= leader_end_offset:
            self.caught_up_ms = max(self.caught_up_ms, now_ms)
        elif offset >= self._leader_end_offset:
            self.caught_up_ms = max(self.caught_up_ms, self._fetched_ms)
        self.end_offset, self.start_offset = offset, start_offset
        self.broker_epoch = broker_epoch
        self._fetched_ms = now_ms
        self._leader_end_offset = max(leader_end_offset, self._leader_end_offset)

    def is_caught_up(self, leader_end_offset: int, now_ms: int, max_lag_ms: int) -> bool:
        return self.end_offset == leader_end_offset or now_ms - self.caught_up_ms <= max_lag_ms
