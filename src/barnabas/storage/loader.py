"""Opening a partition directory: from files, whatever state a crash left them in, to segments and a log's limits (D66-D68, D76, D82, D85, D100-D107).

Owns the order of the steps. The passes over batches are in `recovery`.
"""

from __future__ import annotations

import contextlib
import os
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .atomic_file import sync_directory
from .epoch_checkpoint import load_epochs
from .file_names import (
    CLEANED,
    DELETED,
    INDEX,
    INDEX_SUFFIXES,
    KRAFT_SNAPSHOT_DELETED,
    LOG,
    PRODUCER_SNAPSHOT,
    SWAP,
    TIME_INDEX,
    TRANSACTION_INDEX,
    offset_of,
)
from .producer_snapshot import remove_snapshot, write_snapshot
from .recovery import last_offset_of, load_producers, read_tail, rebuild_epochs, rebuild_producers, recover_segment
from .segment import Segment

if TYPE_CHECKING:
    from .log_config import LogConfig
    from .replica_state import Epochs, Producers


class Loaded(NamedTuple):
    """A log as found on disk. `snapshots` are the offsets of producer snapshots, rising.

    Of the leader epoch checkpoint: `epochs_cut`, it has entries too many; `epochs_rebuilt`, it is to be written.
    """

    segments: list[Segment]
    start_offset: int
    end_offset: int
    recovery_point: int
    snapshots: list[int]
    epochs_cut: bool
    epochs_rebuilt: bool


