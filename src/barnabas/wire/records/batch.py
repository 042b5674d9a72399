"""The 61-byte header of a record batch (magic 2), and walking through batches that lie back to back.

Owns the layout (D45), the attribute bits (D46) and the places that a leader stamps (D47). Doesn't look into records (`record.py`), doesn't judge what a
producer sent (`validation.py`). Source: the protocol guide's record batch, KIP-98.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    Buffer = bytes | bytearray | memoryview

HEADER = Struct(">qiibIhiqqqhii")
HEADER_SIZE = 61
LENGTH_END = 12  # `length` counts what follows it
SMALLEST_LENGTH = HEADER_SIZE - LENGTH_END

LEADER_EPOCH_POSITION = 12
MAGIC_POSITION = 16
CRC_POSITION = 17
ATTRIBUTES_POSITION = 21  # the CRC covers everything from here on
MAX_TIMESTAMP_POSITION = 35

CODEC_MASK = 0x07
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20
DELETE_HORIZON = 0x40

NO_TIMESTAMP = -1
NO_PRODUCER_ID = -1

BASE_OFFSET = Struct(">q")
LENGTH = Struct(">i")
STAMP = Struct(">qii")  # base offset, length, leader epoch: all that lies outside the CRC except the magic
CRC = Struct(">I")
ATTRIBUTES = Struct(">h")


class BatchHeader(NamedTuple):
    """A batch's header, in wire order. `crc` covers the bytes from `attributes` to the batch's end."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody misses

    @property
    def size(self) -> int:
        """Bytes of the whole batch."""
        return self.length + LENGTH_END

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def codec(self) -> int:
        return self.attributes & CODEC_MASK

    @property
    def is_log_append_time(self) -> bool:
        return self.attributes & LOG_APPEND_TIME != 0

    @property
    def is_transactional(self) -> bool:
        return self.attributes & TRANSACTIONAL != 0

    @property
    def is_control(self) -> bool:
        return self.attributes & CONTROL != 0

    @property
    def has_producer_id(self) -> bool:
        return self.producer_id > NO_PRODUCER_ID

    @property
    def last_sequence(self) -> int:
        """The sequence of the last record, or -1; sequences wrap from 2^31-1 to 0."""
        return last_sequence(self.base_sequence, self.last_offset_delta)

    @property
    def delete_horizon_ms(self) -> int | None:
        """When tombstones and aborted markers in this batch may go, if the cleaner has decided that (it then stands in base_timestamp)."""
        return self.base_timestamp if self.attributes & DELETE_HORIZON else None


def last_sequence(base_sequence: int, last_offset_delta: int) -> int:
    """The sequence that lies `last_offset_delta` after `base_sequence`; -1 stays -1; after 2^31-1 comes 0."""
    if base_sequence < 0:
        return -1
    return (base_sequence + last_offset_delta) & 0x7FFFFFFF


def read_header(buffer: Buffer, position: int = 0) -> BatchHeader:
    """The header at `position`. DecodeError if fewer than 61 bytes are there, the magic isn't 2 or the length is impossible."""
    if len(buffer) - position < HEADER_SIZE:
        raise DecodeError(f"a batch header takes {HEADER_SIZE} bytes, {len(buffer) - position} are left")
    header = BatchHeader._make(HEADER.unpack_from(buffer, position))
    if header.magic != 2:
        raise DecodeError(f"batch magic {header.magic} isn't supported; only 2 is")
    if header.length < SMALLEST_LENGTH:
        raise DecodeError(f"batch length {header.length} is below {SMALLEST_LENGTH}")
    return header


def iterate_headers(buffer: Buffer, position: int = 0) -> Iterator[tuple[int, BatchHeader]]:
    """(position, header) of each whole batch; a cut-off last batch ends the walk silently, as in a fetched slice. DecodeError as `read_header`."""
    end = len(buffer)
    while end - position >= HEADER_SIZE:
        header = read_header(buffer, position)
        if position + header.length + LENGTH_END > end:
            return
        yield position, header
        position += header.length + LENGTH_END


def stamp(batch: bytearray | memoryview, base_offset: int, leader_epoch: int) -> None:
    """Set what a leader sets on each batch, in place; it lies outside the CRC."""
    BASE_OFFSET.pack_into(batch, 0, base_offset)
    LENGTH.pack_into(batch, LEADER_EPOCH_POSITION, leader_epoch)
