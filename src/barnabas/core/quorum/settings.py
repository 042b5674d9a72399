"""The quorum's time-outs and limits, as controller.quorum.* names them (Q3, Q16)."""

from __future__ import annotations

from typing import NamedTuple


class QuorumSettings(NamedTuple):
    election_timeout_ms: int = 1000
    """A random time of one to two of these is waited before and in an election."""
    fetch_timeout_ms: int = 2000
    election_backoff_max_ms: int = 1000
    request_timeout_ms: int = 2000
    retry_backoff_ms: int = 20
    append_linger_ms: int = 25
    fetch_max_bytes: int = 1024 * 1024
    fetch_snapshot_max_bytes: int = 1024 * 1024
    fetch_max_wait_ms: int = 500
    auto_join: bool = False
    can_become_voter: bool = True
    """False for a node without the controller role: it never syncs what it fetched (Q30)."""
    trusts_refusals: bool = True
    """A leader whose listener refuses connections is taken for dead: once an epoch its follower asks for votes at once (O7)."""

    @property
    def check_quorum_timeout_ms(self) -> int:
        """How long a leader leads without hearing from a majority (Q32)."""
        return self.fetch_timeout_ms * 3 // 2

    @property
    def begin_epoch_interval_ms(self) -> int:
        """How long a voter may not fetch before the leader tells it again that it leads (Q33)."""
        return self.fetch_timeout_ms // 2
