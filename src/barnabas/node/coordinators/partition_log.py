"""A partition as a coordinator's log: one batch an append, in the shape that Apache's coordinators write (G8, G9)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from barnabas.core.groups.writes import AppendFailed
from barnabas.storage.errors import OffsetOutOfRange, StorageError
from barnabas.wire.errors import Error
from barnabas.wire.records.batch import HEADER_SIZE, read_header
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record
from barnabas.wire.records.validation import InvalidBatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from barnabas.core.groups.writes import LogRecord
    from barnabas.node.partition import Partition

LOAD_STEP_BYTES = 64 * 1024  # read at a time: about 15 ms of replaying, for which the other shards wait


class PartitionLog:
    """Appends and reads. `base_sequence`: 0 in __consumer_offsets, -1 in __transaction_state; neither means a producer."""

    __slots__ = ("_base_sequence", "_codec", "partition")

    def __init__(self, partition: Partition, *, base_sequence: int, codec: int) -> None:
        self.partition = partition
        self._base_sequence = base_sequence
        self._codec = codec

    def append(self, records: Sequence[LogRecord]) -> int:
        """One batch; the offset after it. Raises AppendFailed."""
        rows = [Record(timestamp=timestamp, key=key, value=value) for timestamp, key, value in records]
        batch = bytearray(build_batch(rows, codec=self._codec, base_sequence=self._base_sequence))
        if len(batch) > self.partition.rules.max_message_bytes:
            raise AppendFailed(Error.MESSAGE_TOO_LARGE)
        try:
            return self.partition.append_own(batch, len(rows), max(row.timestamp for row in rows)) + len(rows)
        except StorageError:
            raise AppendFailed(Error.KAFKA_STORAGE_ERROR) from None
        except InvalidBatch as refused:  # not led here, or too few replicas are in sync
            raise AppendFailed(refused.error) from None

    def committed_offset(self) -> int:
        return self.partition.high_watermark

    @property
    def start_offset(self) -> int:
        return self.partition.log.start_offset

    @property
    def end_offset(self) -> int:
        return self.partition.log.end_offset

    def read(self, offset: int) -> Iterator[tuple[int, memoryview]]:
        """Whole batches from `offset` on, about LOAD_STEP_BYTES of them: (offset after the batch, the batch). Raises OSError, DecodeError."""
        log = self.partition.log
        offset = max(offset, log.start_offset)  # retention may have let go of what came next
        try:
            found = log.read(offset, LOAD_STEP_BYTES, log.end_offset, True)
        except OffsetOutOfRange:
            if log.start_offset <= offset:
                raise
            yield from self.read(log.start_offset)  # just now
            return
        if found is None:
            return
        data = memoryview(_pread(found.file.fileno(), found.size, found.position))
        position = 0
        while position + HEADER_SIZE <= len(data):
            header = read_header(data, position)
            if position + header.size > len(data):
                return
            if header.next_offset > offset:
                yield header.next_offset, data[position : position + header.size]
            position += header.size


def _pread(fd: int, size: int, position: int) -> bytes:
    """`size` bytes, or what there is until the file's end."""
    parts = []
    while size:
        part = os.pread(fd, size, position)
        if not part:
            break
        parts.append(part)
        size -= len(part)
        position += len(part)
    return b"".join(parts)
