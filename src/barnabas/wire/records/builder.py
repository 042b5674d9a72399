"""Building one batch (magic 2) from records, for clients, for logs that the node itself writes, and for tests. Source: the protocol guide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.records.batch import (
    ATTRIBUTES_POSITION,
    CONTROL,
    CRC,
    CRC_POSITION,
    DELETE_HORIZON,
    HEADER,
    HEADER_SIZE,
    LENGTH_END,
    LOG_APPEND_TIME,
    NO_TIMESTAMP,
    TRANSACTIONAL,
)
from barnabas.wire.records.compression import Codec, compress
from barnabas.wire.records.native import crc32c
from barnabas.wire.records.record import encode_record, wrap64
from barnabas.wire.types import EncodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.wire.records.record import Record

    Buffer = bytes | bytearray | memoryview


def build_batch(
    records: Iterable[Record],
    *,
    base_offset: int = 0,
    leader_epoch: int = -1,
    codec: int = Codec.NONE,
    level: int | None = None,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    transactional: bool = False,
    control: bool = False,
    append_time: int | None = None,
    delete_horizon_ms: int | None = None,
    last_offset_delta: int | None = None,
) -> bytes:
    """One batch. `base_timestamp` is the first record's; max_timestamp the greatest, or `append_time` (which also sets LogAppendTime).

    A record with offset -1 follows the one before it; others must rise from `base_offset`. `last_offset_delta` keeps a compacted batch's old end;
    with it, `records` may be empty. EncodeError if there are no records or offsets don't rise.
    """
    parts: list[bytes] = []
    first = NO_TIMESTAMP if delete_horizon_ms is None else delete_horizon_ms
    greatest = NO_TIMESTAMP
    delta = -1
    for record in records:
        previous, delta = delta, delta + 1 if record.offset < 0 else record.offset - base_offset
        if delta <= previous:
            raise EncodeError(f"offset {record.offset} doesn't rise above {base_offset + previous}")
        if not parts and delete_horizon_ms is None:
            first = record.timestamp
        greatest = max(greatest, record.timestamp)
        parts.append(encode_record(delta, wrap64(record.timestamp - first), record.key, record.value, record.headers))
    if last_offset_delta is None:
        if not parts:
            raise EncodeError("a batch needs a record, or last_offset_delta to stand for the ones that are gone")
        last_offset_delta = delta
    attributes = codec | (TRANSACTIONAL if transactional else 0) | (CONTROL if control else 0)
    attributes |= (DELETE_HORIZON if delete_horizon_ms is not None else 0) | (LOG_APPEND_TIME if append_time is not None else 0)
    body = compress(codec, b"".join(parts), level) if parts else b""
    times = (first, greatest if append_time is None else append_time)
    producer = (producer_id, producer_epoch, base_sequence)
    return bytes(assemble(body, base_offset, leader_epoch, attributes, last_offset_delta, *times, *producer, len(parts)))


def assemble(
    body: Buffer,
    base_offset: int,
    leader_epoch: int,
    attributes: int,
    last_offset_delta: int,
    base_timestamp: int,
    max_timestamp: int,
    producer_id: int,
    producer_epoch: int,
    base_sequence: int,
    count: int,
) -> bytearray:
    """A batch around `body`, its records as they go to disk: the header, length and CRC worked out."""
    batch = bytearray(HEADER_SIZE + len(body))
    producer = (producer_id, producer_epoch, base_sequence)
    length = len(batch) - LENGTH_END
    HEADER.pack_into(
        batch, 0, base_offset, length, leader_epoch, 2, 0, attributes, last_offset_delta, base_timestamp, max_timestamp, *producer, count
    )
    batch[HEADER_SIZE:] = body
    CRC.pack_into(batch, CRC_POSITION, crc32c(memoryview(batch)[ATTRIBUTES_POSITION:]))
    return batch
