"""Counting records instead of reading them: what a load's consumer needs, at a few nanoseconds a record.

Owns the count, exact to the record where it has to end. Fetching and positions are `consumer`'s, going over the bytes is `wire.records.tally`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.records.batch import HEADER_SIZE, BatchHeader, iterate_headers
from barnabas.wire.records.compression import decompress
from barnabas.wire.records.native import tally, tally_records
from barnabas.wire.records.record import decode_records

if TYPE_CHECKING:
    from .consumer import Consumer

BIGGEST_BATCH = 128 << 20
"""Bytes that a compressed batch may become."""


class Counted(NamedTuple):
    records: int
    payload_bytes: int
    """Of keys and values."""


class Counter:
    """At most `limit` records of a consumer; its position is behind those that were counted."""

    def __init__(self, consumer: Consumer, limit: int) -> None:
        self._consumer = consumer
        self._left = limit

    async def poll(self, timeout_ms: int) -> Counted:
        """Of records that are there or come within the time. Raises KafkaError, NoOffset."""
        found = await self._consumer.poll_for(self.take, timeout_ms)
        return Counted(sum(count.records for count in found), sum(count.payload_bytes for count in found))

    def take(self, key: tuple[str, int], data: memoryview, aborted: list[tuple[int, int]]) -> list[Counted]:
        """Of a partition's fetched batches, for `Consumer.poll_for`."""
        if self._left <= 0:
            return []
        before = self._consumer.positions[key]
        found = None if aborted else self._count(key, data)
        if found is None or found.records > self._left:
            self._consumer.positions[key] = before
            found = self._one_by_one(key, data, aborted)
        self._left -= found.records
        return [found] if found.records else []

    def _count(self, key: tuple[str, int], data: memoryview) -> Counted:
        consumer, position = self._consumer, self._consumer.positions[key]
        consumer.epochs.pop(key, None)  # nobody looks at the batches' epochs here
        at = records = payload = 0
        while True:
            passed, next_offset, more_records, more_payload = tally(data[at:], position)
            at, records, payload = at + passed, records + more_records, payload + more_payload
            if passed:
                consumer.positions[key] = next_offset
            found = next(iterate_headers(data, at), None)
            if found is None:
                return Counted(records, payload)
            header = found[1]
            one = _of_batch(header, data[at : at + header.size], position)
            at, records, payload = at + header.size, records + one.records, payload + one.payload_bytes
            consumer.positions[key] = header.next_offset

    def _one_by_one(self, key: tuple[str, int], data: memoryview, aborted: list[tuple[int, int]]) -> Counted:
        records = self._consumer.decode(key, data, aborted)
        if len(records) > self._left:
            records = records[: self._left]
            self._consumer.positions[key] = records[-1].offset + 1
        return Counted(len(records), sum(len(record.key or b"") + len(record.value or b"") for record in records))


def _of_batch(header: BatchHeader, batch: memoryview, position: int) -> Counted:
    """Of a compressed batch. DecodeError."""
    if header.is_control:
        return Counted(0, 0)
    found = tally_records(decompress(header.codec, batch[HEADER_SIZE:], BIGGEST_BATCH), header.count, header.base_offset, position)
    if found is not None:
        return Counted(*found)
    wanted = [record for record in decode_records(batch) if record.offset >= position]  # which says what is wrong
    return Counted(len(wanted), sum(len(record.key or b"") + len(record.value or b"") for record in wanted))
