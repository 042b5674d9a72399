"""Events and effects of a member that has peers, or whose records come by Propose. The contract is in `events`.

Apart from those, since a lone voter's start needn't load them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from barnabas.wire.schema import Message


class Peer(NamedTuple):
    """Where to connect to. Bootstrap servers have the ids -2, -3 ... (Q14)."""

    id: int
    host: str
    port: int


class SnapshotId(NamedTuple):
    epoch: int
    end_offset: int


# --- events


class SnapshotInstalled(NamedTuple):
    """A fetched snapshot has taken the log's place. `controls`: the voters and kraft.version in its header."""

    snapshot: SnapshotId
    controls: tuple[Message, ...]


class Request(NamedTuple):
    """A peer or a tool asks. `key` is the host's, for the reply."""

    key: int
    message: Message
    version: int


class Response(NamedTuple):
    """What a peer answered."""

    peer_id: int
    correlation_id: int
    message: Message


class Failed(NamedTuple):
    """A request that won't be answered: the connection broke, or the peer doesn't know the version."""

    peer_id: int
    correlation_id: int
    is_unsupported: bool = False
    is_refused: bool = False
    """Nobody listens at the peer's address: its process is gone."""


class Propose(NamedTuple):
    """The controller wants `records` in the log, all in one batch."""

    records: tuple[Any, ...]
    """The host's; only their number matters here."""
    size_bytes: int


class Resign(NamedTuple):
    """The controller can't go on as the leader of `epoch`."""

    epoch: int


PeerEvent = SnapshotInstalled | Request | Response | Failed | Propose | Resign


# --- effects


class Send(NamedTuple):
    peer: Peer
    correlation_id: int
    message: Message


class Read(NamedTuple):
    """Whole batches from `offset` on, at least one, else up to `max_bytes`."""

    offset: int
    max_bytes: int


class ReadSnapshot(NamedTuple):
    """Bytes of the snapshot's file from `position` on; POSITION_OUT_OF_RANGE when it is shorter (Q43)."""

    snapshot: SnapshotId
    position: int
    max_bytes: int


class Reply(NamedTuple):
    """`read`: what the host must put into the message before it goes."""

    key: int
    message: Message
    read: Read | ReadSnapshot | None = None


class LeaderChanged(NamedTuple):
    """Another node leads `epoch`, or nobody yet (-1)."""

    leader_id: int
    epoch: int


class AppendProposed(NamedTuple):
    """Append these as one batch of `epoch` at `base_offset`."""

    epoch: int
    base_offset: int
    records: tuple[Any, ...]


class AppendFetched(NamedTuple):
    """Check and append batches that the leader sent; a batch that is damaged and all after it are left out."""

    records: bytes
    epoch: int


class Truncate(NamedTuple):
    end_offset: int


class WriteSnapshot(NamedTuple):
    """A piece of a snapshot that is being fetched. Position 0 begins it anew."""

    snapshot: SnapshotId
    position: int
    data: bytes


class InstallSnapshot(NamedTuple):
    """The snapshot is whole: make it durable, and put it in the place of the whole log (Q44)."""

    snapshot: SnapshotId


class Contradiction(NamedTuple):
    """A peer said what can't be, such as a second leader of one epoch (Q6). Nothing was done about it; the operator should know."""

    text: str


PeerEffect = Send | Reply | LeaderChanged | AppendProposed | AppendFetched | Truncate | WriteSnapshot | InstallSnapshot | Contradiction
