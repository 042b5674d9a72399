"""What happens to a quorum member, and what it wants done.

The host carries effects out in their order: a Persist must be durable before anything after it is done or sent (D36).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.types import ZERO_UUID

if TYPE_CHECKING:
    from barnabas.wire.schema import Message


class Election(NamedTuple):
    """What must survive a restart: the epoch, its leader if known, the vote given in it."""

    epoch: int = 0
    leader_id: int = -1
    voted_id: int = -1
    voted_directory_id: bytes = ZERO_UUID


# --- events


class Start(NamedTuple):
    """The log is loaded and `Quorum` was built from it."""


class Flushed(NamedTuple):
    """All of the local log below `end_offset` is durable."""

    end_offset: int


class Fetched(NamedTuple):
    """A replica asked for the log from `offset` on: it has everything before (Q31)."""

    replica_id: int
    directory_id: bytes
    offset: int
    log_end_offset: int
    """The leader's own, at this moment."""


class Stop(NamedTuple):
    """The node stops, or its controller failed: give the leadership up (Q34)."""


class RaiseKRaftVersion(NamedTuple):
    """An operator wants this kraft.version (Q11)."""

    level: int
    validate_only: bool = False


Event = Start | Flushed | Fetched | RaiseKRaftVersion | Stop


# --- effects


class Persist(NamedTuple):
    election: Election
    kraft_version: int
    voter_ids: tuple[int, ...]


class BecameLeader(NamedTuple):
    """Note (epoch, start offset) in the log's epochs at once (D74); tell the controller once it replayed all below the start (Q37)."""

    epoch: int
    start_offset: int


class AppendControl(NamedTuple):
    """Append these as one control batch of `epoch`, before anything else of it (Q28)."""

    epoch: int
    records: tuple[Message, ...]


class HighWatermark(NamedTuple):
    """Everything below `offset` is committed."""

    offset: int


class LostLeadership(NamedTuple):
    """Append nothing more in `epoch`; what isn't committed may be lost."""

    epoch: int


Effect = Persist | BecameLeader | AppendControl | HighWatermark | LostLeadership
