"""Cleaning one log: of each key the newest record stays, in segments that are written anew (D117-D125).

Two passes: over the dirty part, to note each key's newest offset in a table of bounded memory; over everything from the log's start to where that got, to copy what
stays. Works without the log's lock, on segments that nobody writes any more; the host gives the lock for the moment of the swap, and says when to give up. Which
log is to be cleaned, and when, is `cleanable` and the node's. Source: Apache's Cleaner and MemoryRecords.filterTo.
"""

from __future__ import annotations

import os
from itertools import compress
from mmap import mmap
from typing import TYPE_CHECKING, NamedTuple, Protocol

from barnabas.wire.records.batch import CODEC_MASK, CONTROL, DELETE_HORIZON, HEADER_SIZE, LOG_APPEND_TIME, TRANSACTIONAL
from barnabas.wire.records.builder import assemble, build_batch
from barnabas.wire.records.compression import decompress
from barnabas.wire.records.control import control_type
from barnabas.wire.records.native import judge, note_keys, read_records
from barnabas.wire.records.newest import SLOT
from barnabas.wire.records.record import Record, iterate_records
from barnabas.wire.types import DecodeError

from .batch_scan import OldFormat, Scan
from .cleaned_transactions import CleanedTransactions
from .file_names import CLEANED, INDEX, LOG, TIME_INDEX
from .log_config import MAX_INT32, MAX_INT64
from .log_reader import aborted_transactions
from .segment import Segment, Tail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .batch_scan import Header
    from .log_config import LogConfig
    from .segment import Appended

_MOST_BYTES = 1 << 30  # of one batch, decompressed
_NO_TIMESTAMP = -1


class Abandoned(Exception):
    """The log changed under the cleaner, or the node ends: nothing was replaced by the group of segments that was in hand."""


class Damaged(ValueError):
    """The log can't be cleaned, most likely since a batch can't be read. It is left as it is: a cleaner that goes on would lose what lies behind."""


class Round(NamedTuple):
    """One cleaning of one log, as it was when the round began."""

    directory: str
    config: LogConfig
    segments: tuple[Segment, ...]  # all; the last one is being written
    first_dirty_offset: int
    end_offset: int  # a segment's start: what is there and behind it isn't looked at
    last_records: dict[int, tuple[int, int]]  # producer -> (last data offset or -1, epoch)
    now_ms: int


class Limits(NamedTuple):
    """What one cleaner may take: bytes of the table of keys, how much of it is filled, bytes that are gathered before they are written."""

    table_bytes: int
    load_factor: float
    buffer_bytes: int


class Host(Protocol):
    def check(self, size: int) -> None:
        """So many bytes are about to be read or were written. May wait. Raises Abandoned."""

    def swap(self, cleaned: Segment, old: tuple[Segment, ...]) -> None:
        """Have the log take the one for the others. Raises Abandoned, OSError."""


class Cleaned(NamedTuple):
    """`offset` is where the next round begins; bytes of segments before and after."""

    offset: int
    bytes_read: int
    bytes_written: int


def clean(round_: Round, limits: Limits, host: Host) -> Cleaned:
    """Raises Abandoned, Damaged, MemoryError, OSError, StorageError. What was swapped by then stays so: it is correct at any time."""
    keys = _KeyMap(round_, limits)
    try:
        keys.fill(round_, host)
        transactions = CleanedTransactions()
        read = written = 0
        for group in groups([segment for segment in round_.segments if segment.base_offset <= keys.latest_offset], round_.config, round_.end_offset):
            read += sum(segment.size for segment in group)
            written += _clean_group(round_, limits, host, keys, group, transactions)
    except (DecodeError, OldFormat) as error:
        raise Damaged(f"{round_.directory}: {error}") from error
    finally:
        keys.close()
    return Cleaned(keys.latest_offset + 1, read, written)


