"""Reading segments to learn what they hold: recovery after an unclean stop, torn tails, producers and epochs (D66, D76, D85, D100-D104).

Owns the passes over batches. Which segments need one, and what is done about those behind a cut, is `loader`'s.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from barnabas.wire.records.batch import ATTRIBUTES_POSITION, CONTROL, HEADER, HEADER_SIZE
from barnabas.wire.records.native import thin
from barnabas.wire.records.walk import Course

from .batch_scan import OldFormat, Scan, find_batch, survey
from .errors import StorageError
from .file_names import LOG
from .log_config import MAX_INT32, MAX_INT64
from .producer_snapshot import CorruptSnapshot, read_snapshot, remove_snapshot
from .replica_state import replay_batch
from .segment import Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .batch_scan import Header, Window
    from .replica_state import Epochs, Producers
    from .segment import Segment
    from .transaction_index import Aborted

_MOST_HEADERS = 20_000  # to be kept
_OF_DATA = bytes([attributes for attributes in range(256) if not attributes & CONTROL])
_NO_RECORDS = memoryview(b"")


class _Told:
    """What `producers` are told of batches, window after window: of a long log of many producers only a few headers are left for them."""

    __slots__ = ("_headers", "_producers")

    def __init__(self, producers: Producers) -> None:
        self._producers = producers
        self._headers = b""

    def take(self, window: Window) -> bool:
        """Keep what matters of a window's batches. Not if there are markers, which have to be read: each of its batches is to be replayed then."""
        if len(self._headers) > _MOST_HEADERS * HEADER_SIZE:
            self.tell()
        headers = thin(window.data, window.told, self._headers)
        if headers[ATTRIBUTES_POSITION + 1 :: HEADER_SIZE].translate(None, _OF_DATA):
            return False
        self._headers = headers
        return True

    def replay(self, header: Header, batch: memoryview) -> Aborted | None:
        self.tell()
        return replay_batch(self._producers, header, batch)

    def tell(self) -> None:
        """Tell of what was kept."""
        headers, self._headers = self._headers, b""
        for header in HEADER.iter_unpack(headers):
            replay_batch(self._producers, header, _NO_RECORDS)


def recover_segment(
    segment: Segment, producers: Producers, epochs: Epochs | None, first_offset: int, before_cut: Callable[[], None] | None = None
) -> int:
    """Rebuild the three indexes from the batches, telling `producers` and `epochs`, and cut the file behind the last whole one.

    Batches below `first_offset` don't concern the producers. `before_cut` is called if anything is cut. Returns the offset after the last batch.
    Raises StorageError, OSError.
    """
    path = segment.path(LOG)
    segment.index.file.create()
    segment.time_index.reset()
    segment.transactions.reset()
    base_offset = segment.base_offset
    size = os.fstat(segment.file.fileno()).st_size
    if size > MAX_INT32:
        raise StorageError(path, f"{size} bytes where no segment may have more than {MAX_INT32}: is this a log?", offline=False)
    course = begin = Course(
        base_offset,
        next_offset=base_offset,
        largest_offset=min(base_offset + MAX_INT32, MAX_INT64 - 1),
        first_offset=first_offset,
        epoch=MAX_INT64 if epochs is None else epochs.latest,
        room=segment.index.file.max_count,
        interval_bytes=segment.index_interval_bytes,
        offset_of_max=base_offset,
    )
    told = _Told(producers)
    try:
        for window in survey(segment.file.fileno(), size, begin):
            is_newer, course = window.course.epoch > course.epoch, window.course
            segment.index.file.extend(window.entries)
            segment.time_index.extend_within(window.times)
            if not is_newer and told.take(window):
                continue
            for header, batch in window.batches():
                if epochs is not None and header[2] > epochs.latest:
                    epochs.assign(header[2], header[0])
                if header[9] >= 0 and header[0] + header[6] >= first_offset:
                    aborted = told.replay(header, batch)
                    if aborted is not None:
                        segment.transactions.append(aborted)
        told.tell()
    except OldFormat as error:
        raise StorageError(path, str(error), offline=False) from error
    valid = course.position
    if valid < size:
        if before_cut is not None:
            before_cut()
        os.ftruncate(segment.file.fileno(), valid)
    segment.size = valid
    segment.restart_roll_time()
    segment.unindexed_bytes = valid - course.entry_position
    segment.set_max_timestamp(course.max_timestamp, course.offset_of_max)
    segment.tail = Tail(course.next_offset - 1)
    segment.deactivate()
    return course.next_offset


