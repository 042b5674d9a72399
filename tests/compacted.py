"""Logs to compact, for tests: histories of keys, producers and transactions, and a cleaning of a `Replica` without a node around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.storage.cleanable import LogView, cleanable
from barnabas.storage.compaction import Abandoned, Cleaned, Limits, Round, clean
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.compression import Codec
from barnabas.wire.records.record import Record
from tests.logs import NOW_MS, Replica, marker

if TYPE_CHECKING:
    from random import Random

    from barnabas.storage.cleanable import Cleanable
    from barnabas.storage.segment import Segment

TABLE_BYTES = 24 * 1000
LOAD_FACTOR = 0.9


class Desk:
    """`compaction.Host`, of a log that nobody else uses."""

    def __init__(self, replica: Replica, now_ms: int) -> None:
        self._log = replica.log
        self._now_ms = now_ms

    def check(self, size: int) -> None:
        pass

    def swap(self, cleaned: Segment, old: tuple[Segment, ...]) -> None:
        if not self._log.replace_segments(cleaned, old, self._now_ms):
            raise Abandoned


def look_at(replica: Replica, checkpoint: int | None, now_ms: int, undecided: int | None = None) -> Cleanable:
    log = replica.log
    if undecided is None:
        undecided = replica.producers.first_unstable_offset(log.end_offset)
    bound = log.end_offset if undecided is None else undecided
    return cleanable(LogView(log.segments, log.start_offset, log.end_offset, bound, log.config), checkpoint, now_ms)


def compact(
    replica: Replica, checkpoint: int | None = None, now_ms: int = NOW_MS, table_bytes: int = TABLE_BYTES, desk: Desk | None = None
) -> Cleaned:
    log = replica.log
    part = look_at(replica, checkpoint, now_ms)
    last = {entry.producer_id: (entry.last_offset, entry.producer_epoch) for entry in replica.producers.entries()}
    round_ = Round(log.directory, log.config, log.segments, part.first_dirty_offset, part.end_offset, last, now_ms)
    return clean(round_, Limits(table_bytes, LOAD_FACTOR, 2000), desk or Desk(replica, now_ms))


class History:
    """Writes batches of all kinds, by chance, at the end of a log."""

    def __init__(self, random: Random, replica: Replica, keys: int = 12, *, transactions: bool = True) -> None:
        self._random = random
        self._replica = replica
        self._keys = keys
        self._epoch = 0
        self._producers = (-1, -1, 10, 11, 20, 21, 22) if transactions else (-1, 10, 11)
        self._sequences: dict[tuple[int, int], int] = {}
        self._epochs = {10: 0, 11: 0, 20: 0, 21: 0, 22: 0}
        self._open: set[int] = set()
        self.now_ms = NOW_MS - 50_000_000

    def reopened(self, replica: Replica) -> None:
        self._replica = replica

    def write(self, batches: int) -> None:
        for _ in range(batches):
            self._write_one()

    def settle(self) -> None:
        """End all transactions."""
        for producer_id in sorted(self._open):
            self._end(producer_id)

    def _write_one(self) -> None:
        random, log = self._random, self._replica.log
        self.now_ms += random.choice((0, 0, 1, 1000))
        if random.random() < 0.04:
            self._epoch += 1
        if random.random() < 0.05:
            log.roll()
        producer_id = random.choice(self._producers)
        if producer_id in self._open and random.random() < 0.4:
            self._end(producer_id)
            return
        if producer_id >= 0 and producer_id not in self._open and random.random() < 0.05:
            self._epochs[producer_id] += 1
        transactional = producer_id >= 20
        records = self._records()
        base_offset = log.end_offset + (random.randrange(1, 5) if random.random() < 0.02 else 0)
        epoch = self._epochs.get(producer_id, -1)
        sequence = -1
        if producer_id >= 0:
            sequence = self._sequences.get((producer_id, epoch), 0)
            self._sequences[producer_id, epoch] = sequence + len(records)
        if transactional:
            self._open.add(producer_id)
        append_time = self.now_ms if random.random() < 0.1 else None
        data = build_batch(
            records,
            base_offset=base_offset,
            leader_epoch=self._epoch,
            codec=random.choice((Codec.NONE, Codec.NONE, Codec.NONE, *Codec)),
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=sequence,
            transactional=transactional,
            append_time=append_time,
        )
        greatest = max(record.timestamp for record in records) if append_time is None else append_time
        self._replica.write((data, base_offset, base_offset + len(records) - 1, greatest, len(data), self._epoch))

    def _records(self) -> list[Record]:
        random = self._random
        records = []
        for _ in range(random.choice((1, 1, 2, 3, 7))):
            key = None if random.random() < 0.03 else b"key-%d" % random.randrange(self._keys)
            value = None if random.random() < 0.2 else bytes(random.randrange(0, 120))
            headers = (("h", b"1"), ("", None)) if random.random() < 0.1 else ()
            records.append(Record(timestamp=self.now_ms + random.choice((0, 0, -5, 7, 3_000_000)), key=key, value=value, headers=headers))
        return records

    def _end(self, producer_id: int) -> None:
        self._open.discard(producer_id)
        if self._random.random() < 0.3:
            self._epochs[producer_id] += 1  # the coordinator ends it for a producer that was fenced, or gives each transaction an epoch of its own
        offset, epoch = self._replica.log.end_offset, self._epochs[producer_id]
        self._replica.write(marker(offset, producer_id, commit=self._random.random() < 0.5, producer_epoch=epoch, epoch=self._epoch))
