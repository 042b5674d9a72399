"""One segment: a .log file with its three indexes (D45-D62).

Owns appending at the end, finding an offset, truncation within the segment, renaming and syncing its files. Doesn't decide when to roll or what to keep.

Writers are serialised by the caller. Readers take no lock: they see `size` first and then `tail`, which a writer updates in the opposite order.
"""

from __future__ import annotations

import contextlib
import os
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from .batch_scan import Scan, find_batch, first_max_timestamp
from .errors import StorageError
from .file_names import INDEX, LOG, TIME_INDEX, TRANSACTION_INDEX, offset_name
from .log_config import MAX_INT32, MAX_INT64
from .offset_index import OffsetIndex
from .time_index import NO_TIMESTAMP, TimeIndex
from .transaction_index import TransactionIndex
from .whole_writes import cut_back, write_all, write_rest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .log_config import LogConfig

    Buffer = bytes | bytearray | memoryview

# Batches whose place is kept in memory, so that reads at the tail cost no system call: between this many and twice as many.
TAIL_BATCHES = 256
NEVER = MAX_INT64

# (buffer, base offset, last offset, max timestamp, size, leader epoch) of one batch, whose bytes carry its offset and epoch already.
Appended = tuple["Buffer", int, int, int, int, int]


class LogFile:
    """An open .log. The descriptor lives as long as somebody refers to this, also after the file is deleted: `os.sendfile` may still be at it."""

    __slots__ = ("_descriptor", "path", "tells_residence")

    def __init__(self, path: str, flags: int = os.O_RDWR) -> None:
        self._descriptor = -1
        self.path = path
        self.tells_residence = True  # until `is_resident` finds that its file system doesn't
        self._descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)

    def fileno(self) -> int:
        return self._descriptor

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class Tail:
    """The latest batches of a segment: last offsets and positions, in step. Offsets at or below `floor` aren't covered."""

    __slots__ = ("floor", "last_offsets", "positions")

    def __init__(self, floor: int, last_offsets: array[int] | None = None, positions: array[int] | None = None) -> None:
        self.floor = floor
        self.last_offsets = array("q") if last_offsets is None else last_offsets
        self.positions = array("q") if positions is None else positions

    def trimmed(self) -> Tail:
        """A new tail without the older half; readers may hold this one."""
        floor = self.last_offsets[TAIL_BATCHES - 1]
        return Tail(floor, self.last_offsets[TAIL_BATCHES:], self.positions[TAIL_BATCHES:])


