"""From timestamps to offsets, as ListOffsets asks (D55, O26): the time index narrows it down, records decide. KIP-33, KIP-734."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.records.record import decode_records

from .batch_scan import Scan
from .errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from barnabas.wire.records.batch import BatchHeader

    from .segment import Segment


class TimestampOffset(NamedTuple):
    """A record's timestamp and offset, and the leader epoch of its batch (-1 when it has none)."""

    timestamp: int
    offset: int
    leader_epoch: int


def in_settled(segments_of: Callable[[], Sequence[Segment]], search: Callable[[Sequence[Segment]], TimestampOffset | None]) -> TimestampOffset | None:
    """A search, made again when segments were let go of under its hands. Raises what it raises."""
    while True:
        segments = segments_of()
        try:
            return search(segments)
        except StorageError:
            if segments is segments_of():
                raise


def offset_at(segments: Sequence[Segment], timestamp: int, start_offset: int) -> TimestampOffset | None:
    """The first record from `start_offset` on with at least this timestamp, in the first segment that can have one. Raises StorageError, DecodeError."""
    try:
        for segment in segments:
            if segment.largest_timestamp() >= timestamp:
                return _search(segment, timestamp, start_offset)
    except OSError as error:
        raise StorageError(segments[0].directory, f"could not search for timestamp {timestamp}: {error}") from error
    return None


def _search(segment: Segment, timestamp: int, start_offset: int) -> TimestampOffset | None:
    # An entry (T, O) of the time index says that no batch up to O is later than T: what is sought lies behind the last entry below `timestamp`.
    _, offset = segment.time_index.lookup(timestamp - 1)
    for header, batch in _batches(segment, max(offset, start_offset)):
        if header[8] >= timestamp:
            for record in decode_records(batch, check_crc=False):
                if record.timestamp >= timestamp and record.offset >= start_offset:
                    return TimestampOffset(record.timestamp, record.offset, header[2])
    return None


def latest_timestamp(segments: Sequence[Segment]) -> TimestampOffset | None:
    """The first record with the greatest timestamp of all, of the first segment that has it. Raises StorageError, DecodeError."""
    try:
        best = segments[0]
        for segment in segments[1:]:
            if segment.max_timestamp > best.max_timestamp:
                best = segment
        timestamp = best.max_timestamp
        for header, batch in _batches(best, best.offset_of_max_timestamp):
            if header[8] == timestamp:
                for record in decode_records(batch, check_crc=False):
                    if record.timestamp == timestamp:
                        return TimestampOffset(timestamp, record.offset, header[2])
    except OSError as error:
        raise StorageError(segments[0].directory, f"could not search for the latest timestamp: {error}") from error
    return None


def _batches(segment: Segment, offset: int) -> Iterator[tuple[BatchHeader | tuple[int, ...], memoryview]]:
    """Batches from the one that holds `offset` on."""
    found = segment.find(offset)
    if found is None:
        return
    scan = Scan(segment.file.fileno(), found[0], segment.size)
    for position, size, header in scan:
        yield header, scan.view(position, size)
