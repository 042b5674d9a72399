"""The leader epochs of one partition: at which offset each began (D73-D75, R11). KIP-101, KIP-279.

Owns the rules by which entries come and go. Doesn't own the leader-epoch-checkpoint file: `storage.log` writes it when told that something changed.
Readers need no lock: the entries are a tuple that is replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

UNDEFINED = -1


class LeaderEpochs:
    """(epoch, start offset) pairs that rise in both."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: tuple[tuple[int, int], ...] = ()

    def load(self, entries: Iterable[tuple[int, int]]) -> None:
        """Take the place of what was known; entries that don't rise are resolved as if they were assigned in turn."""
        self.entries = ()
        for epoch, start_offset in entries:
            self.assign(epoch, start_offset)

    @property
    def latest(self) -> int:
        """The newest epoch, -1 when none is known."""
        entries = self.entries
        return entries[-1][0] if entries else UNDEFINED

    def assign(self, epoch: int, start_offset: int) -> bool:
        """`epoch` begins at `start_offset`. Older entries that contradict it go. Whether anything changed."""
        if epoch < 0 or start_offset < 0:
            raise ValueError(f"leader epoch {epoch} from offset {start_offset} can't be")
        entries = self.entries
        if entries and epoch == entries[-1][0] and start_offset >= entries[-1][1]:
            return False
        keep = len(entries)
        while keep and (entries[keep - 1][0] >= epoch or entries[keep - 1][1] >= start_offset):
            keep -= 1
        self.entries = (*entries[:keep], (epoch, start_offset))
        return True

    def truncate_end(self, end_offset: int) -> bool:
        """The log ends at `end_offset` now: drop epochs that begin there or later. Whether anything changed."""
        entries = self.entries
        keep = len(entries)
        while keep and entries[keep - 1][1] >= end_offset:
            keep -= 1
        self.entries = entries[:keep]
        return keep < len(entries)

    def truncate_start(self, start_offset: int) -> bool:
        """The log starts at `start_offset` now: the epoch that holds it begins there, older ones go. Whether anything changed."""
        entries = self.entries
        gone = 0
        while gone < len(entries) and entries[gone][1] <= start_offset:
            gone += 1
        if gone == 0 or (gone == 1 and entries[0][1] == start_offset):
            return False
        self.entries = ((entries[gone - 1][0], start_offset), *entries[gone:])
        return True

    def clear(self) -> bool:
        """Forget all. Whether there was anything."""
        had = bool(self.entries)
        self.entries = ()
        return had

    def end_offset_for(self, epoch: int, log_end_offset: int) -> tuple[int, int]:
        """(the greatest epoch at or below `epoch`, where it ends); (-1, -1) when that can't be told (R11)."""
        entries = self.entries
        if epoch == UNDEFINED or not entries:
            return UNDEFINED, UNDEFINED
        if entries[-1][0] == epoch:
            return epoch, log_end_offset
        floor = UNDEFINED
        for known, start_offset in entries:
            if known > epoch:
                # Older than all that is known: its data is gone, so the asker goes on where the log begins.
                return (epoch if floor == UNDEFINED else floor), start_offset
            floor = known
        return UNDEFINED, UNDEFINED

    def divergence(self, offset: int, last_fetched_epoch: int, log_end_offset: int) -> tuple[int, int] | None:
        """Where a reader that fetches from `offset`, behind a record of `last_fetched_epoch`, has left this log's history, as (epoch, where it ends here).

        None while it hasn't. LookupError when that can't be told: the fetch is answered OFFSET_OUT_OF_RANGE (R9, KIP-595).
        """
        epoch, end_offset = self.end_offset_for(last_fetched_epoch, log_end_offset)
        if epoch == UNDEFINED or end_offset == UNDEFINED:
            raise LookupError(f"nothing is known of epoch {last_fetched_epoch} or what came after it")
        return (epoch, end_offset) if epoch < last_fetched_epoch or end_offset < offset else None

    def epoch_of(self, offset: int) -> int:
        """The epoch in which `offset` was or will be written, -1 when it isn't known."""
        found = UNDEFINED
        for epoch, start_offset in self.entries:
            if start_offset > offset:
                break
            found = epoch
        return found
