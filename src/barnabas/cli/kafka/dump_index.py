"""kafka-dump-log's part for what lies beside a segment: offset, time and transaction indexes, producer snapshots.

Owns: their lines and the mismatches between index and log. Reads the bytes itself, never through `storage`'s index classes, which open files for writing.
"""

from __future__ import annotations

import mmap
import os
import sys
from struct import Struct
from typing import TYPE_CHECKING

from .dump_log import DumpFailed, base_offset_of, batch_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from barnabas.wire.records.batch import BatchHeader

OFFSET_ENTRY = Struct(">Ii")
TIME_ENTRY = Struct(">qI")
TRANSACTION_ENTRY = Struct(">hqqqq")
CORRUPT = "org.apache.kafka.storage.internals.log.CorruptIndexException"


class IndexProblems:
    """Mismatches found on the way, printed at the end."""

    def __init__(self) -> None:
        self.offsets: dict[str, dict[int, int]] = {}
        self.timestamps: dict[str, list[tuple[int, int]]] = {}
        self.out_of_order: dict[str, list[tuple[int, int]]] = {}
        self.not_found: dict[str, list[tuple[int, int]]] = {}

    def print(self) -> None:
        write = sys.stderr.write
        for path, mismatches in self.offsets.items():
            write(f"Mismatches in :{path}\n")
            for index_offset in sorted(mismatches, reverse=True):
                write(f"  Index offset: {index_offset}, log offset: {mismatches[index_offset]}\n")
        for found, title, line in (
            (self.timestamps, "Found timestamp mismatch in :", "  Index timestamp: {}, log timestamp: {}\n"),
            (self.out_of_order, "Found out of order timestamp in :", "  Index timestamp: {}, Previously indexed timestamp: {}\n"),
            (self.not_found, "The following indexed offsets are not found in :", "Indexed offset: {}, found log offset: {}\n"),
        ):
            for path, pairs in found.items():
                write(f"{title}{path}\n")
                for pair in pairs:
                    write(line.format(*pair))


def _read(path: str) -> mmap.mmap | bytes:
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if os.fstat(file.fileno()).st_size else b""


def _beside(path: str, suffix: str) -> str:
    """The file of the same segment with another suffix."""
    return os.path.join(os.path.dirname(os.path.abspath(path)), os.path.basename(path).split(".")[0] + suffix)


