"""What happens to a quorum member, and what it wants done: all that a lone voter needs. `peer_events` has the rest.

The contract with the host:

- Effects are carried out in their order. A Persist is durable before anything after it is done or sent (D36, T19).
- What changes the log (AppendControl, AppendProposed, AppendFetched, Truncate, InstallSnapshot) is done when its turn comes, in the page cache; that it
  is durable is told later by Flushed. AppendFetched and InstallSnapshot are answered by Appended and SnapshotInstalled before any other event.
- After each step the host arms one timer for `Quorum.deadline_ms`, and answers it with Tick.
- A request that is sent is answered at most once: by Response, or by Failed. A Request is answered by one Reply with its key, at once or later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.types import ZERO_UUID

if TYPE_CHECKING:
    from barnabas.core.quorum.peer_events import PeerEffect, PeerEvent
    from barnabas.wire.schema import Message


class Election(NamedTuple):
    """What must survive a restart: the epoch, its leader if known, the vote given in it."""

    epoch: int = 0
    leader_id: int = -1
    voted_id: int = -1
    voted_directory_id: bytes = ZERO_UUID


# --- events


class Start:
    """The log is loaded and `Quorum` was built from it."""

    __slots__ = ()


class Tick:
    """`deadline_ms` came."""

    __slots__ = ()


class Appended(NamedTuple):
    """Batches were added to the local log: fetched ones, or the leader's own that didn't come by Propose."""

    batches: tuple[tuple[int, int, int], ...]
    """(base offset, end offset, epoch) of each."""
    controls: tuple[tuple[int, Message], ...] = ()
    """(offset, record): the voters and kraft.versions among them."""


class Flushed(NamedTuple):
    """All of the local log below `end_offset` is durable."""

    end_offset: int


class SnapshotTaken(NamedTuple):
    """This node wrote a snapshot of its own, durably."""

    epoch: int
    end_offset: int


class LogStartMoved(NamedTuple):
    """The log's head and the snapshots before `start_offset` are gone."""

    start_offset: int


class RaiseKRaftVersion(NamedTuple):
    """An operator wants this kraft.version (Q11)."""

    level: int
    validate_only: bool = False


class Stop:
    """The node stops: give the leadership up and take no other (Q34)."""

    __slots__ = ()


# --- effects


class Persist(NamedTuple):
    election: Election
    kraft_version: int
    voter_ids: tuple[int, ...]


class BecameLeader(NamedTuple):
    """Note (epoch, start offset) in the log's epochs at once (D74); tell the controller once it replayed all below the start (Q37)."""

    epoch: int
    start_offset: int


class LostLeadership(NamedTuple):
    """Append nothing more in `epoch`; what isn't committed may be lost."""

    epoch: int


class AppendControl(NamedTuple):
    """Append these as one control batch of `epoch`, before anything else (Q28)."""

    epoch: int
    records: tuple[Message, ...]


class HighWatermark(NamedTuple):
    """Everything below `offset` is committed."""

    offset: int


if TYPE_CHECKING:
    Event = Start | Tick | Appended | Flushed | SnapshotTaken | LogStartMoved | RaiseKRaftVersion | Stop | PeerEvent
    Effect = Persist | BecameLeader | AppendControl | HighWatermark | LostLeadership | PeerEffect