class Loader:
    """One opening of one directory."""

    def __init__(self, directory: str, config: LogConfig, producers: Producers, epochs: Epochs, now_ms: int) -> None:
        self.directory = directory
        self.config = config
        self.producers = producers
        self.epochs = epochs
        self.now_ms = now_ms
        self.segments: list[Segment] = []
        self.snapshots: list[int] = []
        self.has_holes = config.compact

    def load(self, *, recovery_point: int, clean: bool, log_start_offset: int, was_compacted: bool = False) -> Loaded:
        """Raises StorageError, OSError."""
        self.has_holes = was_compacted or self.config.compact
        names = finish_swaps(self.directory, self.config, self.now_ms)
        damaged = self._find_segments(names)
        epochs_known = load_epochs(self.directory, self.epochs)
        stored = self.epochs.entries if epochs_known else ()
        scanned_from = 0 if clean else self._floor(recovery_point)
        for segment in damaged:
            if clean or segment.base_offset < scanned_from:
                self._reindex(segment, log_start_offset)
        end_offset: int | None = None
        is_scanned = False  # whether the producers are up to the end already
        if self.segments and not clean:
            end_offset = self._recover(scanned_from, log_start_offset)
            is_scanned = True
        elif self.segments:
            end_offset = read_tail(self.segments[-1])
            if end_offset is None:
                end_offset = self._reindex(self.segments[-1], log_start_offset)
        if end_offset is not None and end_offset < log_start_offset:
            self._drop(self.segments)
            self.epochs.clear()
            end_offset, is_scanned = None, False
        if end_offset is None:
            self.segments = [Segment.create(self.directory, log_start_offset, self.config, self.now_ms)]
            end_offset = log_start_offset
        start_offset = max(log_start_offset, self.segments[0].base_offset)
        self._settle_epochs(epochs_known, start_offset, log_start_offset, end_offset)
        is_cut = stored != self.epochs.entries == limited(stored, log_start_offset, end_offset)
        self._settle_producers(start_offset, end_offset, clean=clean, is_scanned=is_scanned)
        self.segments[-1].restart_roll_time()
        point = end_offset if clean else min(recovery_point, end_offset)
        is_rebuilt = not is_cut and self.epochs.entries != stored
        return Loaded(self.segments, start_offset, end_offset, point, self.snapshots, is_cut, is_rebuilt)

    def _find_segments(self, names: set[str]) -> list[Segment]:
        """The segments in order; returns those whose indexes can't be used."""
        bases = {offset_of(name) for name in names if name.endswith(LOG) and offset_of(name) >= 0}
        for name in names:
            if name.endswith(INDEX_SUFFIXES) and offset_of(name) >= 0 and offset_of(name) not in bases:
                os.unlink(f"{self.directory}/{name}")
        self.snapshots = sorted(offset_of(name) for name in names if name.endswith(PRODUCER_SNAPSHOT) and offset_of(name) >= 0)
        damaged = []
        for base in sorted(bases):
            size = os.path.getsize(f"{self.directory}/{base:020d}{LOG}")
            has_transactions = f"{base:020d}{TRANSACTION_INDEX}" in names
            segment = Segment(self.directory, base, self.config, size=size, now_ms=self.now_ms, has_transactions=has_transactions)
            self.segments.append(segment)
            missing = not {f"{base:020d}{INDEX}", f"{base:020d}{TIME_INDEX}"} <= names
            if missing or (has_transactions and not segment.transactions.is_sane()):
                damaged.append(segment)
        for segment in self.segments[:-1]:
            segment.trim_preallocated()
        self._remove_stray_snapshots(bases)
        return damaged

    def _remove_stray_snapshots(self, bases: set[int]) -> None:
        """Snapshots are kept at segment bases, and the newest behind the last base (D68)."""
        strays = [offset for offset in self.snapshots if offset not in bases]
        if strays and bases and strays[-1] > max(bases):
            strays.pop()
        for offset in strays:
            self.snapshots.remove(offset)
            remove_snapshot(self.directory, offset)

    def _floor(self, offset: int) -> int:
        """The base of the segment that holds `offset`: recovery begins there."""
        return max((segment.base_offset for segment in self.segments if segment.base_offset <= offset), default=-1)

    def _reindex(self, segment: Segment, log_start_offset: int) -> int:
        """Rebuild the indexes of a segment that isn't scanned for anything else; the offset behind its last batch.

        Its aborted transactions may have begun before it, so producers are brought up to it first; they are loaded anew afterwards.
        """
        start_offset = max(log_start_offset, self.segments[0].base_offset)
        known = [offset for offset in self.snapshots if start_offset < offset <= segment.base_offset]
        load_producers(self.directory, self.segments, known, start_offset, segment.base_offset, self.producers, self.now_ms)
        end_offset = recover_segment(segment, self.producers, None, start_offset)
        self.producers.clear()
        return end_offset

    def _recover(self, scanned_from: int, log_start_offset: int) -> int:
        """Scan from the segment that holds the recovery point; what is behind a cut goes. Returns the log's end."""
        first = next(number for number, segment in enumerate(self.segments) if segment.base_offset >= scanned_from)
        unflushed = self.segments[first:]
        start_offset = max(log_start_offset, self.segments[0].base_offset)
        rebuild_producers(
            self.directory, self.segments[:first], self.snapshots_up_to(scanned_from), start_offset, scanned_from, self.producers, self.now_ms
        )
        end_offset = scanned_from
        stored = self.epochs.entries
        # The checkpoint is durable at once, batches are not: after a truncation it may tell of what came to its file behind the cut, while the platter
        # still has what was there before. A follower that took the one for the other's epoch would never find out that it differs from its leader.
        self.epochs.truncate_end(scanned_from)
        for number, segment in enumerate(unflushed):
            if number >= len(unflushed) - 2 and segment.base_offset > start_offset:
                self._snapshot(segment.base_offset)
            # What is behind a cut goes before the cut is made: after a crash in between, nothing would tell that something is missing.
            behind = unflushed[number + 1 :]
            # Who wrote below the log's start is still known where that lies within a segment, as with Apache Kafka.
            first_offset = start_offset if behind and behind[0].base_offset <= start_offset else segment.base_offset
            end_offset = recover_segment(segment, self.producers, self.epochs, first_offset, partial(self._drop, behind))
            # A whole batch at a segment's end proves nothing: a loss of power may keep the names of later segments and lose the bytes of this one.
            # Only a cleaner takes records away there; a replica with such a hole would be taken for in sync.
            if not self.has_holes and self.segments[-1] is not segment and end_offset < behind[0].base_offset:
                self._drop(behind)
            if self.segments[-1] is segment:
                break
        if end_offset <= start_offset:
            self.producers.clear()
        if self.has_holes:
            self._restore_epochs(stored)
        return end_offset

    def _restore_epochs(self, stored: tuple[tuple[int, int], ...]) -> None:
        """A cleaner may have taken the batches that began an epoch: the checkpoint knows better, as long as the log has that epoch or a later one."""
        latest = self.epochs.latest
        believed = {epoch: start_offset for epoch, start_offset in stored if epoch <= latest}
        self.epochs.load(sorted({**dict(self.epochs.entries), **believed}.items()))

    def snapshots_up_to(self, offset: int) -> list[int]:
        """Later ones are of no use, nor to be trusted, once what they tell of is scanned anyway."""
        for later in [found for found in self.snapshots if found > offset]:
            self.snapshots.remove(later)
            remove_snapshot(self.directory, later)
        return self.snapshots

    def _drop(self, segments: list[Segment]) -> None:
        """Remove segments for good: nobody reads in them yet."""
        for segment in segments[::-1]:
            self.segments.remove(segment)
            segment.close()
            for kind in (INDEX, TIME_INDEX, TRANSACTION_INDEX, LOG):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(segment.path(kind))
            if segment.base_offset in self.snapshots:
                self.snapshots.remove(segment.base_offset)
                remove_snapshot(self.directory, segment.base_offset)

    def _settle_epochs(self, known: bool, start_offset: int, log_start_offset: int, end_offset: int) -> None:
        if not known and end_offset > start_offset:
            rebuild_epochs(self.segments, start_offset, self.epochs)
        if known:
            self.epochs.truncate_end(end_offset)
        self.epochs.truncate_start(log_start_offset)

    def _settle_producers(self, start_offset: int, end_offset: int, *, clean: bool, is_scanned: bool) -> None:
        if is_scanned:
            self._snapshot(end_offset, at_least=start_offset)
            return
        if clean and not self.snapshots:
            # Without any snapshot a clean log is taken to have no producers: the same as Apache Kafka, which doesn't scan either.
            self.producers.clear()
            for offset in [segment.base_offset for segment in self.segments[-2:]] + [end_offset]:
                self._snapshot(offset, at_least=start_offset)
            return
        rebuild_producers(self.directory, self.segments, self.snapshots, start_offset, end_offset, self.producers, self.now_ms)
        self._snapshot(end_offset, at_least=start_offset)

    def _snapshot(self, offset: int, at_least: int = -1) -> None:
        """Write one unless nothing advanced since the last."""
        if offset > max(self.snapshots[-1] if self.snapshots else 0, at_least):
            write_snapshot(self.directory, offset, self.producers.entries(), sync=True)
            self.snapshots.append(offset)