def _offset_entries(data: mmap.mmap | bytes, base: int) -> Iterator[tuple[int, int]]:
    """(offset, position) of each entry, the zeros of a file that is still open included."""
    for at in range(0, len(data) // OFFSET_ENTRY.size * OFFSET_ENTRY.size, OFFSET_ENTRY.size):
        relative, position = OFFSET_ENTRY.unpack_from(data, at)
        yield base + relative, position


def _time_entries(data: mmap.mmap | bytes, base: int) -> Iterator[tuple[int, int]]:
    """(timestamp, offset) of each entry."""
    for at in range(0, len(data) // TIME_ENTRY.size * TIME_ENTRY.size, TIME_ENTRY.size):
        timestamp, relative = TIME_ENTRY.unpack_from(data, at)
        yield timestamp, base + relative


def dump_offset_index(path: str, sanity_only: bool, verify_only: bool, problems: IndexProblems, max_message_size: int) -> None:
    base = base_offset_of(path)
    log_path = _beside(path, ".log")
    log, index = _read(log_path), _read(path)
    if len(index) < OFFSET_ENTRY.size:
        print(f"{path} is empty.")
        return
    if sanity_only:
        _check_offset_index(path, index, base)
        print(f"{path} passed sanity check.")
        return
    for number, (offset, position) in enumerate(_offset_entries(index, base)):
        if offset == base and number:
            return  # the rest of a file that is still open
        header = batch_at(log_path, log, position, min(len(log), position + max_message_size))
        if header is None:
            raise DumpFailed("", "java.util.NoSuchElementException")
        if header.last_offset != offset:
            problems.offsets.setdefault(os.path.abspath(path), {})[offset] = header.last_offset
        if not verify_only:
            print(f"offset: {offset} position: {position}")


def _check_offset_index(path: str, index: mmap.mmap | bytes, base: int) -> None:
    last = base
    for offset, _ in _offset_entries(index, base):
        last = offset
    if last < base:
        raise DumpFailed(
            f"Corrupt index found, index file ({os.path.abspath(path)}) has non-zero size but the last offset is {last} which is less than the base offset {base}.",
            CORRUPT,
        )
    if len(index) % OFFSET_ENTRY.size:
        raise DumpFailed(
            f"Index file {os.path.abspath(path)} is corrupt, found {len(index)} bytes which is neither positive nor a multiple of 8.", CORRUPT
        )


def dump_time_index(path: str, sanity_only: bool, verify_only: bool, problems: IndexProblems) -> None:
    base = base_offset_of(path)
    log_path = _beside(path, ".log")
    log, positions, index = _read(log_path), list(_offset_entries(_read(_beside(path, ".index")), base)), _read(path)
    entries = list(_time_entries(index, base))
    if sanity_only:
        _check_time_index(path, index, entries, base)
        print(f"{path} passed sanity check.")
        return
    key = os.path.abspath(path)
    previous = -1
    for number, (timestamp, offset) in enumerate(entries):
        if offset == base and number:
            return
        start = _lookup(positions, base, offset)
        header, position = _first_reaching(log_path, log, start, offset)
        if header is None or header.last_offset != offset:
            problems.not_found.setdefault(key, []).append((offset, -1 if header is None else header.last_offset))
        else:
            greatest = _greatest_timestamp(bytes(log[position : position + header.size]))
            if greatest != timestamp:
                problems.timestamps.setdefault(key, []).append((timestamp, greatest))
            if previous >= timestamp:
                problems.out_of_order.setdefault(key, []).append((timestamp, previous))
        if not verify_only:
            print(f"timestamp: {timestamp} offset: {offset}")
        previous = timestamp


def _lookup(positions: list[tuple[int, int]], base: int, offset: int) -> int:
    """Where the search for an offset begins: the position of the greatest indexed one that isn't above it."""
    found = 0
    for number, (indexed, position) in enumerate(positions):
        if (indexed == base and number) or indexed > offset:
            break
        found = position
    return found


def _first_reaching(log_path: str, log: mmap.mmap | bytes, position: int, offset: int) -> tuple[BatchHeader | None, int]:
    while (header := batch_at(log_path, log, position, len(log))) is not None:
        if header.last_offset >= offset:
            return header, position
        position += header.size
    return None, position


def _greatest_timestamp(batch: bytes) -> int:
    from barnabas.wire.records.record import decode_records

    return max((record.timestamp for record in decode_records(batch, check_crc=False)), default=-1)


def _check_time_index(path: str, index: mmap.mmap | bytes, entries: list[tuple[int, int]], base: int) -> None:
    full = os.path.abspath(path)
    if entries:
        (first_timestamp, _), (last_timestamp, last_offset) = entries[0], entries[-1]
        if last_timestamp < first_timestamp:
            raise DumpFailed(
                f"Corrupt time index found, time index file ({full}) has non-zero size but the last timestamp is {last_timestamp} "
                f"which is less than the first timestamp {first_timestamp}",
                CORRUPT,
            )
        if last_offset < base:
            raise DumpFailed(
                f"Corrupt time index found, time index file ({full}) has non-zero size but the last offset is {last_offset} "
                f"which is less than the first offset {base}",
                CORRUPT,
            )
    if len(index) % TIME_ENTRY.size:
        raise DumpFailed(f"Time index file {full} is corrupt, found {len(index)} bytes which is neither positive nor a multiple of 12.", CORRUPT)


def dump_transactions(path: str) -> None:
    base_offset_of(path)
    data = _read(path)
    for at in range(0, len(data) // TRANSACTION_ENTRY.size * TRANSACTION_ENTRY.size, TRANSACTION_ENTRY.size):
        version, producer_id, first, last, stable = TRANSACTION_ENTRY.unpack_from(data, at)
        print(f"version: {version} producerId: {producer_id} firstOffset: {first} lastOffset: {last} lastStableOffset: {stable}")


def dump_producers(path: str) -> None:
    from barnabas.wire.logs.producer_snapshot import ProducerSnapshot
    from barnabas.wire.records.native import crc32c
    from barnabas.wire.types import DecodeError

    data = bytes(_read(path))
    version = int.from_bytes(data[:2], "big", signed=True)
    try:
        if version != 1:
            raise DecodeError(f"Snapshot contained an unknown file version {version}")
        snapshot = ProducerSnapshot.decode(data[2:], version)
    except DecodeError as error:
        sys.stderr.write(f"Snapshot failed schema validation: {error}\n")
        return
    computed = crc32c(memoryview(data)[6:])
    if snapshot.crc != computed:
        sys.stderr.write(f"Snapshot is corrupt (CRC is no longer valid). Stored crc: {snapshot.crc}. Computed crc: {computed}\n")
        return
    for entry in snapshot.producer_entries:
        transaction = "OptionalLong.empty" if entry.current_txn_first_offset < 0 else f"OptionalLong[{entry.current_txn_first_offset}]"
        line = (
            f"producerId: {entry.producer_id} producerEpoch: {entry.epoch} coordinatorEpoch: {entry.coordinator_epoch} "
            f"currentTxnFirstOffset: {transaction} lastTimestamp: {entry.timestamp}"
        )
        if entry.last_offset >= 0:
            first = (
                entry.last_sequence - entry.offset_delta
                if entry.last_sequence >= entry.offset_delta
                else 2**31 - 1 - (entry.offset_delta - entry.last_sequence) + 1
            )
            line += (
                f" firstSequence: {first} lastSequence: {entry.last_sequence} lastOffset: {entry.last_offset} "
                f"offsetDelta: {entry.offset_delta} timestamp: {entry.timestamp}"
            )
        print(line)
