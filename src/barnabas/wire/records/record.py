"""Records inside a batch: decoding them one by one, encoding one. Varints as Kafka writes them (zigzag, at most 5 or 10 bytes).

Owns the record's layout. Batches as a whole are built in `builder.py`; a leader's checks, which make no objects, are `skim.py`. Source: the protocol guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.records.batch import ATTRIBUTES_POSITION, CODEC_MASK, HEADER_SIZE, LENGTH_END, read_header
from barnabas.wire.records.compression import DEFAULT_MAX_BYTES, decompress
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    Buffer = bytes | bytearray | memoryview

Headers = tuple[tuple[str, bytes | None], ...]


class Record(NamedTuple):
    """One record. `timestamp` in ms, -1 for none. To build a batch leave `offset` at -1: records then follow one another."""

    offset: int = -1
    timestamp: int = -1
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()


def wrap64(value: int) -> int:
    """`value` as a 64-bit two's complement integer: timestamps and their deltas overflow as they do in Java."""
    return (value + 0x8000_0000_0000_0000 & 0xFFFF_FFFF_FFFF_FFFF) - 0x8000_0000_0000_0000


def read_varint(buffer: Buffer, position: int) -> tuple[int, int]:
    """(a zigzag int32, the position after it). IndexError at the buffer's end, DecodeError if it takes more than 5 bytes."""
    value = shift = 0
    while True:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            value &= 0xFFFFFFFF  # the fifth byte's upper bits are dropped, as in Java
            return (value >> 1) ^ -(value & 1), position
        shift += 7
        if shift > 28:
            raise DecodeError("a varint of more than 5 bytes")


def read_varlong(buffer: Buffer, position: int) -> tuple[int, int]:
    """(a zigzag int64, the position after it). IndexError at the buffer's end, DecodeError if it takes more than 10 bytes."""
    value = shift = 0
    while True:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            value &= 0xFFFFFFFFFFFFFFFF
            return (value >> 1) ^ -(value & 1), position
        shift += 7
        if shift > 63:
            raise DecodeError("a varlong of more than 10 bytes")


_ONE_BYTE = tuple([bytes((value,)) for value in range(0x80)])


def varint(value: int) -> bytes:
    """`value` (int32 or int64) as a zigzag varint."""
    value = value << 1 if value >= 0 else ~(value << 1)
    if value < 0x80:
        return _ONE_BYTE[value]
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_record(offset_delta: int, timestamp_delta: int, key: Buffer | None, value: Buffer | None, headers: Headers = ()) -> bytes:
    """One record as it stands in a batch, its own length first."""
    if not headers and key is not None and value is not None:  # what coordinators write
        body = b"".join((b"\0", varint(timestamp_delta), varint(offset_delta), varint(len(key)), key, varint(len(value)), value, b"\0"))
        return varint(len(body)) + body
    parts: list[Buffer] = [b"\x00", varint(timestamp_delta), varint(offset_delta)]
    for part in (key, value):
        if part is None:
            parts.append(b"\x01")
        else:
            parts += (varint(len(part)), part)
    parts.append(varint(len(headers)))
    for name, content in headers:
        name_bytes = name.encode()
        parts += (varint(len(name_bytes)), name_bytes)
        if content is None:
            parts.append(b"\x01")
        else:
            parts += (varint(len(content)), content)
    body = b"".join(parts)
    return varint(len(body)) + body


def iterate_records(data: Buffer, count: int, base_offset: int, base_timestamp: int, append_time: int | None = None) -> Iterator[Record]:
    """The `count` records in uncompressed `data`. `append_time` stands for each record's own time where the batch says LogAppendTime. DecodeError."""
    view = memoryview(data)
    position = 0
    try:
        for _ in range(count):
            record, position = _read_record(view, position, base_offset, base_timestamp, append_time)
            yield record
    except IndexError:
        raise DecodeError("the records end in the middle of one") from None
    if position != len(view):
        raise DecodeError(f"{len(view) - position} bytes follow the last of {count} records")


def decode_records(batch: Buffer, *, max_bytes: int = DEFAULT_MAX_BYTES, check_crc: bool = True) -> Iterator[Record]:
    """The records of the one batch that starts `batch`, decompressed up to `max_bytes`. Control batches too: their keys are `control.py`'s.

    DecodeError for a bad header, a wrong CRC (unless `check_crc=False`), broken compression or a broken record; compression's `TooLarge` is one too.
    """
    header = read_header(batch)
    end = header.length + LENGTH_END
    if end > len(batch):
        raise DecodeError(f"a batch of {end} bytes is cut off after {len(batch)}")
    if header.count < 0:
        raise DecodeError(f"a record count of {header.count}")
    view = memoryview(batch)
    from barnabas.wire.records.native import crc32c, read_records  # which imports this module's varints

    if check_crc and crc32c(view[ATTRIBUTES_POSITION:end]) != header.crc:
        raise DecodeError(f"the batch at offset {header.base_offset} is corrupt: its CRC doesn't match")
    data = decompress(header.attributes & CODEC_MASK, view[HEADER_SIZE:end], max_bytes) if header.count else b""
    append_time = header.max_timestamp if header.is_log_append_time else None
    records = read_records(data, header.count, header.base_offset, header.base_timestamp, append_time, Record)
    if records is None:
        return iterate_records(data, header.count, header.base_offset, header.base_timestamp, append_time)
    return iter(records)


def _read_record(view: memoryview, position: int, base_offset: int, base_timestamp: int, append_time: int | None) -> tuple[Record, int]:
    size, position = read_varint(view, position)
    start, end = position, position + size
    if size < 0 or end > len(view):
        raise DecodeError(f"a record of {size} bytes where {len(view) - position} are left")
    delta, position = read_varlong(view, position + 1)
    timestamp = wrap64(base_timestamp + delta) if append_time is None else append_time
    offset_delta, position = read_varint(view, position)
    key, position = _read_bytes(view, position)
    value, position = _read_bytes(view, position)
    count, position = read_varint(view, position)
    if count < 0 or count > len(view) - position:
        raise DecodeError(f"{count} record headers where {len(view) - position} bytes are left")
    headers: Headers = ()
    if count:
        found = []
        for _ in range(count):
            name, position = _read_bytes(view, position)
            if name is None:
                raise DecodeError("a record header without a key")
            content, position = _read_bytes(view, position)
            found.append((_text(name), content))
        headers = tuple(found)
    if position != end:
        raise DecodeError(f"a record of {size} bytes takes {position - start}")
    return Record(base_offset + offset_delta, timestamp, key, value, headers), position


def _read_bytes(view: memoryview, position: int) -> tuple[bytes | None, int]:
    size, position = read_varint(view, position)
    if size < 0:
        return None, position
    end = position + size
    if end > len(view):
        raise DecodeError(f"{size} bytes where {len(view) - position} are left")
    return bytes(view[position:end]), end


def _text(name: bytes) -> str:
    """A header's key. What isn't UTF-8 is replaced where Java replaces it, so that a batch written again has the same bytes."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        import re

        return re.sub(rb"\xed[\xa0-\xbf][\x80-\xbf]", b"\xff", name).decode("utf-8", "replace")  # one mark, not three, for a lone surrogate