def groups(segments: Sequence[Segment], config: LogConfig, end_offset: int) -> list[tuple[Segment, ...]]:
    """Neighbours that fit into one segment together: by size, by what their indexes take, and by offsets (D124)."""
    found: list[tuple[Segment, ...]] = []
    number = 0
    while number < len(segments):
        first = number
        sizes = _sizes(segments[number])
        number += 1
        while number < len(segments):
            segment = segments[number]
            more = _sizes(segment)
            bound = (segments[number + 1].base_offset if number + 1 < len(segments) else end_offset) - 1
            total = (sizes[0] + more[0], sizes[1] + more[1], sizes[2] + more[2])
            if total[0] > config.segment_bytes or max(total[1:]) > config.segment_index_bytes:
                break
            if segment.size and bound - segments[first].base_offset > MAX_INT32:
                break
            sizes = total
            number += 1
        found.append(tuple(segments[first:number]))
    return found


def _sizes(segment: Segment) -> tuple[int, int, int]:
    index, times = segment.index.file, segment.time_index.file
    return segment.size, index.count * index.entry_size, times.count * times.entry_size


def _batches(segment: Segment, position: int = 0) -> Iterator[tuple[Header, memoryview]]:
    """All batches from `position` on. Raises Damaged, OldFormat, OSError."""
    scan = Scan(segment.file.fileno(), position, segment.size)
    for at, size, header in scan:
        yield header, scan.view(at, size)
    if scan.position != segment.size:
        raise Damaged(f"{segment.path(LOG)}: no whole batch stands at position {scan.position}")


def _body(header: Header, batch: memoryview) -> bytes | bytearray | memoryview:
    """The records' bytes, uncompressed. Raises DecodeError."""
    if header[12] == 0:
        return b""
    return decompress(header[5] & CODEC_MASK, batch[HEADER_SIZE:], _MOST_BYTES)


def _records(header: Header, body: bytes | bytearray | memoryview) -> list[Record]:
    """Raises DecodeError."""
    append_time = header[8] if header[5] & LOG_APPEND_TIME else None
    records = read_records(body, header[12], header[0], header[7], append_time, Record)
    return list(iterate_records(body, header[12], header[0], header[7], append_time)) if records is None else records


def _marker_type(header: Header, batch: memoryview) -> int | None:
    """The type of a batch's control record; None when it is gone. Raises DecodeError."""
    records = _records(header, _body(header, batch))
    return control_type(records[0].key) if records else None


class _KeyMap:
    """Each key's newest offset in the dirty part, as far as memory reaches: up to `latest_offset`."""

    __slots__ = ("_count", "_memory", "_most", "latest_offset", "table")

    def __init__(self, round_: Round, limits: Limits) -> None:
        slots = limits.table_bytes // SLOT
        self._most = int(slots * limits.load_factor)
        self._count = 0
        self.latest_offset = -1
        # Twice as many slots as there can be records to note: small logs need little memory.
        size = min(slots, 2 * max(round_.end_offset - round_.first_dirty_offset, 0) + 1) * SLOT
        try:
            self._memory = mmap(-1, size)  # zeroed page by page as it is used; a bytearray would be all at once, and every other thread would wait
        except OSError as error:
            raise MemoryError(str(error)) from error
        self.table = memoryview(self._memory)

    def close(self) -> None:
        self.table.release()
        self._memory.close()

    def fill(self, round_: Round, host: Host) -> None:
        transactions = CleanedTransactions()
        transactions.expect(aborted_transactions(round_.segments, round_.first_dirty_offset, round_.end_offset))
        dirty = _dirty(round_)
        for number, segment in enumerate(dirty):
            if not self._note(segment, round_.first_dirty_offset, transactions, host):
                return
            # Offsets may be missing at a segment's end: up to the next one nothing is unknown.
            self.latest_offset = (dirty[number + 1].base_offset if number + 1 < len(dirty) else round_.end_offset) - 1

    def _note(self, segment: Segment, from_offset: int, transactions: CleanedTransactions, host: Host) -> bool:
        """Whether all keys of the segment found room."""
        entry = segment.index.lookup(from_offset)
        for header, batch in _batches(segment, 0 if entry is None else entry[1]):
            base_offset, attributes, producer_id = header[0], header[5], header[9]
            last_offset = base_offset + header[6]
            host.check(len(batch))
            if attributes & CONTROL:
                transactions.is_over(last_offset, producer_id, _marker_type(header, batch))
            elif not transactions.is_aborted(last_offset, producer_id, transactional=bool(attributes & TRANSACTIONAL)):
                noted = note_keys(_body(header, batch), header[12], base_offset, from_offset, self.table, self._most - self._count)
                if noted is None:
                    raise Damaged(f"{segment.path(LOG)}: the records of the batch at offset {base_offset} can't be read")
                self._count += noted[0]
                self.latest_offset = max(self.latest_offset, noted[1])
                if not noted[2]:
                    return False
            if last_offset >= from_offset:
                self.latest_offset = last_offset
        return True


