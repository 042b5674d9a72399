"""Partition logs for tests: stamped batches, and a log opened with the producers and epochs that a replica gives it."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from barnabas.core.partition.epochs import LeaderEpochs
from barnabas.core.partition.producers import ProducerStates
from barnabas.storage.log import Log
from barnabas.storage.log_config import LogConfig
from barnabas.wire.records.batch import read_header
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.control import build_marker_batch
from barnabas.wire.records.record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from barnabas.storage.log import Slice
    from barnabas.storage.segment import Appended

STAMP = Struct(">qii")
NOW_MS = 1_700_000_000_000
SMALL = LogConfig(segment_bytes=4096, segment_index_bytes=960, index_interval_bytes=200, retention_ms=-1)


def batch(
    offset: int,
    count: int = 1,
    *,
    size: int = 20,
    timestamp: int = NOW_MS,
    epoch: int = 0,
    producer: tuple[int, int, int] = (-1, -1, -1),
    transactional: bool = False,
    **more: object,
) -> Appended:
    """A batch of `count` records at `offset`; `producer` is (id, epoch, base sequence)."""
    records = [Record(timestamp=timestamp + number, key=b"k%d" % (offset + number), value=b"v" * size) for number in range(count)]
    data = build_batch(
        records,
        base_offset=offset,
        leader_epoch=epoch,
        producer_id=producer[0],
        producer_epoch=producer[1],
        base_sequence=producer[2],
        transactional=transactional,
        **more,  # type: ignore[arg-type]
    )
    return data, offset, offset + count - 1, timestamp + count - 1, len(data), epoch


def marker(offset: int, producer_id: int, *, commit: bool, producer_epoch: int = 0, coordinator_epoch: int = 0, epoch: int = 0) -> Appended:
    data = build_marker_batch(
        commit,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        coordinator_epoch=coordinator_epoch,
        timestamp_ms=NOW_MS,
        base_offset=offset,
        leader_epoch=epoch,
    )
    return data, offset, offset, NOW_MS, len(data), epoch


class Replica:
    """A log with its producers and epochs. `write` does what a replica does with a batch that is its own to write."""

    def __init__(
        self,
        directory: Path | str,
        config: LogConfig = SMALL,
        *,
        clean: bool = True,
        recovery_point: int = 0,
        log_start_offset: int = 0,
        topic_id: bytes | None = None,
        now_ms: int = NOW_MS,
    ) -> None:
        self.producers = ProducerStates()
        self.epochs = LeaderEpochs()
        self.log = Log.open(
            directory,
            config,
            recovery_point=recovery_point,
            clean=clean,
            log_start_offset=log_start_offset,
            producers=self.producers,
            epochs=self.epochs,
            now_ms=now_ms,
            topic_id=topic_id,
        )

    def write(self, *batches: Appended, now_ms: int = NOW_MS) -> None:
        """Append each batch, tell the producers, index what was aborted."""
        for one in batches:
            self.log.append([one], now_ms)
            header = read_header(one[0])
            if header.producer_id < 0:
                continue
            if header.is_control:
                from barnabas.storage.batch_scan import marker_of

                found = marker_of(memoryview(one[0]))
                assert found is not None
                completed = self.producers.end_transaction(header.producer_id, header.producer_epoch, found[1], one[1], one[3])
                if completed is not None and found[0] == 0:
                    self.log.add_aborted(*completed)
            else:
                self.producers.update(
                    header.producer_id, header.producer_epoch, header.base_sequence, one[1], one[2], one[3], header.is_transactional
                )

    def fill(self, count: int, **options: object) -> None:
        """Append `count` one-record batches at the end."""
        for _ in range(count):
            self.write(batch(self.log.end_offset, **options))  # type: ignore[arg-type]

    def offsets(self, start: int | None = None) -> list[int]:
        """Base offsets of all batches that a reader gets from `start` to the end."""
        return [header.base_offset for header in self.headers(start)]

    def headers(self, start: int | None = None, max_bytes: int = 1 << 20) -> list:  # type: ignore[type-arg]
        offset = self.log.start_offset if start is None else start
        found = []
        while (piece := self.log.read(offset, max_bytes, self.log.end_offset)) is not None:
            data = content(piece)
            assert data, "a slice without bytes would be read for ever"
            position = 0
            while position < len(data):
                header = read_header(data, position)
                found.append(header)
                position += header.size
            assert position == len(data), "slices end with a whole batch"
            offset = found[-1].next_offset
        return found

    def state(self) -> tuple[object, ...]:
        """What two openings of one log must agree on."""
        return (
            self.log.start_offset,
            self.log.end_offset,
            self.epochs.entries,
            sorted(self.producers.entries()),
            self.log.aborted_transactions(self.log.start_offset, self.log.end_offset),
            self.offsets(),
        )


def content(piece: Slice) -> bytes:
    import os

    return os.pread(piece.file.fileno(), piece.size, piece.position)
