"""How many records there are in what was fetched, and how many bytes their keys and values take: the pure Python twin of `_native.c`'s, and its definition.

Owns counting for those who want nothing else of the records. Checks no CRC and decompresses nothing. `native.py` chooses between the twins; property tests
hold them equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.records.batch import CODEC_MASK, CONTROL, HEADER, HEADER_SIZE, LENGTH_END
from barnabas.wire.records.record import read_varint, read_varlong, wrap64
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview

MAGIC = 2


def tally(data: Buffer, from_offset: int, /) -> tuple[int, int, int, int]:
    """Go over the batches in `data` up to the first that is compressed, cut off or not sound: where that one lies (the end, if there is none), the
    offset behind the last one before it, and how many records, of how many bytes of keys and values, have `from_offset` or a greater one.

    Control batches count nothing.
    """
    at, next_offset, records, payload = 0, from_offset, 0, 0
    view = memoryview(data)
    while len(view) - at >= HEADER_SIZE:
        base, length, _, magic, _, attributes, delta, _, _, _, _, _, count = HEADER.unpack_from(view, at)
        size = length + LENGTH_END
        if size < HEADER_SIZE or size > len(view) - at or magic != MAGIC or attributes & CODEC_MASK:
            break
        if not attributes & CONTROL:
            found = tally_records(view[at + HEADER_SIZE : at + size], count, base, from_offset)
            if found is None:
                break
            records += found[0]
            payload += found[1]
        next_offset = wrap64(base + delta + 1)
        at += size
    return at, next_offset, records, payload


def tally_records(data: Buffer, count: int, base_offset: int, from_offset: int, /) -> tuple[int, int] | None:
    """(records, bytes) of the `count` records in uncompressed `data`, as `tally`. None if the bytes are wrong, which isn't said of what lies behind a value."""
    data = bytes(data)
    at, records, payload = 0, 0, 0
    try:
        for _ in range(count):
            size, start = read_varint(data, at)
            if size < 1 or size > len(data) - start:
                return None
            _, at = read_varlong(data, start + 1)
            offset_delta, at = read_varint(data, at)
            taken = 0
            for _part in range(2):
                length, at = read_varint(data, at)
                if length > len(data) - at:
                    return None
                taken += max(length, 0)
                at += max(length, 0)
            if at > start + size:
                return None
            at = start + size
            if wrap64(base_offset + offset_delta) >= from_offset:
                records += 1
                payload += taken
    except (DecodeError, IndexError):
        return None
    return (records, payload) if at == len(data) else None
