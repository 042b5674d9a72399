"""Walking over the batches of a .log file by their 61-byte headers (D45), from the disk, without touching the records.

Owns reading in bounded chunks and the judgement whether a batch is whole (D103): `Scan` yields every batch, for short ways; `survey` goes over a log of any
size by native code and yields what recovery needs. Reads by `pread`, never by a map: a bad sector must be an error, not a SIGBUS.
"""

from __future__ import annotations

import os
import zlib
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.records.batch import ATTRIBUTES_POSITION, HEADER, HEADER_SIZE, LENGTH, LENGTH_END, MAGIC_POSITION
from barnabas.wire.records.control import control_type, coordinator_epoch
from barnabas.wire.records.native import crc32c, walk
from barnabas.wire.records.record import decode_records
from barnabas.wire.records.walk import MAGIC, Course

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_SIZE = LENGTH_END + 14

_SPARSE = Struct(">qi11xi")  # base offset, length, last offset delta
_SPARSE_SIZE = _SPARSE.size
_LOOKUP_BYTES = 8 * 1024
_SCAN_BYTES = 1024 * 1024
_SURVEY_BYTES = 4 * 1024 * 1024  # a window's fixed costs are lost in it, and it stays in a CPU's caches

Header = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int]
Found = tuple[int, int, int, int]


def find_batch(descriptor: int, position: int, end: int, offset: int, first_last_offset: int = -1) -> Found | None:
    """The first batch at or after `position` whose last offset is at least `offset`: (position, size, base offset, last offset).

    None when the file has none before `end`. Raises ValueError on a header that can't be, also when the batch at `position` doesn't end with
    `first_last_offset`, if one is given. Raises OSError.
    """
    unpack = _SPARSE.unpack_from
    chunk, chunk_start = b"", position
    while position + HEADER_SIZE <= end:
        at = position - chunk_start
        if at + _SPARSE_SIZE > len(chunk):
            # Most often what is sought is near: a little more than the index interval. A large batch skips the rest of the chunk.
            chunk, chunk_start, at = os.pread(descriptor, min(_LOOKUP_BYTES, end - position), position), position, 0
            if len(chunk) < HEADER_SIZE:
                return None
        base_offset, length, delta = unpack(chunk, at)
        size = length + LENGTH_END
        if size < HEADER_SIZE or delta < 0 or position + size > end or first_last_offset not in (-1, base_offset + delta):
            raise ValueError(f"no batch stands at position {position}")
        first_last_offset = -1
        if base_offset + delta >= offset:
            return position, size, base_offset, base_offset + delta
        position += size
    return None


def first_max_timestamp(descriptor: int) -> int | None:
    """The greatest timestamp of a file's first batch; None when there is no whole header. Raises OSError."""
    data = os.pread(descriptor, HEADER_SIZE, 0)
    return int(HEADER.unpack(data)[8]) if len(data) == HEADER_SIZE else None


class OldFormat(ValueError):
    """A message of a format before v2."""


class Scan:
    """Iterates over whole, valid batches from `position` to the first that isn't one, or to `end`.

    Yields (position, size, header fields). `view(position, size)` gives the bytes of the batch that was yielded last, until the next step.
    After the end, `position` is where valid batches end.
    """

    __slots__ = ("_buffer", "_descriptor", "_end", "_start", "position")

    def __init__(self, descriptor: int, position: int, end: int) -> None:
        self._descriptor = descriptor
        self._end = end
        self._start = position
        self._buffer = memoryview(b"")
        self.position = position

    def __iter__(self) -> Iterator[tuple[int, int, Header]]:
        """Raises OSError, OldFormat."""
        unpack = HEADER.unpack_from
        position, end = self.position, self._end
        buffer, filled, start = bytearray(min(_SCAN_BYTES, max(end - position, 0))), 0, position
        view = self._buffer = memoryview(buffer)
        while position + MIN_SIZE <= end:
            at = position - start
            if at + HEADER_SIZE > filled:
                filled, start, at = _fill(self._descriptor, view, position, end), position, 0
                if filled < HEADER_SIZE:
                    return
            header = unpack(buffer, at)
            size = header[1] + LENGTH_END
            if size < MIN_SIZE or position + size > end:
                return
            if at + size > filled:
                if size > len(view):
                    buffer = bytearray(size)  # bounded: the file has that many
                    view = self._buffer = memoryview(buffer)
                filled, start, at = _fill(self._descriptor, view, position, end), position, 0
                if filled < size:
                    return
            if header[3] != MAGIC:
                _refuse_old_format(view[at : at + size], position)
                return
            if size < HEADER_SIZE or header[6] < 0 or crc32c(view[at + ATTRIBUTES_POSITION : at + size]) != header[4]:
                return
            self._start = start
            self.position = position
            yield position, size, header
            position += size
            self.position = position

    def view(self, position: int, size: int) -> memoryview:
        """The bytes of the batch at `position`; valid until the scan goes on."""
        at = position - self._start
        return self._buffer[at : at + size]