class Segment:
    """The segment of `directory` that starts at `base_offset`. `size` is where its last whole batch ends."""

    __slots__ = (
        "_file",
        "_max_timestamp",
        "_offset_of_max_timestamp",
        "base_offset",
        "created_ms",
        "directory",
        "index",
        "index_interval_bytes",
        "max_bytes",
        "roll_after_ms",
        "roll_clock_ms",
        "roll_offset",
        "roll_timestamp",
        "size",
        "suffix",
        "tail",
        "time_index",
        "transactions",
        "unindexed_bytes",
    )

    def __init__(self, directory: str, base_offset: int, config: LogConfig, *, size: int, now_ms: int, has_transactions: bool = False) -> None:
        self.directory = directory
        self.base_offset = base_offset
        self.suffix = ""
        self.size = size
        self.index = OffsetIndex(self.path(INDEX), base_offset, config.segment_index_bytes)
        self.time_index = TimeIndex(self.path(TIME_INDEX), base_offset, config.segment_index_bytes)
        self.transactions = TransactionIndex(self.path(TRANSACTION_INDEX), base_offset, exists=has_transactions)
        self.tail = Tail(MAX_INT64)
        self.unindexed_bytes = 0
        self.created_ms = now_ms
        self.roll_timestamp = NEVER
        self.roll_clock_ms = NEVER
        self._file: LogFile | None = None
        self._max_timestamp = NO_TIMESTAMP
        self._offset_of_max_timestamp = base_offset
        self.configure(config)
        if size:
            self._max_timestamp = -2  # read when asked for

    def configure(self, config: LogConfig) -> None:
        """Take the limits of a new configuration; the index keeps the size it has."""
        self.max_bytes = min(config.segment_bytes, MAX_INT32)
        self.index_interval_bytes = config.index_interval_bytes
        self.roll_after_ms = config.segment_ms - self._jitter_ms(config)
        self.configure_roll_offset()

    def configure_roll_offset(self) -> None:
        """The last offset that fits; none when an index is full."""
        self.roll_offset = self.base_offset + MAX_INT32

    def _jitter_ms(self, config: LogConfig) -> int:
        """Spread by the segment's name instead of by chance: segments of many partitions still roll at different times (D96), and a test can repeat it."""
        bound = min(config.segment_jitter_ms, config.segment_ms)
        if bound <= 0:
            return 0
        from zlib import crc32

        return crc32(f"{os.path.basename(self.directory)}/{self.base_offset}".encode()) % bound

    @classmethod
    def create(cls, directory: str, base_offset: int, config: LogConfig, now_ms: int, suffix: str = "") -> Segment:
        """A new, empty segment; files that its names have already are dropped. Raises OSError."""
        segment = cls(directory, base_offset, config, size=0, now_ms=now_ms)
        if suffix:
            segment.rename_in_place(suffix)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(segment.path(TRANSACTION_INDEX))
        segment.index.file.create()
        segment.time_index.file.create()
        segment._file = LogFile(segment.path(LOG), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        segment.tail = Tail(base_offset - 1)
        return segment

    def path(self, kind: str) -> str:
        """The path of this segment's `.log`, `.index`, ..."""
        return f"{self.directory}/{offset_name(self.base_offset, kind)}{self.suffix}"

    @property
    def file(self) -> LogFile:
        """The open .log; opened on first use."""
        file = self._file
        while file is None:
            path = self.path(LOG)
            try:
                file = self._file = LogFile(path)
            except FileNotFoundError:
                if path == self.path(LOG):  # not renamed meanwhile
                    raise
        return file

    # Appending

    def append(self, batches: Sequence[Appended]) -> None:
        """Write batches behind the last one, all or none of them. Raises StorageError."""
        if self.unindexed_bytes > self.index_interval_bytes or len(batches) > 1:
            self._reserve_entries(len(batches))
        position = self.size
        if len(batches) == 1:
            buffer, _, last_offset, max_timestamp, size, _ = batches[0]
            try:
                written = os.pwrite(self.file.fileno(), buffer, position)
            except OSError as error:
                raise cut_back(self.file, position, error) from error
            if written != size:
                write_rest(self.file, [buffer], position, written, size)
            self._account(last_offset, max_timestamp, position, size)
            self.size = position + size
            return
        write_all(self.file, [batch[0] for batch in batches], position, sum([batch[4] for batch in batches]))
        for _, _, last_offset, max_timestamp, size, _ in batches:
            self._account(last_offset, max_timestamp, position, size)
            position += size
            self.size = position

    def _account(self, last_offset: int, max_timestamp: int, position: int, size: int) -> None:
        """Note a batch that was written: the greatest timestamp, an index entry when one is due, its place for readers of the tail."""
        if position == 0:
            self.first_timestamp(max_timestamp)
        if max_timestamp > self._max_timestamp:
            if self._max_timestamp < NO_TIMESTAMP:
                self._load_max_timestamp()
            if max_timestamp > self._max_timestamp:
                self._max_timestamp = max_timestamp
                self._offset_of_max_timestamp = last_offset
        unindexed = self.unindexed_bytes
        if unindexed > self.index_interval_bytes:
            self._add_entry(last_offset, position)
            unindexed = 0
        self.unindexed_bytes = unindexed + size
        tail = self.tail
        tail.positions.append(position)
        tail.last_offsets.append(last_offset)
        if len(tail.last_offsets) > 2 * TAIL_BATCHES:
            self.tail = tail.trimmed()

    def first_timestamp(self, timestamp: int) -> None:
        """From the first batch's timestamp, or the clock when it has none, it is known when the segment is to roll (D95)."""
        if timestamp >= 0:
            self.roll_timestamp, self.roll_clock_ms = timestamp + self.roll_after_ms, NEVER
        else:
            self.roll_timestamp, self.roll_clock_ms = NEVER, self.created_ms + self.roll_after_ms

    def restart_roll_time(self) -> None:
        """Count the time to roll from the first batch: after opening, and when the time changed. Raises OSError."""
        timestamp = first_max_timestamp(self.file.fileno()) if self.size else None
        if timestamp is not None:
            self.first_timestamp(timestamp)

    def _reserve_entries(self, batches: int) -> None:
        self.index.file.reserve(batches)
        self.time_index.file.reserve(batches)

    def _add_entry(self, last_offset: int, position: int) -> None:
        index, time_index = self.index, self.time_index
        if not index.is_full:
            index.append(last_offset, position)
        if not time_index.is_full:
            time_index.append(self._max_timestamp, self._offset_of_max_timestamp)
        if index.is_full or time_index.is_full:
            self.roll_offset = -1  # nothing fits any more: the next append rolls

    def room_for(self, batches: Sequence[Appended], start: int) -> int:
        """Up to which of the batches from `start` on this segment has room; at least one goes into an empty segment, unless its offset is out of reach."""
        stop, size = start, self.size
        while stop < len(batches):
            _, _, last_offset, max_timestamp, batch_size, _ = batches[stop]
            size += batch_size
            if size > self.max_bytes or last_offset > self.roll_offset or max_timestamp > self.roll_timestamp:
                break
            stop += 1
        return start + 1 if stop == start and self.size == 0 and batches[start][2] <= self.roll_offset else stop

    # Finding

    def find(self, offset: int) -> tuple[int, int] | None:
        """(position, size) of the first batch whose last offset is at least `offset`; None when there is none here. Raises OSError."""
        end = self.size
        tail = self.tail
        if offset > tail.floor:
            last_offsets, positions = tail.last_offsets, tail.positions
            slot = bisect_left(last_offsets, offset)
            if slot == len(last_offsets):
                return None
            position = positions[slot]
            following = positions[slot + 1] if slot + 1 < len(positions) else end
            return (position, following - position) if position < end else None
        found = self._find_from(self.index.lookup(offset), offset, end)
        return (found[0], found[1]) if found else None

    def _find_from(self, entry: tuple[int, int] | None, offset: int, end: int) -> tuple[int, int, int, int] | None:
        descriptor = self.file.fileno()
        if entry is not None:
            # The entry's batch itself proves that the index belongs to this file; without that, the scan starts at the front.
            with contextlib.suppress(ValueError):
                return find_batch(descriptor, entry[1], end, offset, entry[0])
        try:
            return find_batch(descriptor, 0, end, offset)
        except ValueError as error:
            raise StorageError(self.path(LOG), str(error)) from error

    def boundary(self, position: int) -> int:
        """A batch's start that is at or before `position`, as near as is known without reading: 0 at worst."""
        tail = self.tail
        positions = tail.positions
        if len(positions) and position >= positions[0]:
            return positions[bisect_left(positions, position + 1) - 1]
        return self.index.position_at_most(position)

    # Timestamps

    @property
    def max_timestamp(self) -> int:
        """The greatest timestamp in the segment, -1 when none is known."""
        if self._max_timestamp < NO_TIMESTAMP:
            self._load_max_timestamp()
        return self._max_timestamp

    @property
    def offset_of_max_timestamp(self) -> int:
        """The last offset of the batch that has the greatest timestamp."""
        if self._max_timestamp < NO_TIMESTAMP:
            self._load_max_timestamp()
        return self._offset_of_max_timestamp

    def _load_max_timestamp(self) -> None:
        self._max_timestamp, self._offset_of_max_timestamp = self.time_index.last()

    def set_max_timestamp(self, timestamp: int, offset: int) -> None:
        """What a scan over all batches found."""
        self._max_timestamp, self._offset_of_max_timestamp = timestamp, offset

    def largest_timestamp(self) -> int:
        """What retention by time goes by: the greatest timestamp, else when the file was last written (D113)."""
        timestamp = self.max_timestamp
        return timestamp if timestamp >= 0 else os.stat(self.path(LOG)).st_mtime_ns // 1_000_000

    # Truncation

    def cut_indexes(self, offset: int) -> None:
        """Drop what the indexes say of `offset` and beyond; the greatest timestamp is looked up again when asked for."""
        self.index.cut_to(offset)
        self.time_index.cut_to(offset)
        self.transactions.cut_to(offset)

    def truncate_to(self, offset: int, now_ms: int) -> None:
        """Cut behind the last batch that ends below `offset` (D115). Raises StorageError, OSError."""
        found = self.find(offset)
        self.tail = Tail(offset - 1)
        if found is not None:
            self.size = found[0]
            os.ftruncate(self.file.fileno(), self.size)
        self.cut_indexes(offset)
        self.unindexed_bytes = 0
        self.configure_roll_offset()
        if self.size == 0:
            self.created_ms = now_ms
            self.roll_timestamp = self.roll_clock_ms = NEVER
            self.set_max_timestamp(NO_TIMESTAMP, self.base_offset)
        else:
            self.set_max_timestamp(*self._largest_behind_index())

    def _largest_behind_index(self) -> tuple[int, int]:
        """The greatest timestamp: of the last time entry, or of a batch behind it."""
        timestamp, offset = self.time_index.last()
        found = self.find(offset) if timestamp >= 0 else (0, 0)
        if found is not None:
            for _, _, header in Scan(self.file.fileno(), found[0], self.size):
                if header[8] > timestamp:
                    timestamp, offset = header[8], header[0] + header[6]
        return timestamp, offset

    # Files

    def trim_preallocated(self) -> None:
        """For a segment that takes no appends: see IndexFile."""
        self.index.file.trim_preallocated()
        self.time_index.file.trim_preallocated()

    def deactivate(self) -> None:
        """No more appends: the final time entry, and both indexes cut to what they hold (D55, D98). Raises StorageError, OSError."""
        if self.size and self.max_timestamp >= 0:
            self.time_index.append(self._max_timestamp, self._offset_of_max_timestamp)
        self.index.file.trim()
        self.time_index.file.trim()

    def sync(self) -> None:
        """Make everything durable. Raises OSError."""
        os.fdatasync(self.file.fileno())
        self.index.file.sync()
        self.time_index.file.sync()
        self.transactions.sync()

    def is_file(self, file: LogFile) -> bool:
        """Whether `file` is this segment's."""
        return self._file is file

    def offset_at(self, position: int, end: int) -> int:
        """The offset behind the last batch that ends at or before `end`, looking from the batch at `position` on. Raises OSError."""
        tail = self.tail
        slot = bisect_left(tail.positions, end)
        if slot and (slot == len(tail.positions) or tail.positions[slot] == end) and end <= self.size:
            return tail.last_offsets[slot - 1] + 1
        start = max(position, self.boundary(end - 1)) if end > position else position
        offset, found = self.base_offset, None
        with contextlib.suppress(ValueError):
            while start < end and (found := find_batch(self.file.fileno(), start, end, 0)) is not None:
                offset, start = found[3] + 1, start + found[1]
        return offset

    def paths(self) -> list[str]:
        """All files that the segment has or may have."""
        return [self.path(kind) for kind in (LOG, INDEX, TIME_INDEX, TRANSACTION_INDEX)]

    def rename(self, suffix: str) -> list[str]:
        """Give all files another suffix (`.deleted`); returns their new paths. Raises OSError."""
        old = self.paths()
        self.suffix = suffix
        new = self.paths()
        for source, target in zip(old, new, strict=True):
            with contextlib.suppress(FileNotFoundError):
                os.rename(source, target)
        self._moved()
        return new

    def remove(self) -> None:
        """Remove all files of a segment that nobody else knows. Raises OSError."""
        for path in self.paths():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def open_all(self) -> None:
        """Have open what readers need: from here on they find it, whatever becomes of the names. Raises OSError."""
        self.file.fileno()
        self.index.file.entries()
        self.time_index.file.entries()

    def rename_in_place(self, suffix: str) -> None:
        """The files have this suffix already."""
        self.suffix = suffix
        self._moved()

    def move(self, directory: str) -> None:
        """The partition's directory was renamed."""
        self.directory = directory
        self._moved()

    def _moved(self) -> None:
        self.index.file.path = self.path(INDEX)
        self.time_index.file.path = self.path(TIME_INDEX)
        self.transactions.path = self.path(TRANSACTION_INDEX)
        if self._file is not None:
            self._file.path = self.path(LOG)

    def close(self) -> None:
        """Let go of maps and descriptors; readers that still hold the file keep it."""
        self.index.file.forget()
        self.time_index.forget()
        self._file = None


def sync_segments(segments: Sequence[Segment], point: int, target: int) -> None:
    """Make durable what lies in [point, target). Segments that were deleted meanwhile need no more. Raises OSError."""
    for number, segment in enumerate(segments):
        upper = segments[number + 1].base_offset if number + 1 < len(segments) else NEVER
        if upper > point and segment.base_offset < target:
            with contextlib.suppress(FileNotFoundError):
                segment.sync()
