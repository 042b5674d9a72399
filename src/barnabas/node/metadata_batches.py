"""Metadata records to batches and back (D28-D30): what the metadata log holds, as messages.

Owns the split into batches and its limits. What the records mean is `core.metadata`'s and `core.controller`'s, the files are `storage.log`'s.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.metadata.record_versions import decode_record, encode_record
from barnabas.wire.logs import raft
from barnabas.wire.logs.cluster_metadata import NoOpRecord
from barnabas.wire.records.batch import CRC_POSITION, HEADER_SIZE, read_header
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.control import ControlType, build_control_batch, control_type
from barnabas.wire.records.record import Record, decode_records
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.wire.records.batch import BatchHeader
    from barnabas.wire.schema import Message

MAX_BATCH_BYTES = 8 * 1024 * 1024
MAX_BATCH_RECORDS = 10_000
_RECORD_OVERHEAD_BYTES = 24
_CONTROL_TYPES: dict[type[Message], ControlType] = {
    raft.LeaderChangeMessage: ControlType.LEADER_CHANGE,
    raft.KRaftVersionRecord: ControlType.KRAFT_VERSION,
    raft.VotersRecord: ControlType.KRAFT_VOTERS,
}


class MetadataBatch(NamedTuple):
    """One batch of the metadata log: the unit of commit and of snapshots."""

    base_offset: int
    last_offset: int
    epoch: int
    timestamp_ms: int
    size_bytes: int
    records: Sequence[Message]
    """Metadata records; empty for a control batch."""
    controls: Sequence[tuple[int, Message]] = ()
    """(offset, record) of what the quorum must know: a control batch may have these instead."""


class TooManyRecords(ValueError):
    """Records that had to be one batch don't fit one: nothing was written."""


def decode_control(kind: int, value: bytes) -> Message | None:
    """A control record that changes what the quorum is: voters, kraft.version. None for all others, types from the future too. DecodeError."""
    if kind == ControlType.KRAFT_VERSION:
        if len(value) < 4:
            raise DecodeError(f"a kraft.version record of {len(value)} bytes")
        return raft.KRaftVersionRecord(version=0, k_raft_version=int.from_bytes(value[2:4], "big", signed=True))  # no decoder to be compiled for this
    return raft.VotersRecord.decode(value, 0) if kind == ControlType.KRAFT_VOTERS else None


def decode_batch(header: BatchHeader, batch: memoryview) -> MetadataBatch:
    """A batch of the log, its CRC checked by whoever read it. DecodeError names the offset (C82: no record may be stepped over)."""
    place = (header.base_offset, header.last_offset, header.leader_epoch, header.max_timestamp, header.size)
    offset = header.base_offset
    records: list[Message] = []
    controls: list[tuple[int, Message]] = []
    try:
        if header.is_control:
            for record in decode_records(batch, check_crc=False):
                control = decode_control(control_type(record.key), record.value or b"")
                if control is not None:
                    controls.append((record.offset, control))
            return MetadataBatch(*place, (), controls)
        for record in decode_records(batch, max_bytes=4 * MAX_BATCH_BYTES, check_crc=False):
            offset = record.offset
            records.append(decode_record(record.value or b"")[0])
    except DecodeError as error:
        raise DecodeError(f"offset {offset}: {error}") from None
    return MetadataBatch(*place, records)


def idle_run(data: bytes, position: int) -> tuple[MetadataBatch | None, int]:
    """The batches at `position` that hold one no-op record each, as one without records, and where they end; (None, position) if there are none.

    An idle cluster writes two a second, so between snapshots most of a log is these: decoding them all would be most of a start.
    """
    end = position
    matches = _no_op_pattern().match
    while (found := matches(data, end)) is not None:
        end = found.end()
    if end == position:
        return None, position
    first, last = read_header(data, position), read_header(data, end - _no_op_size())
    return MetadataBatch(first.base_offset, last.last_offset, last.leader_epoch, last.max_timestamp, end - position, ()), end


@cache
def _no_op_pattern() -> re.Pattern[bytes]:
    """What a batch of one no-op record looks like, its offset, epoch, CRC and times left open."""
    batch = build_batch([Record(timestamp=0, value=encode_record(NoOpRecord(), 0))], base_offset=0, leader_epoch=0)
    parts = []
    position = 0
    for start, size in ((0, 8), (12, 4), (CRC_POSITION, 4), (27, 16)):
        parts.append(re.escape(batch[position:start]) + b".{%d}" % size)
        position = start + size
    return re.compile(b"".join(parts) + re.escape(batch[position:]), re.DOTALL)


def _no_op_size() -> int:
    return HEADER_SIZE + 11


def control_batch(records: Sequence[Message], base_offset: int, epoch: int, now_ms: int) -> tuple[bytes, MetadataBatch]:
    """One batch of the quorum's own records."""
    data = build_control_batch(
        [(_CONTROL_TYPES[type(record)], record.encode(0)) for record in records], timestamp_ms=now_ms, base_offset=base_offset, leader_epoch=epoch
    )
    controls = list(enumerate(records, base_offset))
    return data, MetadataBatch(base_offset, base_offset + len(records) - 1, epoch, now_ms, len(data), (), controls)


def data_batches(
    records: Sequence[Message], version_of: Callable[[Message], int], base_offset: int, epoch: int, now_ms: int, *, is_atomic: bool = True
) -> list[tuple[bytes, MetadataBatch]]:
    """The batches of these records: one if atomic, else as many as the limits ask for (D29). TooManyRecords."""
    values = [encode_record(record, version_of(record)) for record in records]
    made = []
    start = 0
    while start < len(values):
        end, size = start, HEADER_SIZE
        while end < len(values) and end - start < MAX_BATCH_RECORDS and size + len(values[end]) + _RECORD_OVERHEAD_BYTES <= MAX_BATCH_BYTES:
            size += len(values[end]) + _RECORD_OVERHEAD_BYTES
            end += 1
        if end == start or (is_atomic and end < len(values)):
            raise TooManyRecords(f"{len(values)} metadata records of {sum(map(len, values))} bytes don't fit one batch of the metadata log.")
        offset = base_offset + start
        data = build_batch([Record(timestamp=now_ms, value=value) for value in values[start:end]], base_offset=offset, leader_epoch=epoch)
        made.append((data, MetadataBatch(offset, offset + end - start - 1, epoch, now_ms, len(data), records[start:end])))
        start = end
    return made