def _dirty(round_: Round) -> list[Segment]:
    """From the segment that holds the first dirty offset to the last one that may be cleaned."""
    found = [segment for segment in round_.segments if segment.base_offset < round_.end_offset]
    first = max((number for number, segment in enumerate(found) if segment.base_offset <= round_.first_dirty_offset), default=0)
    return found[first:] if round_.first_dirty_offset < round_.end_offset else []


def _clean_group(round_: Round, limits: Limits, host: Host, keys: _KeyMap, group: tuple[Segment, ...], transactions: CleanedTransactions) -> int:
    """Write what stays of a group into one segment, which takes their place. Its size."""
    cleaned = Segment.create(round_.directory, group[0].base_offset, round_.config, round_.now_ms, suffix=CLEANED)
    try:
        output = _Output(cleaned, limits.buffer_bytes, host)
        keeper = _Keeper(round_, keys, transactions)
        transactions.kept = []
        for segment in group:
            following = round_.segments[round_.segments.index(segment) + 1].base_offset
            transactions.expect(aborted_transactions(round_.segments, segment.base_offset, following))
            for header, batch in _batches(segment):
                host.check(len(batch))
                kept = keeper.what_stays(header, batch)
                if kept is not None:
                    output.add(kept, header)
        output.write()
        for aborted in transactions.kept:
            cleaned.transactions.append(aborted)
        cleaned.deactivate()
        cleaned.sync()
        _keep_times(cleaned, group[-1])
        cleaned.tail = Tail(MAX_INT64)
        cleaned.close()
        host.swap(cleaned, group)
    except BaseException:
        if cleaned.suffix == CLEANED:
            cleaned.close()
            cleaned.remove()
        raise
    return cleaned.size


def _keep_times(cleaned: Segment, last: Segment) -> None:
    """Retention goes by when a file was changed where records have no time (D124)."""
    status = os.stat(last.path(LOG))
    for kind in (LOG, INDEX, TIME_INDEX):
        os.utime(cleaned.path(kind), ns=(status.st_atime_ns, status.st_mtime_ns))


class _Output:
    """Gathers batches and writes many at once."""

    __slots__ = ("_batches", "_buffer_bytes", "_host", "_segment", "_size")

    def __init__(self, segment: Segment, buffer_bytes: int, host: Host) -> None:
        self._segment = segment
        self._buffer_bytes = buffer_bytes
        self._host = host
        self._batches: list[Appended] = []
        self._size = 0

    def add(self, batch: bytes | bytearray, header: Header) -> None:
        max_timestamp = int.from_bytes(batch[35:43], "big", signed=True)
        self._batches.append((batch, header[0], header[0] + header[6], max_timestamp, len(batch), header[2]))
        self._size += len(batch)
        if self._size >= self._buffer_bytes:
            self.write()

    def write(self) -> None:
        if self._batches:
            if self._segment.size + self._size > MAX_INT32:
                raise Damaged(f"{self._segment.path(LOG)}: more is left of the segments that it is to replace than a segment can hold")
            self._segment.append(self._batches)
            self._host.check(self._size)
            self._batches, self._size = [], 0