def limited(entries: tuple[tuple[int, int], ...], start_offset: int, end_offset: int) -> tuple[tuple[int, int], ...]:
    """The leader epochs of a log with these limits, as every loading cuts them."""
    kept = [entry for entry in entries if entry[1] < end_offset]
    gone = sum(entry[1] <= start_offset for entry in kept)
    return ((kept[gone - 1][0], start_offset), *kept[gone:]) if gone else tuple(kept)


def finish_swaps(directory: str, config: LogConfig, now_ms: int) -> set[str]:
    """Complete or undo what a cleaner was at when the node stopped (D106). Returns the names of the files that are there then. Raises OSError."""
    with os.scandir(directory) as entries:
        names = {entry.name for entry in entries if entry.is_file()}
    if not any(name.endswith((DELETED, CLEANED, SWAP)) for name in names):
        return names

    def remove(name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{directory}/{name}")
        names.discard(name)

    cleaned = {name for name in names if name.endswith(CLEANED)}
    lowest_cleaned = min((offset_of(name) for name in cleaned), default=None)
    for name in list(names):
        unfinished = lowest_cleaned is not None and name.endswith(SWAP) and offset_of(name) >= lowest_cleaned
        if name in cleaned or unfinished or (name.endswith(DELETED) and not name.endswith(KRAFT_SNAPSHOT_DELETED)):
            remove(name)
    swaps = {name for name in names if name.endswith(SWAP)}
    lowest, highest = None, -1
    for name in sorted(swaps):
        if name.endswith(LOG + SWAP):
            base = offset_of(name)
            segment = Segment(directory, base, config, size=os.path.getsize(f"{directory}/{name}"), now_ms=now_ms)
            segment.rename_in_place(SWAP)
            lowest = base if lowest is None else min(lowest, base)
            highest = max(highest, last_offset_of(segment))
            segment.close()
    for name in list(names - swaps):
        if lowest is not None and not name.endswith(PRODUCER_SNAPSHOT) and lowest <= offset_of(name) < highest:
            remove(name)
    for name in swaps:
        os.rename(f"{directory}/{name}", f"{directory}/{name.removesuffix(SWAP)}")
        names.remove(name)
        names.add(name.removesuffix(SWAP))
    sync_directory(directory)
    return names
