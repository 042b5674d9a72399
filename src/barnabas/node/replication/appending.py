"""What a follower does to its log: its leader's batches behind its own, as they are; its leader's high watermark and log start; truncation (R5, R10-R15).

Batches are checked by their headers and CRCs and go to disk as the bytes that came, with the offsets and epochs that their leader gave them; producers and
epochs learn of them as recovery would. Source: UnifiedLog.appendAsFollower, Partition of 4.3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.call import clock_ms
from barnabas.storage.errors import StorageError
from barnabas.storage.replica_state import replay_batch
from barnabas.wire.records.batch import ATTRIBUTES_POSITION, HEADER, HEADER_SIZE, LENGTH_END
from barnabas.wire.records.native import crc32c

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.partition import Partition
    from barnabas.storage.segment import Appended

    Header = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int]

_MAGIC = 2


class CorruptBatch(Exception):
    """The leader sent something that is no batch, or a damaged one."""


def take(partition: Partition, records: memoryview | None, leader_epoch: int, high_watermark: int, start_offset: int) -> None:
    """Append what a leader of `leader_epoch` answered, then go by its high watermark and log start.

    A replica that leads itself by now, or is gone, takes nothing. Raises CorruptBatch, StorageError.
    """
    batches, headers = ([], []) if not records else _batches(records, leader_epoch)
    with partition.lock:
        if partition.retired or partition.followed_epoch != leader_epoch:
            return
        log = partition.log
        if batches and batches[0][1] < log.end_offset:
            _begin_earlier(partition, batches[0])
        if batches:
            _append(partition, batches, headers)
        woken: list[Callable[[], object]] = []
        high_watermark = min(high_watermark, log.end_offset)
        if high_watermark > partition.high_watermark:
            partition.high_watermark = high_watermark
            waiters, partition.waiters = partition.waiters, {}
            woken = list(waiters.values())
        if log.start_offset < start_offset <= partition.high_watermark:
            log.set_start_offset(start_offset)
    for wake in woken:
        wake()


def _batches(records: memoryview, leader_epoch: int) -> tuple[list[Appended], list[tuple[Header, memoryview]]]:
    """The whole batches of an answer, up to the first of a later epoch than was asked for; and those of producers. Raises CorruptBatch."""
    batches: list[Appended] = []
    of_producers: list[tuple[Header, memoryview]] = []
    unpack, position, end, next_offset = HEADER.unpack_from, 0, len(records), -1
    while position + HEADER_SIZE <= end:
        header = unpack(records, position)
        base_offset, length, epoch, magic, crc, _, delta, _, max_timestamp, producer_id = header[:10]
        size = length + LENGTH_END
        if magic != _MAGIC or size < HEADER_SIZE or delta < 0 or base_offset < next_offset:
            raise CorruptBatch(f"what stands behind offset {next_offset - 1} is no batch")
        if position + size > end:
            break  # an answer may end within a batch
        batch = records[position : position + size]
        if crc32c(batch[ATTRIBUTES_POSITION:]) != crc:
            raise CorruptBatch(f"the batch at offset {base_offset} doesn't fit its CRC")
        if epoch > leader_epoch:
            break
        next_offset = base_offset + delta + 1
        batches.append((batch, base_offset, next_offset - 1, max_timestamp, size, epoch))
        if producer_id >= 0:
            of_producers.append((header, batch))
        position += size
    return batches, of_producers


def _begin_earlier(partition: Partition, first: Appended) -> None:
    """An empty log that begins within the leader's first batch begins with that batch; anything else that overlaps is wrong. Raises StorageError."""
    log = partition.log
    if not (log.end_offset == log.start_offset and first[2] >= log.end_offset):
        raise CorruptBatch(f"a batch at offset {first[1]}, the log ends at {log.end_offset}")
    start_offset = log.start_offset
    log.truncate_fully(first[1], clock_ms(), start_offset)


def _append(partition: Partition, batches: list[Appended], of_producers: list[tuple[Header, memoryview]]) -> None:
    """Raises StorageError."""
    log = partition.log
    try:
        log.append(batches, clock_ms())
    except OSError as error:
        raise StorageError.of(log.directory, "could not append", error) from error
    partition.next_offset = log.end_offset
    for header, batch in of_producers:
        aborted = replay_batch(partition.producers, header, batch)
        if aborted is not None:
            log.add_aborted(*aborted)


def truncate(partition: Partition, leader_epoch: int, offset: int) -> None:
    """Cut the log there, unless it isn't to follow that leader any more. Raises StorageError."""
    with partition.lock:
        if partition.retired or partition.followed_epoch != leader_epoch:
            return
        partition.log.truncate_to(offset, clock_ms())
        _after_truncation(partition)


def start_at(partition: Partition, leader_epoch: int, offset: int) -> None:
    """Drop the log and begin anew at `offset`. Raises StorageError."""
    with partition.lock:
        if partition.retired or partition.followed_epoch != leader_epoch:
            return
        partition.log.truncate_fully(offset, clock_ms())
        _after_truncation(partition)


def _after_truncation(partition: Partition) -> None:
    log = partition.log
    partition.next_offset = log.end_offset
    partition.high_watermark = max(log.start_offset, min(partition.high_watermark, log.end_offset))