class _Keeper:
    """Says of each batch what stays of it."""

    __slots__ = ("_delete_retention_ms", "_end_offset", "_keys", "_last_records", "_now_ms", "_transactions")

    def __init__(self, round_: Round, keys: _KeyMap, transactions: CleanedTransactions) -> None:
        self._keys = keys
        self._transactions = transactions
        self._last_records = round_.last_records
        self._end_offset = round_.end_offset
        self._now_ms = round_.now_ms
        self._delete_retention_ms = round_.config.delete_retention_ms

    def what_stays(self, header: Header, batch: memoryview) -> bytes | bytearray | None:
        """The batch as it is to be written, its offsets and epochs unchanged; None if it goes. Raises DecodeError."""
        base_offset, _, _, _, _, attributes, delta, base_timestamp, _, producer_id, _, _, _ = header
        last_offset = base_offset + delta
        horizon_ms = base_timestamp if attributes & DELETE_HORIZON else None
        is_control = bool(attributes & CONTROL)
        if is_control:
            is_gone = is_over = self._transactions.is_over(last_offset, producer_id, _marker_type(header, batch))
            is_gone = is_gone and horizon_ms is not None and horizon_ms <= self._now_ms
        else:
            is_gone = self._transactions.is_aborted(last_offset, producer_id, transactional=bool(attributes & TRANSACTIONAL))
            is_over = False
        if is_gone:
            return self._emptied(header) if self._must_stay(header) else None
        if is_control:
            stays = header[12] > 0
            kept, tombstones, verdicts = header[12], 0, b""
        else:
            body = _body(header, batch)
            drops_tombstones = horizon_ms is not None and horizon_ms <= self._now_ms
            judged = judge(body, header[12], base_offset, self._keys.table, self._keys.latest_offset, drops_tombstones)
            if judged is None:
                raise Damaged(f"the records of the batch at offset {base_offset} can't be read")
            kept, tombstones, verdicts = judged
            stays = kept > 0
        if not stays:
            return self._emptied(header) if self._must_stay(header) else None
        sets_horizon = horizon_ms is None and (tombstones > 0 or is_over)
        if kept == header[12] and not sets_horizon:
            return bytes(batch)
        records = _records(header, _body(header, batch) if is_control else body)
        return self._rebuilt(header, records if is_control else compress(records, verdicts), horizon_ms, sets_horizon)

    def _must_stay(self, header: Header) -> bool:
        """Whether a batch says something even without records: a producer's state, or where the round ended (D122)."""
        last_offset = header[0] + header[6]
        last = self._last_records.get(header[9]) if header[9] >= 0 else None
        if last is not None:
            if last[0] >= 0:
                if last[0] == last_offset:
                    return True
            elif header[5] & CONTROL and header[10] == last[1]:
                return True
        return last_offset + 1 == self._end_offset

    @staticmethod
    def _emptied(header: Header) -> bytearray:
        attributes = header[5] & (LOG_APPEND_TIME | TRANSACTIONAL | CONTROL)
        return assemble(b"", header[0], header[2], attributes, header[6], _NO_TIMESTAMP, header[8], header[9], header[10], header[11], 0)

    def _rebuilt(self, header: Header, records: Iterator[Record] | list[Record], horizon_ms: int | None, sets_horizon: bool) -> bytes:
        base_offset, _, leader_epoch, _, _, attributes, delta, _, max_timestamp, producer_id, producer_epoch, base_sequence, _ = header
        if sets_horizon:
            horizon_ms = self._now_ms + self._delete_retention_ms
        return build_batch(
            records,
            base_offset=base_offset,
            leader_epoch=leader_epoch,
            codec=attributes & CODEC_MASK,
            producer_id=producer_id,
            producer_epoch=producer_epoch,
            base_sequence=base_sequence,
            transactional=bool(attributes & TRANSACTIONAL),
            control=bool(attributes & CONTROL),
            append_time=max_timestamp if attributes & LOG_APPEND_TIME else None,
            delete_horizon_ms=horizon_ms if horizon_ms is not None and horizon_ms >= 0 else None,
            last_offset_delta=delta,
        )