def read_tail(segment: Segment) -> int | None:
    """The offset after the last batch of a segment that was closed in order, checking the batches behind the last index entry and cutting a torn end.

    None when the index doesn't fit the file: recover the segment then. Raises StorageError, OSError.
    """
    descriptor = segment.file.fileno()
    size = segment.size = os.fstat(descriptor).st_size
    entry = segment.index.last()
    start = entry[1] if entry is not None else 0
    if entry is not None:
        try:
            found = find_batch(descriptor, start, size, 0) if 0 < start < size else None
        except ValueError:
            found = None
        if found is None or found[3] != entry[0]:
            return None
    next_offset, valid = segment.base_offset, 0
    try:
        for position, batch_size, header in Scan(descriptor, start, size):
            if header[0] < next_offset:
                break
            next_offset, valid = header[0] + header[6] + 1, position + batch_size
    except OldFormat as error:
        raise StorageError(segment.path(LOG), str(error), offline=False) from error
    if valid < size:
        if entry is not None and valid == 0:
            return None
        os.ftruncate(descriptor, valid)
        segment.size = valid
        segment.cut_indexes(next_offset)
    segment.unindexed_bytes = segment.size - start
    segment.tail = Tail(next_offset - 1)
    return next_offset


def rebuild_producers(
    directory: str, segments: Sequence[Segment], snapshots: list[int], start_offset: int, end_offset: int, producers: Producers, now_ms: int
) -> None:
    """Make `producers` what the log up to `end_offset` says: the newest readable snapshot, and the batches behind it (D66).

    `snapshots` are the offsets of the snapshots on disk, rising; those that can't be of this log are deleted. Raises StorageError, OSError.
    """
    for offset in [offset for offset in snapshots if offset > end_offset or offset <= start_offset]:
        snapshots.remove(offset)
        remove_snapshot(directory, offset)
    load_producers(directory, segments, snapshots, start_offset, end_offset, producers, now_ms)


def load_producers(
    directory: str, segments: Sequence[Segment], snapshots: list[int], start_offset: int, end_offset: int, producers: Producers, now_ms: int
) -> None:
    """The same, from `snapshots` that are all in range; unreadable ones are deleted."""
    producers.clear()
    known = start_offset
    while snapshots:
        try:
            producers.load(read_snapshot(directory, snapshots[-1]), now_ms)
        except (CorruptSnapshot, FileNotFoundError):
            remove_snapshot(directory, snapshots.pop())
            continue
        known = snapshots[-1]
        break
    replay(segments, known, end_offset, producers)


def replay(segments: Iterable[Segment], offset: int, end_offset: int, producers: Producers) -> None:
    """Tell `producers` of the batches in [offset, end_offset). Raises OSError."""
    if offset >= end_offset:
        return
    for segment in segments:
        if segment.base_offset >= end_offset:
            return
        found = segment.find(max(offset, segment.base_offset))
        if found is None:
            continue
        base_offset = segment.base_offset
        course = Course(base_offset, next_offset=base_offset, largest_offset=end_offset - 1, epoch=MAX_INT64, position=found[0])
        told = _Told(producers)
        for window in survey(segment.file.fileno(), segment.size, course):
            if not told.take(window):
                for header, batch in window.batches():
                    told.replay(header, batch)
        told.tell()


def rebuild_epochs(segments: Sequence[Segment], start_offset: int, epochs: Epochs) -> None:
    """Take the leader epochs from the batches' headers, where the checkpoint is missing or junk (O13). Raises OSError."""
    epochs.clear()
    for segment in segments:
        base_offset = segment.base_offset
        course = Course(base_offset, next_offset=base_offset, largest_offset=MAX_INT64 - 1, first_offset=MAX_INT64, epoch=epochs.latest)
        for window in survey(segment.file.fileno(), segment.size, course):
            for header, _ in window.batches():
                epochs.assign(header[2], max(header[0], start_offset))


def last_offset_of(segment: Segment) -> int:
    """The offset after the last batch of a segment that isn't the active one. Raises StorageError, OSError."""
    end = segment.base_offset
    found = segment.find(end)
    while found is not None:
        position = found[0]
        try:
            batch = find_batch(segment.file.fileno(), position, segment.size, 0)
        except ValueError:
            return end
        if batch is None:
            return end
        end = batch[3] + 1
        found = segment.find(end)
    return end
