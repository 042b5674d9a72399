"""Compaction of one log, without a node: which part is taken, how segments are put together, what a damaged log does."""

from __future__ import annotations

import os
from random import Random
from typing import TYPE_CHECKING

import pytest

from barnabas.core.configs.definitions.broker import BROKER
from barnabas.core.configs.values import Values
from barnabas.node.compaction import limits_of
from barnabas.node.config.sections import Compaction
from barnabas.storage.compaction import Abandoned, Damaged, groups
from barnabas.storage.log_config import LogConfig
from barnabas.storage.segment import Segment
from tests.compacted import Desk, History, compact, look_at
from tests.logs import NOW_MS, Replica, batch

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = LogConfig(segment_bytes=4096, segment_index_bytes=960, index_interval_bytes=200, retention_ms=-1, compact=True, delete=False)


def filled(directory: Path, config: LogConfig = CONFIG, batches: int = 200) -> Replica:
    replica = Replica(directory, config)
    history = History(Random(1), replica)
    history.write(batches)
    history.settle()
    return replica


def test_the_active_segment_never(tmp_path: Path) -> None:
    replica = filled(tmp_path)
    part = look_at(replica, None, NOW_MS)
    assert part.end_offset == replica.log.active_base_offset
    assert (part.clean_bytes, part.ratio, part.is_overdue) == (0, 1.0, False)
    active = replica.log.segments[-1]
    assert compact(replica).offset == part.end_offset
    assert replica.log.segments[-1] is active
    again = look_at(replica, part.end_offset, NOW_MS)
    assert (again.dirty_bytes, again.is_worth_it(0.0)) == (0, False)


def test_an_open_transaction_stops_it(tmp_path: Path) -> None:
    replica = Replica(tmp_path, CONFIG)
    replica.fill(30, size=300)
    replica.write(batch(30, producer=(7, 0, 0), transactional=True))
    replica.fill(30, size=300)
    replica.log.roll()
    part = look_at(replica, None, NOW_MS)
    assert part.end_offset == max(segment.base_offset for segment in replica.log.segments if segment.base_offset <= 30)


def test_lags(tmp_path: Path) -> None:
    replica = Replica(tmp_path, CONFIG)
    for number in range(4):
        replica.fill(1, timestamp=NOW_MS + number * 1000)
        replica.log.roll()
    replica.log.reconfigure(CONFIG._replace(min_compaction_lag_ms=500))
    assert look_at(replica, None, NOW_MS + 2000).end_offset == 2
    replica.log.reconfigure(CONFIG._replace(max_compaction_lag_ms=500))
    assert look_at(replica, None, NOW_MS + 501).is_overdue
    assert not look_at(replica, None, NOW_MS + 500).is_overdue
    assert not look_at(replica, 3, NOW_MS + 501).is_overdue


@pytest.mark.parametrize("checkpoint", [3, 1000])
def test_a_checkpoint_of_another_log(checkpoint: int, tmp_path: Path) -> None:
    replica = filled(tmp_path)
    replica.log.set_start_offset(10)
    part = look_at(replica, checkpoint, NOW_MS)
    assert (part.is_reset, part.first_dirty_offset) == (True, 10)


def test_groups_by_indexes_and_offsets(tmp_path: Path) -> None:
    replica = filled(tmp_path)
    segments = replica.log.segments[:-1]
    end = replica.log.active_base_offset
    assert [
        segment for group in groups(segments, CONFIG._replace(segment_bytes=1 << 30, segment_index_bytes=1 << 20), end) for segment in group
    ] == list(segments)
    assert len(groups(segments, CONFIG._replace(segment_bytes=1 << 30, segment_index_bytes=1 << 20), end)) == 1
    most = max(segment.index.file.count * 8 for segment in segments)
    by_index = groups(segments, CONFIG._replace(segment_bytes=1 << 30, segment_index_bytes=most), end)
    assert len(by_index) > 1
    assert all(sum(segment.index.file.count * 8 for segment in group) <= most for group in by_index)
    far = [Segment(str(tmp_path), base, CONFIG, size=10, now_ms=0) for base in (0, 5, (1 << 31) - 1, 1 << 31)]
    assert [len(group) for group in groups(far, CONFIG, 1 << 32)] == [3, 1]


def test_the_time_of_files_is_kept(tmp_path: Path) -> None:
    replica = filled(tmp_path)
    old = replica.log.segments[0].path(".log")
    for segment in replica.log.segments[:-1]:
        os.utime(segment.path(".log"), (1_000_000, 1_000_000))
    compact(replica)
    assert os.stat(old).st_mtime == 1_000_000


def test_a_damaged_log_is_left_as_it_is(tmp_path: Path) -> None:
    replica = filled(tmp_path)
    path = tmp_path / f"{replica.log.segments[1].base_offset:020}.log"
    data = bytearray(path.read_bytes())
    data[70] ^= 1
    path.write_bytes(data)
    before = {found.name for found in tmp_path.glob("*.log")}
    with pytest.raises(Damaged):
        compact(replica)
    assert {found.name for found in tmp_path.glob("*.log*")} == before


def test_what_changes_meanwhile_ends_it(tmp_path: Path) -> None:
    """Segments that retention took, or that were cut, aren't brought back."""

    class Late(Desk):
        def swap(self, cleaned: Segment, old: tuple[Segment, ...]) -> None:
            replica.log.set_start_offset(replica.log.segments[2].base_offset)
            replica.log.delete_old_segments(NOW_MS, replica.log.end_offset)
            super().swap(cleaned, old)

    replica = filled(tmp_path)
    start = replica.log.segments[2].base_offset
    with pytest.raises(Abandoned):
        compact(replica, desk=Late(replica, NOW_MS))
    assert replica.log.start_offset == start == replica.log.segments[0].base_offset
    assert not list(tmp_path.glob("*.cleaned"))


def test_readers_keep_what_they_have(tmp_path: Path) -> None:
    replica = filled(tmp_path)
    log = replica.log
    piece = log.read(0, 1 << 20, log.end_offset)
    assert piece is not None
    before = os.pread(piece.file.fileno(), piece.size, piece.position)
    compact(replica)
    log.remove_deleted_files(NOW_MS)
    assert os.pread(piece.file.fileno(), piece.size, piece.position) == before
    assert all(log.read(offset, 1000, log.end_offset) is not None for offset in range(log.end_offset))


def test_writes_are_as_large_as_the_buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """log.cleaner.io.buffer.size: half of it, for each thread."""
    values = Values(BROKER, {"log.cleaner.io.buffer.size": 8000, "log.cleaner.threads": 2})
    assert limits_of(Compaction(values)).buffer_bytes == 2000
    writes = []
    append = Segment.append

    def counted(segment: Segment, batches: list) -> None:  # type: ignore[type-arg]
        writes.append(sum(one[4] for one in batches))
        append(segment, batches)

    replica = filled(tmp_path, CONFIG._replace(segment_bytes=1 << 20, segment_index_bytes=1 << 20))
    replica.log.roll()
    monkeypatch.setattr(Segment, "append", counted)
    compact(replica)
    assert len(writes) > 1
    assert all(size >= 2000 for size in writes[:-1])
    assert sum(writes) == replica.log.segments[0].size
