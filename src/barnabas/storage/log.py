"""The log of one partition: its segments, from the first that is kept to the active one.

Owns when to roll, to sync and to let segments go, and the files beside them: producer snapshots, leader-epoch-checkpoint, partition.metadata. Knows neither
replicas nor clients, gives out no offsets and judges no batch. Source: Apache's UnifiedLog and LocalLog, INTERCHANGE D45-D116.

The caller serialises everything that changes the log by a lock of its own. Reads, and the part of `flush_in_background` that waits for the disk, take
none: the segments are a tuple that is replaced.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from typing import TYPE_CHECKING

from .atomic_file import sync_directory
from .deleted_files import DeletedFiles
from .epoch_checkpoint import EpochCheckpoint
from .errors import OffsetOutOfRange, StorageError
from .file_names import DELETED
from .loader import Loader
from .log_config import FAR, LogConfig
from .log_reader import Slice, aborted_in, aborted_transactions, base_offset_of, find_slice
from .partition_metadata import bind_topic
from .producer_snapshot import Snapshots
from .recovery import rebuild_producers
from .retention import deletable
from .segment import Appended, Segment, sync_segments
from .timestamps import TimestampOffset, in_settled, latest_timestamp, offset_at
from .transaction_index import Aborted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from .loader import Loaded
    from .log_directory import LogDirectory
    from .replica_state import Epochs, Producers


class Log:
    """One partition directory, open. Offsets: `start_offset` <= what can be read < `end_offset`; below `recovery_point` everything is on disk."""

    __slots__ = (
        "_active",
        "_checked_ms",
        "_deleted",
        "_epochs",
        "_flush_at",
        "_flushed_ms",
        "_needs_directory_sync",
        "_producers",
        "_segments",
        "_snapshots",
        "config",
        "directory",
        "end_offset",
        "recovery_point",
        "start_offset",
        "truncations",
    )

    def __init__(self, directory: str, config: LogConfig, loaded: Loaded, producers: Producers, epochs: Epochs, now_ms: int) -> None:
        self.directory = directory
        self.config = config
        self._producers = producers
        self._epochs = EpochCheckpoint(directory, epochs, loaded.epochs_cut)
        self._segments: tuple[Segment, ...] = tuple(loaded.segments)
        self._active = self._segments[-1]
        self.start_offset = loaded.start_offset
        self.end_offset = loaded.end_offset
        self.recovery_point = loaded.recovery_point
        self._snapshots = Snapshots(directory, loaded.snapshots)
        self._deleted = DeletedFiles()
        self._needs_directory_sync = True
        self.truncations = 0
        self._flushed_ms = self._checked_ms = now_ms
        self._plan_flush()

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        config: LogConfig,
        *,
        recovery_point: int,
        clean: bool,
        log_start_offset: int,
        producers: Producers,
        epochs: Epochs,
        now_ms: int,
        topic_id: bytes | None = None,
        was_compacted: bool = False,
    ) -> Log:
        """Load the directory, which exists, after a clean stop or by recovery. With a topic id, a missing partition.metadata is written.
        `was_compacted`: records may be missing at segments' ends also if the policy is another one now.

        Raises StorageError.
        """
        directory = os.fspath(directory)
        try:
            loader = Loader(directory, config, producers, epochs, now_ms)
            loaded = loader.load(recovery_point=recovery_point, clean=clean, log_start_offset=log_start_offset, was_compacted=was_compacted)
            log = cls(directory, config, loaded, producers, epochs, now_ms)
            if loaded.epochs_rebuilt:
                log._epochs.write()
            if topic_id is not None:
                bind_topic(directory, topic_id)
        except OSError as error:
            raise StorageError.of(directory, "could not open the log", error) from error
        return log

    @property
    def size_bytes(self) -> int:
        return sum([segment.size for segment in self._segments])

    @property
    def first_base_offset(self) -> int:
        return self._segments[0].base_offset

    @property
    def active_base_offset(self) -> int:
        return self._active.base_offset

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The last one is being written."""
        return self._segments

    # Appending

    def append(self, batches: Sequence[Appended], now_ms: int = -1) -> None:
        """Write batches whose bytes carry their offsets and epochs, at the end; all or none. One system call unless the log rolls in between.

        `now_ms` is for rolling by the clock, which only batches without timestamps need. Raises StorageError; the log is as before then.
        """
        active = self._active
        end_offset = self.end_offset
        if len(batches) == 1:
            _, base_offset, last_offset, max_timestamp, size, epoch = batches[0]
            first_epoch = epoch
        else:
            base_offset, first_epoch = batches[0][1], batches[0][5]
            last_offset, epoch = batches[-1][2], batches[-1][5]
            size = sum([batch[4] for batch in batches])
            max_timestamp = max([batch[3] for batch in batches])
        if base_offset < end_offset:
            raise ValueError(f"{self.directory}: a batch at offset {base_offset} can't follow the log's end {end_offset}")
        latest = self._epochs.latest
        if epoch != latest or first_epoch != latest:  # epochs never fall from batch to batch; a follower may have led an empty log in a newer one
            self._epochs.note(batches)
        is_full = active.size + size > active.max_bytes or max_timestamp > active.roll_timestamp or last_offset > active.roll_offset
        if now_ms > active.roll_clock_ms or (is_full and len(batches) == 1):
            active = self.roll(base_offset, now_ms)
        if is_full and len(batches) > 1:
            self._append_over_segments(batches, now_ms)
        else:
            active.append(batches)
            self.end_offset = last_offset + 1
        if last_offset >= self._flush_at:
            self.flush()

    def _append_over_segments(self, batches: Sequence[Appended], now_ms: int) -> None:
        """Many batches, and a roll before or among them: each segment gets its part by one write. All or none: no follower sees what may be taken back."""
        start, end_offset, count = 0, self.end_offset, len(self._segments)
        try:
            while start < len(batches):
                stop = self._active.room_for(batches, start)
                if stop > start:
                    self._active.append(batches[start:stop])
                    end_offset = batches[stop - 1][2] + 1
                    start = stop
                else:
                    self.roll(batches[start][1], now_ms, end_offset)
        except StorageError:
            if end_offset > self.end_offset:
                self._undo(count)
            raise
        self.end_offset = end_offset

    def _undo(self, count: int) -> None:
        """Take back what a part of an append wrote, so that it counts as none of it. Raises StorageError when even that fails."""
        try:
            self._drop_segments(self._segments[count:], 0)
            self._segments = self._segments[:count]
            self._active = self._segments[-1]
            self._active.truncate_to(self.end_offset, 0)
        except OSError as error:
            raise StorageError(self.directory, f"could not take back half an append: {error.strerror}; take it offline") from error

    def flush_epochs(self, changed: bool = True) -> None:
        """Write the leader epoch checkpoint, durably, unless it says the same already: before a leader's first write (D73). Raises StorageError."""
        if changed or self._epochs.stale:
            self._epochs.write()

    def add_aborted(self, producer_id: int, first_offset: int, last_offset: int, last_stable_offset: int) -> None:
        """Index an aborted transaction whose marker was appended at `last_offset`, in the order of markers. Raises StorageError."""
        segment = self._segments[bisect_right(self._segments, last_offset, key=base_offset_of) - 1]
        segment.transactions.append(Aborted(producer_id, first_offset, last_offset, last_stable_offset))

    # Rolling

    def roll(self, base_offset: int | None = None, now_ms: int = -1, end_offset: int | None = None) -> Segment:
        """Begin a new segment at the log's end, which readers may not know yet, or at `base_offset` if that is FAR behind it. Raises StorageError."""
        end_offset = self.end_offset if end_offset is None else end_offset
        base_offset = end_offset if base_offset is None or base_offset - end_offset < FAR else base_offset
        old = self._active
        if base_offset == old.base_offset and old.size == 0:
            old.configure_roll_offset()
            return old
        try:
            old.deactivate()
            # The .log comes last: if anything fails, no segment stands in the way of what the old one takes still.
            self._snapshots.take(base_offset, self._producers.entries(base_offset), sync=False)
            active = Segment.create(self.directory, base_offset, self.config, now_ms)
        except OSError as error:
            raise StorageError.of(self.directory, "could not roll to a new segment", error) from error
        self._needs_directory_sync = True
        self._segments = (*self._segments, active)
        self._active = active
        return active

    # Syncing

    def needs_flush(self, now_ms: int) -> bool:
        """Whether a segment was rolled and not synced since, or `flush.ms` has passed over unsynced data."""
        self._checked_ms = now_ms
        is_due = self.recovery_point < self.end_offset and now_ms - self._flushed_ms >= self.config.flush_ms
        return is_due or self.recovery_point < self._active.base_offset

    def flush(self, up_to: int | None = None) -> None:
        """Make everything below `up_to` (the log's end) durable, and note it as the recovery point. Raises StorageError."""
        target = self.end_offset if up_to is None else min(up_to, self.end_offset)
        self._sync(self._segments, target)
        self._advance_recovery_point(target)

    def flush_in_background(self, lock: AbstractContextManager[object]) -> None:
        """The same, holding `lock` (the writers') only before and after the disk is waited for.

        Syncs up to the active segment's start, or all if `flush.ms` had passed when `needs_flush` was asked. Raises StorageError.
        """
        with lock:
            segments, truncations = self._segments, self.truncations
            now_ms = self._checked_ms
            target = self.end_offset if now_ms - self._flushed_ms >= self.config.flush_ms else self._active.base_offset
        self._sync(segments, target)
        with lock:
            if truncations == self.truncations:
                self._advance_recovery_point(target)
                self._flushed_ms = now_ms

    def _sync(self, segments: Sequence[Segment], target: int) -> None:
        try:
            self._snapshots.sync()
            sync_segments(segments, self.recovery_point, target)
            if self._needs_directory_sync:
                self._needs_directory_sync = False
                sync_directory(self.directory)
        except OSError as error:
            raise StorageError.of(self.directory, "could not sync", error) from error

    def _advance_recovery_point(self, target: int) -> None:
        self.recovery_point = max(self.recovery_point, target)
        self._plan_flush()

    def _plan_flush(self) -> None:
        self._flush_at = self.recovery_point + self.config.flush_messages - 1

    def reconfigure(self, config: LogConfig) -> None:
        """Go by new settings from here on."""
        self.config = config
        for segment in self._segments:
            segment.configure(config)
        self._active.restart_roll_time()
        self._plan_flush()

    # Reading

    def read(self, offset: int, max_bytes: int, upper_offset: int, min_one: bool = True) -> Slice | None:
        """Whole batches from the one that holds `offset` on, below `upper_offset`, a batch's start or the log's end. Raises OffsetOutOfRange, StorageError.

        At most `max_bytes`, but the first batch even if it is larger, with `min_one`; else an empty slice. None when there is nothing to read.
        """
        while True:
            segments = self._segments  # before the log's start: what is let go of from here on is still among them
            if not self.start_offset <= offset <= self.end_offset:
                raise OffsetOutOfRange(offset, self.start_offset, self.end_offset)
            try:
                return find_slice(segments, offset, max_bytes, upper_offset, min_one) if offset < upper_offset else None
            except OSError as error:
                if segments is self._segments:
                    raise StorageError.of(self.directory, f"could not read at offset {offset}", error) from error

    def find_offset_by_timestamp(self, timestamp: int) -> TimestampOffset | None:
        """The first record at or after the log's start whose timestamp is at least `timestamp`. Raises StorageError, DecodeError."""
        return in_settled(lambda: self._segments, lambda segments: offset_at(segments, timestamp, self.start_offset))

    def max_timestamp_offset(self) -> TimestampOffset | None:
        """The first record that has the log's greatest timestamp. Raises StorageError, DecodeError."""
        return in_settled(lambda: self._segments, latest_timestamp)

    def aborted_transactions(self, start: int, end: int) -> list[Aborted]:
        """The aborted transactions that touch [start, end), in the order of their markers. Raises StorageError."""
        return aborted_transactions(self._segments, start, end)

    def aborted_in(self, start: int, found: Slice) -> list[Aborted]:
        """Those that touch a slice that `read` gave from `start` on. Raises StorageError."""
        return aborted_in(self._segments, start, found, self.end_offset)

    def set_start_offset(self, offset: int) -> bool:
        """Move the log's start forward (D112). Whether it moved. Raises OffsetOutOfRange beyond the end, StorageError."""
        if offset > self.end_offset:
            raise OffsetOutOfRange(offset, self.start_offset, self.end_offset)
        if offset <= self.start_offset:
            return False
        self.start_offset = offset
        self._epochs.truncate_start(offset)
        return True

    def delete_old_segments(self, now_ms: int, high_watermark: int) -> int:
        """Let segments go by the log's start and by retention; how many. Raises StorageError."""
        segments = self._segments
        try:
            count = deletable(
                segments, self.config, start_offset=self.start_offset, end_offset=self.end_offset, high_watermark=high_watermark, now_ms=now_ms
            )
            if count == 0:
                return 0
            if count == len(segments):
                self.roll(None, now_ms)
            self.set_start_offset(self._segments[count].base_offset)
            self._segments = self._segments[count:]
            self._drop_segments(segments[:count], now_ms)
        except OSError as error:
            raise StorageError.of(self.directory, "could not delete old segments", error) from error
        return count

    def _drop_segments(self, segments: Sequence[Segment], now_ms: int) -> None:
        """Rename to `.deleted`; `remove_deleted_files` unlinks (D108). Readers that hold a file keep it."""
        for segment in segments:
            self._deleted.add(now_ms, segment.rename(DELETED) + self._snapshots.let_go(segment.base_offset))

    @property
    def has_deleted_files(self) -> bool:
        return bool(self._deleted)

    def remove_deleted_files(self, before_ms: int) -> int:
        """Unlink what was let go at or before `before_ms`; how many files. Raises StorageError."""
        return self._deleted.remove(before_ms)

    def replace_segments(self, cleaned: Segment, old: tuple[Segment, ...], now_ms: int) -> bool:
        """Have `cleaned` take the place of `old`, to which nothing is written any more (D107). Not if they aren't all there. Raises OSError."""
        from .replacement import replaced

        segments = replaced(self._segments, cleaned, old, self._snapshots, self._deleted, now_ms)
        self._segments, self._needs_directory_sync = segments or self._segments, True
        return segments is not None

    def truncate_to(self, offset: int, now_ms: int = 0) -> bool:
        """Drop everything at or beyond `offset`, which becomes the log's end (D115). Whether there was anything. Raises StorageError."""
        if offset < 0:
            raise ValueError(f"{self.directory}: can't truncate to offset {offset}")
        if offset >= self.end_offset:
            self._epochs.truncate_end(self.end_offset)
            return False
        if self._segments[0].base_offset > offset:
            self.truncate_fully(offset, now_ms)
            return True
        try:
            keep = [segment for segment in self._segments if segment.base_offset <= offset]
            gone = self._segments[len(keep) :]
            self._segments, self._active, self.end_offset = tuple(keep), keep[-1], offset
            self._after_truncation(offset)
            # From the end on: a crash in between leaves a shorter log, never one with a hole.
            self._drop_segments(gone[::-1], now_ms)
            self._active.truncate_to(offset, now_ms)
            self.start_offset = min(self.start_offset, offset)
            self._epochs.truncate_end(offset)
            self.reload_producers(now_ms)
        except OSError as error:
            raise StorageError.of(self.directory, f"could not truncate to offset {offset}", error) from error
        return True

    def truncate_fully(self, offset: int, now_ms: int = 0, log_start_offset: int | None = None) -> None:
        """Drop everything and begin anew at `offset`. Raises StorageError."""
        try:
            for segment in self._segments:
                self._deleted.add(now_ms, segment.rename(DELETED))
            active = Segment.create(self.directory, offset, self.config, now_ms)
            self._active = active
            self._segments = (active,)
            self.end_offset = offset
            self.start_offset = offset if log_start_offset is None else log_start_offset
            self._after_truncation(offset)
            self._epochs.clear()
            self._snapshots.clear()
            self._producers.clear()
        except OSError as error:
            raise StorageError.of(self.directory, f"could not truncate fully to offset {offset}", error) from error

    def _after_truncation(self, offset: int) -> None:
        self.recovery_point = min(self.recovery_point, offset)
        self.truncations += 1
        self._needs_directory_sync = True
        self._plan_flush()

    def reload_producers(self, now_ms: int) -> None:
        """Make the producers what the log says: after a truncation, or when an append failed whose producers were noted already. Raises StorageError."""
        try:
            rebuild_producers(self.directory, self._segments, self._snapshots.offsets, self.start_offset, self.end_offset, self._producers, now_ms)
            self._take_snapshot()
        except OSError as error:
            raise StorageError.of(self.directory, "could not read the producers' state", error) from error

    def _take_snapshot(self) -> None:
        self._snapshots.take(self.end_offset, self._producers.entries(self.end_offset), at_least=self.start_offset, sync=True)

    def close(self) -> None:
        """Make everything durable and leave the files as a clean stop does: indexes cut, a producer snapshot at the end (D55, D64, D84).

        Raises StorageError: then the directory's stop isn't clean.
        """
        try:
            self._active.deactivate()
            self._take_snapshot()
        except OSError as error:
            raise StorageError.of(self.directory, "could not be closed", error) from error
        self._needs_directory_sync = True
        self.flush()
        self.close_without_sync()

    def close_without_sync(self) -> None:
        """Let go of all files as they are: the disk failed, or the log is to be removed."""
        for segment in self._segments:
            segment.close()

    def rename_for_deletion(self, files: LogDirectory, topic: str, partition: int, now_ms: int, delay_ms: int) -> None:
        """Give the directory its -delete name (D109); `files` removes it after the delay. Readers of open files aren't disturbed. Raises OSError."""
        self.renamed(files.mark_deleted(self.directory, topic, partition, now_ms, delay_ms))
        self._deleted.forget()

    def renamed(self, directory: str) -> None:
        """The directory has another name, on the same disk."""
        self.directory = self._snapshots.directory = self._epochs.directory = directory
        self._deleted.move(directory)
        for segment in self._segments:
            segment.move(directory)


__all__ = ["Appended", "Log", "LogConfig", "Slice"]
