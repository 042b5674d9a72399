"""Going through a batch's records without making objects: the pure Python twin of `_native.c`, and its definition.

Owns what is read of each record (lengths, deltas, key or none, time) and how wrong bytes are told apart, which follows Apache Kafka's two readers: one of whole
records, one that skips over keys and values of a compressed batch and doesn't compare a record's size with what it read. Doesn't know error codes
(`validation.py`). `native.py` chooses between the twins; property tests hold them equal.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from barnabas.wire.records.record import read_varint, read_varlong, wrap64
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from barnabas.wire.records.record import Record
    from barnabas.wire.records.validation import Valid

    Buffer = bytes | bytearray | memoryview

# What native code needs of the topic's rules: before ms, after ms, the most bytes of a batch, target codec (-1: the producer's), key required, LogAppendTime
RULES = Struct("=qqqbbb")

OK = 0
INVALID = 1  # no record structure
UNREADABLE = 2  # a record's own size takes more than 5 bytes, in uncompressed records: Apache Kafka stumbles over that

REJECTED = 1  # some record lacks its key, or its time is out of the window
OUT_OF_LINE = 2  # some offset delta isn't the record's index
NOT_CANONICAL = 4  # Apache Kafka would write these records with other bytes
NEGATIVE_TIME = 8  # some time is below -1


def crc32c(buffer: Buffer, value: int = 0, /) -> int:
    """CRC-32C of `buffer`, continuing from `value`."""
    import crc32c as package  # takes 50 ms to import, which a node without native code pays at its first batch

    return int(package.crc32c(buffer, value))


def quick(records: Buffer, rules: bytes, now_ms: int, /) -> Valid | None:
    """Native code answers the common case here: a batch that stays as it is. Of a compressed one it has seen the header and the CRC, not the records.

    None is for all other cases, and always the twin's answer: they are `validation.examine`'s.
    """
    return None


def read_records(
    data: Buffer, count: int, base_offset: int, base_timestamp: int, append_time: int | None, record: type[Record], /
) -> list[Record] | None:
    """Native code answers with what `record.iterate_records` yields, if the bytes are sound; the twin leaves it to that."""
    return None


def returns(valid: type[Valid], /) -> None:
    """Tell native code the class of what its `quick` returns."""


class Unreadable(DecodeError):
    """An uncompressed record's own size takes more than 5 bytes."""


def outlines(data: Buffer, count: int, base_timestamp: int, append_time: int | None, skip: bool) -> Iterator[tuple[bool, int, int, bool]]:
    """(has a key, offset delta, timestamp, Apache Kafka would write it so) of each record. DecodeError or IndexError for wrong bytes.

    `append_time` is the batch's time where it says LogAppendTime. `skip` reads as Apache Kafka does when it keeps a compressed batch as it is.
    """
    data = bytes(data)
    position = 0
    for index in range(count):
        try:
            size, start = read_varint(data, position)
        except DecodeError as error:
            raise Unreadable(str(error)) from None
        if not skip and (size < 0 or size > len(data) - start):
            raise DecodeError(f"a record of {size} bytes where {len(data) - start} are left")
        delta, at = read_varlong(data, start + 1)
        offset_delta, key_at = read_varint(data, at)
        has_key, value_at, plain_key = _step_over(data, key_at)
        _, headers_at, plain_value = _step_over(data, value_at)
        end, plain = _step_over_headers(data, headers_at, skip)
        if not skip and end - start != size:
            raise DecodeError(f"a record of {size} bytes takes {end - start}")
        plain = plain and plain_key and plain_value and not data[start] and (index > 0 or delta == 0) and offset_delta == index
        plain = plain and _plain(data, position, start) and _plain_long(data, start + 1, at) and _plain(data, at, key_at)
        yield has_key, offset_delta, wrap64(base_timestamp + delta) if append_time is None else append_time, plain
        position = end
    if position != len(data):
        raise DecodeError(f"{len(data) - position} bytes follow the last of {count} records")


def skim(data: Buffer, count: int, base_timestamp: int, append_time: int | None, skip: bool, rules: bytes, now_ms: int, /) -> tuple[int, int, int]:
    """(OK, INVALID or UNREADABLE; flags; the greatest timestamp, at least -1) of the `count` records in uncompressed `data`. As `outlines`."""
    before_ms, after_ms, _, _, needs_key, log_append_time = RULES.unpack(rules)
    flags, greatest, index = 0, -1, 0
    try:
        for has_key, offset_delta, timestamp, plain in outlines(data, count, base_timestamp, append_time, skip):
            if offset_delta != index:
                flags |= OUT_OF_LINE
            if not plain:
                flags |= NOT_CANONICAL
            if timestamp < -1:
                flags |= NEGATIVE_TIME
            if needs_key and not has_key:
                flags |= REJECTED
            elif timestamp != -1 and not log_append_time:
                if not is_in_window(timestamp, now_ms, before_ms, after_ms):
                    flags |= REJECTED
            elif append_time is not None:
                flags |= REJECTED
            if timestamp > greatest:
                greatest = timestamp
            index += 1
    except Unreadable:
        return UNREADABLE, 0, 0
    except (DecodeError, IndexError):
        return INVALID, 0, 0
    return OK, flags, greatest


def is_in_window(timestamp: int, now_ms: int, before_ms: int, after_ms: int) -> bool:
    """Whether message.timestamp.before.max.ms and .after.max.ms allow `timestamp`, in 64-bit arithmetic that overflows as Java's."""
    age_ms = wrap64(now_ms - timestamp)
    return age_ms <= before_ms and wrap64(-age_ms) <= after_ms


def _plain(data: bytes, start: int, end: int) -> bool:
    """Whether the varint in data[start:end] is the shortest for its value, with no bits beyond 32."""
    return end - start == 1 or 0 < data[end - 1] < (0x10 if end - start == 5 else 0x80)


def _plain_long(data: bytes, start: int, end: int) -> bool:
    """Whether the varlong in data[start:end] is the shortest for its value, with no bits beyond 64."""
    return end - start == 1 or 0 < data[end - 1] < (2 if end - start == 10 else 0x80)


def _step_over(data: bytes, position: int) -> tuple[bool, int, bool]:
    """(there is something, where it ends, its length is written as Apache Kafka would) of a key or a value."""
    size, start = read_varint(data, position)
    if size < 0:
        return False, start, size == -1 and start - position == 1
    end = start + size
    if end > len(data):
        raise IndexError
    return True, end, _plain(data, position, start)


def _step_over_headers(data: bytes, position: int, skip: bool) -> tuple[int, bool]:
    """(where a record's headers end, they are written as Apache Kafka would: so says only a plain ASCII key)."""
    count, at = read_varint(data, position)
    plain = _plain(data, position, at)
    if count < 0 or (not skip and count > len(data) - at):
        raise DecodeError(f"{count} record headers")
    for _ in range(count):
        named, name_end, plain_name = _step_over(data, at)
        if not named:
            raise DecodeError("a record header without a key")
        _, start = read_varint(data, at)
        _, at, plain_value = _step_over(data, name_end)
        plain = plain and plain_name and plain_value and data[start:name_end].isascii()
    return at, plain
