"""Whether a replica's log goes on in the leader's: from where it fetches, after which epoch (Q39-Q41, Q46).

Pure. Source: KIP-595 and KIP-630; Apache's `RaftLog.validateOffsetAndEpoch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BOOTSTRAP_SNAPSHOT = (0, 0)


class LogView(NamedTuple):
    """The leader's log as far as this question goes."""

    start_offset: int
    end_offset: int
    last_epoch: int
    """Of the last batch, or of the snapshot that the log begins with."""
    snapshots: Sequence[tuple[int, int]]
    """(epoch, offset), oldest first."""
    end_of_epoch: Callable[[int], tuple[int, int]]
    """Epoch -> (the greatest epoch at or below it, where that ends); (-1, -1) when it isn't known."""


class Diverging(NamedTuple):
    """The replica must truncate to the end of this epoch, at most to `end_offset`, and ask again (Q41)."""

    epoch: int
    end_offset: int


class NeedsSnapshot(NamedTuple):
    """What the replica needs is gone from the log: fetch this snapshot."""

    epoch: int
    end_offset: int


def judge_position(offset: int, last_epoch: int, log: LogView) -> Diverging | NeedsSnapshot | None:
    """`offset`: what the replica asks for; `last_epoch`: of its record before. None: give it the log from there."""
    snapshots = log.snapshots
    if offset == 0 and snapshots and snapshots[-1] != BOOTSTRAP_SNAPSHOT:
        return NeedsSnapshot(*snapshots[-1])  # quicker than the log, if that still begins at 0 (Q40)
    if offset == 0 and log.start_offset == 0:
        return None
    if snapshots:
        first_epoch = snapshots[0][0]
        if offset < log.start_offset or (offset == log.start_offset and last_epoch != first_epoch) or last_epoch < first_epoch:
            return NeedsSnapshot(*snapshots[-1])
    epoch, end_offset = log.end_of_epoch(last_epoch)
    if epoch < 0:
        epoch, end_offset = log.last_epoch, log.end_offset
    elif snapshots and epoch == last_epoch and end_offset == snapshots[0][1]:
        epoch, end_offset = snapshots[0]
    return Diverging(epoch, end_offset) if epoch != last_epoch or end_offset < offset else None