class Window(NamedTuple):
    """What a survey found in one window."""

    course: Course  # how far it is: `position` is where valid batches end
    entries: bytes  # for the offset index
    times: bytes  # for the time index
    data: memoryview  # valid until the survey goes on
    told: bytes  # where in it the batches lie that `walk` says must be looked at

    def batches(self) -> Iterator[tuple[Header, memoryview]]:
        """Those that must be looked at."""
        unpack, data = HEADER.unpack_from, self.data
        for at in memoryview(self.told).cast("i"):
            header = unpack(data, at)
            yield header, data[at : at + header[1] + LENGTH_END]


def survey(descriptor: int, end: int, course: Course) -> Iterator[Window]:
    """Go over batches from `course.position` to the first that isn't whole and valid, or to `end`. Memory is bounded by a window, or by the largest batch.

    Raises OSError, OldFormat.
    """
    view = memoryview(bytearray(min(_SURVEY_BYTES, max(end - course.position, 0))))
    packed = course.pack()
    while end - (start := course.position) >= HEADER_SIZE:
        filled = _fill(descriptor, view, start, end)
        sound, packed, entries, times, told = walk(view[:filled], packed)
        course = Course.unpack(packed)
        at = course.position - start
        if at:
            yield Window(course, entries, times, view, told)
        if filled < len(view) and start + filled < end:
            return  # the file became shorter
        if sound and filled - at < HEADER_SIZE:
            continue
        size = LENGTH.unpack_from(view, at + LENGTH_END - LENGTH.size)[0] + LENGTH_END
        if not sound:
            if size >= MIN_SIZE and view[at + MAGIC_POSITION] != MAGIC:
                _refuse_old_format(view[at : at + size], course.position)
            return
        if size > end - course.position:
            return
        if size > len(view):
            view = memoryview(bytearray(size))  # bounded: the file has that many


def _fill(descriptor: int, view: memoryview, position: int, end: int) -> int:
    """Read from `position` on as much as fits into `view`; how many bytes that were. Less only at the file's end."""
    wanted = min(len(view), end - position)
    filled = 0
    while filled < wanted:
        read = os.preadv(descriptor, [view[filled:wanted]], position + filled)
        if read == 0:
            break
        filled += read
    return filled


def _refuse_old_format(message: memoryview, position: int) -> None:
    """Junk is cut, but a valid message of before Kafka 0.11 isn't junk: it is refused by name. Its CRC-32 covers all behind it."""
    if message[16] < MAGIC and zlib.crc32(message[16:]) == int.from_bytes(message[12:16], "big"):
        raise OldFormat(
            f"message format v{message[16]} at position {position}: let Apache Kafka rewrite this topic (consume and produce it anew) first"
        )


def marker_of(batch: memoryview) -> tuple[int, int] | None:
    """(control type, coordinator epoch) of a batch with an end-of-transaction marker; None when compaction emptied it. Raises DecodeError."""
    record = next(iter(decode_records(batch, check_crc=False)), None)
    if record is None:
        return None
    return control_type(record.key), coordinator_epoch(record.value or b"")
