"""A replica that follows: where it fetches from, and what it does with its leader's answers (R5-R15).

Owns one partition's place in the leader's log, the pause after an error, and the rules of truncation. Doesn't own the log (its facts are passed in, effects are
returned and carried out by the caller, who then says what came of them) nor the fetch session.

A follower truncates in three cases: the leader says where their histories part (a diverging epoch; KIP-595); it knows no epoch of its own and goes back to its
high watermark; its offset isn't in the leader's log at all, which only an unclean election brings about. It goes on from its log's end otherwise, also when a
new epoch begins (R15).

Source: AbstractFetcherThread, ReplicaFetcherThread of 4.3.1; KIP-101, KIP-279, KIP-320, KIP-595.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.partition.epochs import UNDEFINED
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from barnabas.core.partition.epochs import LeaderEpochs


_FIRST_PAUSE_MS = 10


class Position(NamedTuple):
    """What a fetch asks for. Its answer counts only while the replica is still there."""

    offset: int
    leader_epoch: int
    last_fetched_epoch: int
    """The epoch of the record before `offset`, -1 if it isn't known."""


class Append(NamedTuple):
    """Append the records of the answer, then `appended`."""


class TruncateTo(NamedTuple):
    """Cut the log there, then `truncated`."""

    offset: int


class StartAt(NamedTuple):
    """Drop the whole log and begin an empty one there, then `truncated`."""

    offset: int


class AskOffsets(NamedTuple):
    """Ask the leader for its latest and its earliest offset (ListOffsets -1 and -2, with the epoch of `position`), then `learned`."""


class Pause(NamedTuple):
    """Nothing until `ready_ms`."""


class Failed(NamedTuple):
    """Nothing until the metadata says something new, or the disk is back."""

    reason: str


Effect = Append | TruncateTo | StartAt | AskOffsets | Pause | Failed


class LogEnd(NamedTuple):
    """The facts of the replica's own log."""

    offset: int
    epochs: LeaderEpochs


class Following:
    """One replica under one leader epoch; `backoff_ms` is replica.fetch.backoff.ms. `position` is None while it has nothing to ask for.

    The first pauses are shorter than that, unlike Apache Kafka's: a leader that was just elected mostly needs a moment only to learn of it.
    """

    __slots__ = ("_asks_offsets", "_backoff_ms", "_offset", "_pauses", "failure", "last_fetched_epoch", "leader_epoch", "ready_ms")

    def __init__(self, leader_epoch: int, backoff_ms: int) -> None:
        self.leader_epoch = leader_epoch
        self._backoff_ms = backoff_ms
        self._offset = 0
        self.last_fetched_epoch = UNDEFINED
        self.ready_ms = 0
        self._pauses = 0
        self.failure: str | None = None
        self._asks_offsets = False

    def begin(self, log: LogEnd, high_watermark: int) -> TruncateTo | None:
        """Where to start: at the end of the log, or, with no epoch to compare by, at the high watermark, behind which nothing is sure."""
        self.last_fetched_epoch = log.epochs.latest
        self._offset = log.offset
        if self.last_fetched_epoch == UNDEFINED and high_watermark < log.offset:
            return TruncateTo(high_watermark)
        return None

    def position(self, now_ms: int) -> Position | None:
        """What to fetch now; None while it waits, asks for offsets or has failed."""
        if self.failure is not None or self._asks_offsets or now_ms < self.ready_ms:
            return None
        return self._position

    @property
    def _position(self) -> Position:
        return Position(self._offset, self.leader_epoch, self.last_fetched_epoch)

    # What the leader answers

    def answered(self, asked: Position, error: Error, diverging: tuple[int, int] | None, log: LogEnd, now_ms: int) -> Effect | None:
        """`diverging` is the leader's (epoch, end offset). None: the answer is for somewhere else, drop it (R7)."""
        if self.position(now_ms) != asked:
            return None
        if error is Error.NONE:
            self._pauses = 0
            if diverging is not None:
                return TruncateTo(truncation_offset(*diverging, log))
            if log.offset != self._offset:  # somebody else wrote: the answer's records don't belong here (R6)
                return self.fail(f"the log ends at {log.offset}, the fetch was from {self._offset}")
            return Append()
        if error is Error.OFFSET_OUT_OF_RANGE:
            self._asks_offsets = True
            return AskOffsets()
        if error is Error.FENCED_LEADER_EPOCH:
            return self.fail("the leader has a newer epoch")
        return self.pause(now_ms)

    def learned(self, latest: int, earliest: int, log: LogEnd) -> TruncateTo | StartAt | None:
        """The leader's log, when the own place isn't in it (R12). None: go on where the log ends."""
        self._asks_offsets = False
        if latest < log.offset:
            return TruncateTo(latest)
        if earliest > log.offset:
            return StartAt(earliest)
        self._offset, self.last_fetched_epoch = log.offset, log.epochs.latest
        return None

    def not_learned(self, error: Error, now_ms: int) -> Effect:
        self._asks_offsets = False
        return self.fail("the leader has a newer epoch") if error is Error.FENCED_LEADER_EPOCH else self.pause(now_ms)

    def unanswered(self) -> None:
        """Nobody will tell what `AskOffsets` asks for any more: the next fetch shows whether it is still needed."""
        self._asks_offsets = False

    # What came of the effects

    def appended(self, log: LogEnd) -> None:
        self._offset, self.last_fetched_epoch = log.offset, log.epochs.latest

    truncated = appended

    def pause(self, now_ms: int) -> Pause:
        """The leader isn't there, isn't the leader yet, or sent something broken: later (R13, R14)."""
        self.ready_ms = now_ms + min(_FIRST_PAUSE_MS << min(self._pauses, 20), self._backoff_ms)
        self._pauses += 1
        return Pause()

    def fail(self, reason: str) -> Failed:
        self.failure = reason
        return Failed(reason)


def truncation_offset(leader_epoch: int, leader_end_offset: int, log: LogEnd) -> int:
    """Where a log leaves its leader's history, as far as this answer tells: the leader ends `leader_epoch` at `leader_end_offset` (R10).

    With an older epoch of its own the replica keeps what it has of that, and the next fetch tells more.
    """
    if leader_end_offset == UNDEFINED:
        return log.offset
    own_epoch, own_end_offset = log.epochs.end_offset_for(leader_epoch, log.offset)
    if own_epoch == UNDEFINED or leader_epoch == UNDEFINED:
        return min(leader_end_offset, log.offset)
    if own_epoch != leader_epoch:
        return min(own_end_offset, log.offset)
    return min(own_end_offset, leader_end_offset, log.offset)
