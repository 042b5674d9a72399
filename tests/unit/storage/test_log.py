"""The log of a partition: appending, reading, rolling, syncing, letting go, truncating (D45-D116)."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from barnabas.storage.checkpoint_file import read_leader_epochs, write_leader_epochs
from barnabas.storage.errors import OffsetOutOfRange, StorageError
from barnabas.storage.log_config import MAX_INT32, LogConfig
from barnabas.storage.log_reader import end_offset_of
from barnabas.storage.partition_metadata import read_topic_id
from barnabas.storage.producer_snapshot import CorruptSnapshot, decode_snapshot, encode_snapshot
from tests.logs import NOW_MS, SMALL, Replica, batch, content, marker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TOPIC_ID = bytes(range(16))


def bases(replica: Replica) -> list[int]:
    return [segment.base_offset for segment in replica.log.segments]


def names(directory: Path, suffix: str = "") -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name.endswith(suffix))


# Appending and reading


def test_a_new_log(tmp_path: Path) -> None:
    replica = Replica(tmp_path, topic_id=TOPIC_ID)
    assert (replica.log.start_offset, replica.log.end_offset, replica.log.size_bytes) == (0, 0, 0)
    assert replica.log.read(0, 100, 0) is None
    assert names(tmp_path) == [f"{0:020d}.index", f"{0:020d}.log", f"{0:020d}.timeindex", "leader-epoch-checkpoint", "partition.metadata"]
    assert (tmp_path / "partition.metadata").read_bytes() == b"version: 0\ntopic_id: AAECAwQFBgcICQoLDA0ODw"


def test_bytes_come_back_as_they_were_written(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    first, second = batch(0, 3), batch(3, 2)
    replica.log.append([first, second])
    piece = replica.log.read(0, 1 << 20, 5)
    assert piece is not None
    assert content(piece) == first[0] + second[0]
    piece = replica.log.read(4, 1 << 20, 5)
    assert piece is not None
    assert content(piece) == second[0]
    assert (tmp_path / f"{0:020d}.log").read_bytes() == first[0] + second[0]


def test_reads_stop_below_the_upper_offset(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(200)
    for start, upper in ((0, 1), (0, 150), (17, 33), (150, 200), (199, 200)):
        offsets, at = [], start
        while (piece := replica.log.read(at, 1 << 20, upper)) is not None:
            data = content(piece)
            assert len(data) == piece.size
            while data:
                offsets.append(int.from_bytes(data[:8], "big"))
                data = data[int.from_bytes(data[8:12], "big") + 12 :]
            at = offsets[-1] + 1
        assert offsets == list(range(start, upper))
    assert replica.log.read(20, 1 << 20, 20) is None


def test_slices_hold_whole_batches_and_at_least_one(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    one = batch(0)[4]
    replica.fill(100)
    for where in (0, 99 - 20):
        piece = replica.log.read(where, one * 3 + 10, 100)
        assert piece is not None
        assert piece.size == sum(header.size for header in replica.headers(where)[:3])
        piece = replica.log.read(where, 10, 100)
        assert piece is not None
        assert piece.size in (one, one + 1)
        piece = replica.log.read(where, 10, 100, min_one=False)
        assert piece is not None
        assert piece.size == 0


@pytest.mark.parametrize("max_bytes", [1, 100, 250, 1000, 1 << 20])
def test_every_batch_is_read_once_whatever_the_limit(tmp_path: Path, max_bytes: int) -> None:
    replica = Replica(tmp_path)
    for number in range(150):
        replica.fill(1, size=number * 7 % 400)
    assert [header.base_offset for header in replica.headers(0, max_bytes)] == list(range(150))
    replica.log.close()
    again = Replica(tmp_path)
    assert [header.base_offset for header in again.headers(0, max_bytes)] == list(range(150))


def test_reads_outside_of_the_log(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(5)
    replica.log.set_start_offset(2)
    for offset in (1, 6):
        with pytest.raises(OffsetOutOfRange):
            replica.log.read(offset, 100, 5)


def test_gaps_between_offsets_are_read_over(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.write(batch(0), batch(10), batch(5000))
    assert replica.offsets(1) == [10, 5000]
    replica.log.roll(6000)
    replica.write(batch(7000))
    assert replica.offsets(5001) == [7000]


def test_a_lower_offset_is_refused(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(3)
    with pytest.raises(ValueError, match="can't follow"):
        replica.log.append([batch(2)])


def test_many_batches_at_once_over_segments(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.log.append([batch(offset, size=100) for offset in range(100)])
    assert len(bases(replica)) > 3
    assert replica.offsets() == list(range(100))
    assert all(segment.size <= SMALL.segment_bytes for segment in replica.log.segments)
    assert Replica(tmp_path, clean=False).offsets() == list(range(100))


def test_many_batches_at_once_with_offsets_that_one_segment_cannot_hold(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    offsets = [0, 5, MAX_INT32 + 1, MAX_INT32 + 9, 3 * MAX_INT32]
    replica.log.append([batch(offset) for offset in offsets])
    assert bases(replica) == [0, MAX_INT32 + 1, 3 * MAX_INT32]
    assert replica.offsets() == offsets


def test_a_descriptor_outlives_deletion(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(100)
    piece = replica.log.read(0, 1 << 20, 100)
    assert piece is not None
    before = content(piece)
    replica.log.truncate_fully(500)
    replica.log.remove_deleted_files(NOW_MS)
    assert content(piece) == before


def test_readers_and_a_writer(tmp_path: Path) -> None:
    """Without a lock: what a reader gets is always whole batches, in order, below its upper offset."""
    replica = Replica(tmp_path, SMALL._replace(segment_bytes=60_000, segment_index_bytes=8000))
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            offset = 0
            while not (done.is_set() and offset == replica.log.end_offset):
                upper = replica.log.end_offset
                piece = replica.log.read(offset, 3000, upper)
                if piece is None:
                    continue
                data = content(piece)
                while data:
                    assert int.from_bytes(data[:8], "big") == offset < upper
                    data = data[int.from_bytes(data[8:12], "big") + 12 :]
                    offset += 1
        except BaseException as failure:
            failures.append(failure)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    replica.fill(3000)
    done.set()
    for reader in readers:
        reader.join(30)
    assert not failures


# Failing disks


def test_a_full_disk_leaves_whole_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = Replica(tmp_path)
    replica.fill(3)
    real, room = os.pwrite, [30]

    def pwrite(descriptor: int, data: bytes, position: int) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(descriptor, bytes(data)[: room[0]], position)
        room[0] -= written
        return written

    size = replica.log.size_bytes
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", pwrite)
        with pytest.raises(StorageError, match="cut back") as caught:
            replica.log.append([batch(3)])
    assert not caught.value.offline
    assert (tmp_path / f"{0:020d}.log").stat().st_size == size == replica.log.size_bytes
    assert replica.log.end_offset == 3
    replica.fill(2)
    assert replica.offsets() == [0, 1, 2, 3, 4]


def test_a_failing_disk_that_cannot_cut_goes_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = Replica(tmp_path)

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pwrite", fail)
    monkeypatch.setattr(os, "ftruncate", fail)
    with pytest.raises(StorageError, match="offline") as caught:
        replica.log.append([batch(0)])
    assert caught.value.offline


def test_a_short_write_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = Replica(tmp_path)
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, position: real(descriptor, bytes(data)[:13], position))
    replica.fill(3)
    assert replica.offsets() == [0, 1, 2]


def test_an_append_over_segments_that_fails_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = Replica(tmp_path)
    replica.fill(2)
    real, calls = os.pwritev, [0]

    def pwritev(descriptor: int, buffers: list[bytes], position: int) -> int:
        assert replica.log.end_offset == 2, "a follower that reads now gets nothing that is taken back"
        calls[0] += 1
        if calls[0] == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, buffers, position)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwritev", pwritev)
        with pytest.raises(StorageError):
            replica.log.append([batch(offset, size=100) for offset in range(2, 102)])
    assert (replica.offsets(), bases(replica)) == ([0, 1], [0])
    replica.fill(1)
    assert Replica(tmp_path, clean=False).offsets() == [0, 1, 2]


# Rolling


def test_roll_by_size(tmp_path: Path) -> None:
    replica = Replica(tmp_path, SMALL._replace(segment_bytes=1000, segment_index_bytes=8000))
    replica.fill(100)
    assert all(1000 - 110 < segment.size <= 1000 for segment in replica.log.segments[:-1])


def test_roll_by_the_first_batchs_timestamp(tmp_path: Path) -> None:
    replica = Replica(tmp_path, LogConfig(segment_ms=1000))
    replica.write(batch(0, timestamp=5000), batch(1, timestamp=6000), batch(2, timestamp=100))
    assert bases(replica) == [0]
    replica.write(batch(3, timestamp=6001))
    assert bases(replica) == [0, 3]


def test_roll_by_the_clock_without_timestamps(tmp_path: Path) -> None:
    replica = Replica(tmp_path, LogConfig(segment_ms=1000))
    replica.write(batch(0, timestamp=-1), now_ms=NOW_MS + 5000)  # an empty segment doesn't roll
    replica.write(batch(1, timestamp=-1), now_ms=NOW_MS + 1000)
    assert bases(replica) == [0]
    replica.write(batch(2, timestamp=-1), now_ms=NOW_MS + 1001)
    assert bases(replica) == [0, 2]


@pytest.mark.parametrize("size", [10, 200_000])
def test_the_first_timestamp_counts_after_a_restart(tmp_path: Path, size: int) -> None:
    replica = Replica(tmp_path, LogConfig(segment_ms=1000))
    replica.write(batch(0, timestamp=5000, size=size))
    replica.log.close()
    replica = Replica(tmp_path, LogConfig(segment_ms=1000))
    replica.write(batch(1, timestamp=6000), batch(2, timestamp=6001))
    assert bases(replica) == [0, 2]


def test_roll_when_an_index_is_full(tmp_path: Path) -> None:
    replica = Replica(tmp_path, LogConfig(index_interval_bytes=0, segment_index_bytes=80))
    replica.fill(40, timestamp=-1)
    assert len(bases(replica)) > 2
    assert all(segment.index.file.count <= 10 for segment in replica.log.segments)


def test_roll_when_the_time_index_is_full_but_for_one(tmp_path: Path) -> None:
    replica = Replica(tmp_path, LogConfig(index_interval_bytes=0, segment_index_bytes=80))
    for number in range(40):
        replica.fill(1, timestamp=NOW_MS + number)
    assert len(bases(replica)) > 3
    assert all(segment.time_index.file.count <= 6 for segment in replica.log.segments)
    assert [segment.time_index.last()[1] for segment in replica.log.segments[:-1]] == [base - 1 for base in bases(replica)[1:]]


def test_roll_when_the_offset_does_not_fit(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.write(batch(0), batch(MAX_INT32))
    assert bases(replica) == [0]
    replica.write(batch(MAX_INT32 + 1))
    assert bases(replica) == [0, MAX_INT32 + 1]


def test_jitter_is_stable_and_bounded(tmp_path: Path) -> None:
    config = LogConfig(segment_ms=10_000, segment_jitter_ms=4000)
    found = set()
    for number in range(5):
        directory = tmp_path / f"topic-{number}"
        directory.mkdir()
        found.add(Replica(directory, config).log.segments[0].roll_after_ms)
    assert len(found) > 1
    assert all(6000 < roll_ms <= 10_000 for roll_ms in found)


def test_a_roll_leaves_a_finished_segment_and_a_snapshot(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.write(*[batch(offset, producer=(5, 0, offset), timestamp=NOW_MS + offset) for offset in range(10)])
    replica.log.roll()
    index, time_index = tmp_path / f"{0:020d}.index", tmp_path / f"{0:020d}.timeindex"
    assert 0 < index.stat().st_size < 100
    assert time_index.read_bytes()[-12:] == (NOW_MS + 9).to_bytes(8, "big") + (9).to_bytes(4, "big")
    assert names(tmp_path, ".snapshot") == [f"{10:020d}.snapshot"]
    assert decode_snapshot((tmp_path / f"{10:020d}.snapshot").read_bytes()) == [(5, 0, 9, 9, 0, NOW_MS + 9, -1, -1)]


def test_a_snapshot_at_a_roll_knows_nothing_from_beyond_it(tmp_path: Path) -> None:
    """A leader tells the producers before it writes: what a crash may lose must not stand in the snapshot."""
    replica = Replica(tmp_path)
    replica.write(batch(0, producer=(5, 0, 0)))
    replica.producers.update(5, 0, 1, 1, 1, NOW_MS, False)
    replica.log.roll()
    assert [entry[2] for entry in decode_snapshot((tmp_path / f"{1:020d}.snapshot").read_bytes())] == [0]


# Syncing


def test_flush_moves_the_recovery_point(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(100)
    assert replica.log.recovery_point == 0
    assert replica.log.needs_flush(NOW_MS)
    replica.log.flush_in_background(threading.Lock())
    assert replica.log.recovery_point == replica.log.active_base_offset > 0
    assert not replica.log.needs_flush(NOW_MS)
    replica.log.flush()
    assert replica.log.recovery_point == 100


def test_flush_by_messages_and_by_time(tmp_path: Path) -> None:
    replica = Replica(tmp_path, LogConfig(flush_messages=5, flush_ms=1000))
    replica.fill(4)
    assert replica.log.recovery_point == 0
    replica.fill(1)
    assert replica.log.recovery_point == 5
    replica.fill(1)
    assert not replica.log.needs_flush(NOW_MS + 999)
    assert replica.log.needs_flush(NOW_MS + 1000)
    replica.log.flush_in_background(threading.Lock())
    assert replica.log.recovery_point == 6
    replica.fill(1)
    assert not replica.log.needs_flush(NOW_MS + 1999)


def test_a_clean_stop_leaves_what_apache_leaves(tmp_path: Path) -> None:
    replica = Replica(tmp_path, topic_id=TOPIC_ID)
    replica.fill(30, producer=(3, 0, -1))
    replica.log.close()
    assert f"{30:020d}.snapshot" in names(tmp_path)
    for path in tmp_path.glob("*index"):
        assert path.stat().st_size < 960
    again = Replica(tmp_path, topic_id=TOPIC_ID)
    assert again.log.recovery_point == again.log.end_offset == 30
    with pytest.raises(StorageError, match="another topic"):
        Replica(tmp_path, topic_id=bytes(15) + b"\7")


# Letting go


def test_retention_by_size(tmp_path: Path) -> None:
    replica = Replica(tmp_path, SMALL._replace(retention_bytes=6000))
    replica.fill(200, size=50)
    count = len(bases(replica))
    assert replica.log.delete_old_segments(NOW_MS, high_watermark=0) == 0  # never beyond the high watermark
    gone = replica.log.delete_old_segments(NOW_MS, high_watermark=200)
    assert len(bases(replica)) == count - gone
    assert 6000 <= replica.log.size_bytes < 6000 + 4096
    assert replica.log.start_offset == bases(replica)[0]
    assert replica.offsets() == list(range(replica.log.start_offset, 200))
    deleted = names(tmp_path, ".deleted")
    assert replica.log.has_deleted_files
    assert replica.log.remove_deleted_files(NOW_MS - 1) == 0
    assert replica.log.remove_deleted_files(NOW_MS) == len(deleted) > 0
    assert not replica.log.has_deleted_files


def test_retention_by_time_takes_the_active_segment_too(tmp_path: Path) -> None:
    replica = Replica(tmp_path, SMALL._replace(retention_ms=1000))
    replica.fill(100)
    assert replica.log.delete_old_segments(NOW_MS + 1000, 100) == 0
    assert replica.log.delete_old_segments(NOW_MS + 1001, 100) > 1
    assert (bases(replica), replica.log.start_offset, replica.log.end_offset) == ([100], 100, 100)
    assert replica.log.delete_old_segments(NOW_MS + 9999, 100) == 0  # an empty one stays
    replica.fill(1)
    assert replica.offsets() == [100]


def test_retention_without_timestamps_goes_by_the_files_time(tmp_path: Path) -> None:
    replica = Replica(tmp_path, SMALL._replace(retention_ms=1000))
    replica.fill(100, timestamp=-1)
    os.utime(tmp_path / f"{0:020d}.log", (NOW_MS / 1000, NOW_MS / 1000))
    assert replica.log.delete_old_segments(NOW_MS + 5000, 100) == 1


def test_compacted_logs_lose_only_what_is_below_their_start(tmp_path: Path) -> None:
    replica = Replica(tmp_path, SMALL._replace(delete=False, compact=True, retention_ms=1, retention_bytes=1))
    replica.fill(100)
    assert replica.log.delete_old_segments(NOW_MS * 2, 100) == 0
    second = bases(replica)[1]
    assert replica.log.set_start_offset(second)
    assert replica.log.delete_old_segments(NOW_MS, 100) == 1
    assert bases(replica)[0] == second


def test_log_start_moves_forward_only(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(10, epoch=3)
    assert replica.log.set_start_offset(4)
    assert not replica.log.set_start_offset(2)
    assert read_leader_epochs(str(tmp_path / "leader-epoch-checkpoint")) == [(3, 4)]
    with pytest.raises(OffsetOutOfRange):
        replica.log.set_start_offset(11)
    assert Replica(tmp_path, clean=False, log_start_offset=4).offsets() == [4, 5, 6, 7, 8, 9]


# Truncating


def test_truncation(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    for number in range(100):
        replica.fill(1, epoch=number // 40, timestamp=NOW_MS + number, producer=(3, 0, number))
    replica.log.flush()
    target = bases(replica)[1] + 5
    assert replica.log.truncate_to(target)
    assert replica.log.end_offset == replica.log.recovery_point == target
    assert bases(replica) == [base for base in bases(replica) if base <= target]
    assert replica.offsets() == list(range(target))
    assert replica.epochs.entries == tuple(entry for entry in ((0, 0), (1, 40), (2, 80)) if entry[1] < target)
    assert [entry.last_sequence for entry in replica.producers.entries()] == [target - 1]
    found = replica.log.max_timestamp_offset()
    assert found is not None
    assert found.offset == target - 1
    before = replica.state()
    replica.log.close()
    assert Replica(tmp_path).state() == before
    again = Replica(tmp_path, clean=False)
    assert again.state() == before
    again.fill(50, producer=(-1, -1, -1))
    assert again.offsets() == list(range(target + 50))


def test_epochs_of_what_is_copied_replace_that_of_an_empty_log(tmp_path: Path) -> None:
    """A replica that led in epoch 2 with an empty disk, and then copies what others have of epochs 0 to 2 in one write (M29)."""
    replica = Replica(tmp_path)
    replica.log.flush_epochs(replica.epochs.assign(2, 0))
    replica.log.append([batch(0, epoch=0), batch(1, epoch=1), batch(2, epoch=2)], NOW_MS)
    assert read_leader_epochs(str(tmp_path / "leader-epoch-checkpoint")) == [(0, 0), (1, 1), (2, 2)]


def test_truncation_beyond_the_end_cuts_epochs_only(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(3)
    replica.epochs.assign(9, 3)
    replica.log.flush_epochs()
    assert not replica.log.truncate_to(3)
    assert replica.epochs.entries == ((0, 0),)
    assert read_leader_epochs(str(tmp_path / "leader-epoch-checkpoint")) == [(0, 0)]


def test_truncation_within_a_batch_drops_the_batch(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.write(batch(0, 5), batch(5, 5))
    replica.log.truncate_to(7)
    assert replica.offsets() == [0, 5][:1]
    assert replica.log.end_offset == 7


def test_full_truncation(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(100, producer=(3, 0, -1))
    for offset in (500, 500, 20):
        replica.log.truncate_fully(offset)
        assert (bases(replica), replica.log.start_offset, replica.log.end_offset) == ([offset], offset, offset)
        assert replica.epochs.entries == ()
        assert not names(tmp_path, ".snapshot")
        replica.fill(2)
        assert replica.offsets() == [offset, offset + 1]
    assert Replica(tmp_path, clean=False).offsets() == [20, 21]


def test_truncation_below_the_first_segment(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.log.truncate_fully(50)
    replica.fill(5)
    replica.log.truncate_to(10)
    assert (replica.log.start_offset, replica.log.end_offset) == (10, 10)


def test_producers_after_an_append_that_failed(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.write(batch(0, producer=(5, 0, 0)))
    replica.producers.update(5, 0, 1, 1, 1, NOW_MS, False)
    replica.log.reload_producers(NOW_MS)
    assert [entry.last_sequence for entry in replica.producers.entries()] == [0]


# Timestamps and transactions


def test_offsets_by_timestamp(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    times = [NOW_MS + (number * 37) % 1000 for number in range(150)]
    for number, time in enumerate(times):
        replica.write(batch(number, timestamp=time))
    for again in range(2):
        for asked in (0, NOW_MS, NOW_MS + 300, NOW_MS + 777, NOW_MS + 999):
            found = replica.log.find_offset_by_timestamp(asked)
            # The first segment that can hold one is searched; times are mixed, so this is the first in the log.
            assert found is not None
            assert found[:2] == next((time, offset) for offset, time in enumerate(times) if time >= asked)
        assert replica.log.find_offset_by_timestamp(NOW_MS + 1000) is None
        latest = replica.log.max_timestamp_offset()
        assert latest is not None
        assert latest[:2] == (max(times), times.index(max(times)))
        if not again:
            replica.log.close()
            replica = Replica(tmp_path)


def test_offsets_by_timestamp_start_at_the_logs_start(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.write(batch(0, 10))
    replica.log.set_start_offset(4)
    found = replica.log.find_offset_by_timestamp(0)
    assert found is not None
    assert found.offset == 4
    assert Replica(tmp_path / "empty" if (tmp_path / "empty").mkdir() is None else tmp_path).log.max_timestamp_offset() is None


def test_aborted_transactions(tmp_path: Path) -> None:
    replica = Replica(tmp_path, SMALL._replace(segment_bytes=300))
    for offset, producer in enumerate((1, 2, 3, 1, 2, 3)):
        replica.write(batch(offset, producer=(producer, 0, offset // 3), transactional=True))
    replica.write(marker(6, 2, commit=False), marker(7, 1, commit=True), marker(8, 3, commit=False))
    aborted = [(2, 1, 6, 0), (3, 2, 8, 9)]
    assert len(bases(replica)) > 2
    assert replica.log.aborted_transactions(0, 9) == aborted
    assert replica.log.aborted_transactions(7, 9) == aborted[1:]
    assert replica.log.aborted_transactions(0, 2) == aborted[:1]
    for path in tmp_path.glob("*.txnindex"):
        path.unlink()
    assert Replica(tmp_path, clean=False).log.aborted_transactions(0, 9) == aborted


def test_an_abort_is_indexed_where_its_marker_is(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(3)
    replica.log.roll()
    replica.log.add_aborted(7, 0, 2, 3)
    assert (tmp_path / f"{0:020d}.txnindex").stat().st_size == 34
    assert replica.log.aborted_transactions(0, 3) == [(7, 0, 2, 3)]


def test_where_a_slice_ends(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(100)
    for start, max_bytes in ((0, 300), (3, 1), (50, 1 << 20), (95, 200), (99, 5)):
        piece = replica.log.read(start, max_bytes, 100)
        assert piece is not None
        data = content(piece)
        last = start - 1
        while data:
            last = int.from_bytes(data[:8], "big")
            data = data[int.from_bytes(data[8:12], "big") + 12 :]
        assert end_offset_of(replica.log.segments, piece) == last + 1


# Snapshots


@pytest.mark.parametrize("junk", [b"", b"\0\1", b"\0\2" + bytes(8), bytes(10)])
def test_a_corrupt_snapshot_is_dropped_for_the_next_older(tmp_path: Path, junk: bytes) -> None:
    with pytest.raises(CorruptSnapshot):
        decode_snapshot(junk)
    replica = Replica(tmp_path)
    for number in range(100):
        replica.fill(1, producer=(3, 0, number))
    replica.log.close()
    wanted = replica.producers.entries()
    newest = tmp_path / f"{100:020d}.snapshot"
    newest.write_bytes(junk)
    assert list(Replica(tmp_path).producers.entries()) == list(wanted)
    assert decode_snapshot(newest.read_bytes())


def test_an_empty_snapshot_has_ten_bytes() -> None:
    assert len(encode_snapshot([])) == 10


def test_without_any_snapshot_a_clean_log_has_no_producers(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(5, producer=(3, 0, -1))
    replica.log.close()
    for path in tmp_path.glob("*.snapshot"):
        path.unlink()
    assert list(Replica(tmp_path).producers.entries()) == []
    assert names(tmp_path, ".snapshot") == [f"{5:020d}.snapshot"]


def test_stray_snapshots_are_removed(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(100)
    replica.log.close()
    for offset in (1, 2, 101):
        (tmp_path / f"{offset:020d}.snapshot").write_bytes(encode_snapshot([]))
    Replica(tmp_path)
    kept = {int(name[:20]) for name in names(tmp_path, ".snapshot")}
    assert kept <= {*bases(replica), 100}
    assert 100 in kept


# Loading


def test_an_end_below_the_log_start_drops_everything(tmp_path: Path) -> None:
    Replica(tmp_path).fill(10)
    replica = Replica(tmp_path, log_start_offset=20)
    assert (replica.log.start_offset, replica.log.end_offset, bases(replica)) == (20, 20, [20])
    assert replica.epochs.entries == ()


def test_segments_below_the_recovery_point_are_trusted(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(100)
    replica.log.flush()
    first = tmp_path / f"{0:020d}.log"
    data = bytearray(first.read_bytes())
    data[100] ^= 1
    first.write_bytes(data)
    assert Replica(tmp_path, clean=False, recovery_point=100).log.end_offset == 100
    assert Replica(tmp_path, clean=False, recovery_point=0).log.end_offset < 2


@pytest.mark.parametrize("left", [0, 1])
def test_a_lost_end_before_other_segments_takes_them_along(tmp_path: Path, left: int) -> None:
    """After a loss of power: the names of later segments may have come to the disk before the bytes of earlier ones. No follower would fill the hole."""
    replica = Replica(tmp_path)
    replica.fill(60)
    first, second = replica.log.segments[:2]
    size = left and next(header for header in replica.headers() if header.base_offset == 0).size
    replica.log.close_without_sync()
    with open(first.path(".log"), "r+b") as file:
        file.truncate(size)
    again = Replica(tmp_path, clean=False)
    assert again.log.end_offset == left
    assert again.offsets() == list(range(left))
    assert not os.path.exists(second.path(".log"))


def test_epochs_of_what_is_not_on_the_disk_are_forgotten(tmp_path: Path) -> None:
    """A follower truncated, wrote other batches there and lost power: the disk has the old bytes, and a checkpoint that tells of the new ones."""
    replica = Replica(tmp_path)
    replica.fill(8, epoch=0)
    replica.log.flush()
    old = (tmp_path / f"{0:020d}.log").read_bytes()
    replica.log.truncate_to(5)
    replica.fill(4, epoch=1)
    assert read_leader_epochs(str(tmp_path / "leader-epoch-checkpoint")) == [(0, 0), (1, 5)]
    replica.log.close_without_sync()
    (tmp_path / f"{0:020d}.log").write_bytes(old)
    for _ in range(2):
        again = Replica(tmp_path, clean=False, recovery_point=5)
        assert again.log.end_offset == 8
        assert again.epochs.entries == ((0, 0),)
        assert read_leader_epochs(str(tmp_path / "leader-epoch-checkpoint")) == [(0, 0)]  # written, as a later start won't scan this again


@pytest.mark.parametrize(
    ("left", "expected"), [(range(10), ((0, 0), (1, 3), (2, 6))), ((0, 1, 7, 9), ((0, 0), (1, 3), (2, 6))), ((0, 4, 5), ((0, 0), (1, 3)))]
)
def test_epochs_of_a_compacted_log_begin_where_the_checkpoint_says(
    tmp_path: Path, left: Sequence[int], expected: tuple[tuple[int, int], ...]
) -> None:
    replica = Replica(tmp_path, SMALL._replace(compact=True))
    for offset in left:
        replica.write(batch(offset, epoch=offset // 3 if offset < 9 else 2))
    replica.log.close_without_sync()
    write_leader_epochs(str(tmp_path / "leader-epoch-checkpoint"), [(0, 0), (1, 3), (2, 6)])
    assert Replica(tmp_path, SMALL._replace(compact=True), clean=False).epochs.entries == expected


def test_a_gap_behind_a_compacted_segment_stays(tmp_path: Path) -> None:
    """A cleaner may have taken the last records of a segment away."""
    replica = Replica(tmp_path)
    replica.fill(60)
    first, end_offset = replica.log.segments[0], replica.log.end_offset
    replica.log.close_without_sync()
    with open(first.path(".log"), "r+b") as file:
        file.truncate(0)
    assert Replica(tmp_path, SMALL._replace(compact=True), clean=False).log.end_offset == end_offset


def test_a_zero_tail_is_cut(tmp_path: Path) -> None:
    Replica(tmp_path).fill(5)
    with open(tmp_path / f"{0:020d}.log", "ab") as file:
        file.write(bytes(1000))
    for clean in (False, True):
        replica = Replica(tmp_path, clean=clean)
        assert replica.log.end_offset == 5


def test_orphans_and_deleted_files_go(tmp_path: Path) -> None:
    Replica(tmp_path).fill(5)
    for name in (
        f"{9:020d}.index",
        f"{9:020d}.timeindex",
        f"{9:020d}.txnindex",
        f"{3:020d}.log.deleted",
        f"{3:020d}.snapshot.deleted",
        f"{9:020d}.log.cleaned",
    ):
        (tmp_path / name).write_bytes(b"")
    kept = tmp_path / f"{3:020d}-{1:010d}.checkpoint.deleted"
    kept.write_bytes(b"")
    Replica(tmp_path, clean=False)
    assert kept.exists()
    assert {name[:20] for name in names(tmp_path) if name[0] == "0" and "checkpoint" not in name} == {f"{0:020d}", f"{5:020d}"}


@pytest.mark.parametrize("finished", [True, False])
def test_an_interrupted_swap(tmp_path: Path, finished: bool) -> None:
    """`.swap` files are complete and take the place of what they cover; beside a `.cleaned` at or below them, they aren't."""
    replica = Replica(tmp_path)
    replica.fill(100)
    replica.log.close()
    cleaned = tmp_path / "cleaned-0"
    cleaned.mkdir()
    small = Replica(cleaned, LogConfig())
    small.write(*[batch(offset) for offset in range(0, bases(replica)[2], 2)])
    small.log.close()
    for suffix in (".log", ".index", ".timeindex"):
        (cleaned / f"{0:020d}{suffix}").rename(tmp_path / f"{0:020d}{suffix}.swap")
    if not finished:
        (tmp_path / f"{0:020d}.log.cleaned").write_bytes(b"")
    again = Replica(tmp_path)
    kept = range(0, bases(replica)[2], 2) if finished else range(bases(replica)[2])
    assert again.offsets() == [*kept, *range(bases(replica)[2], 100)]
    assert not names(tmp_path, ".swap")
    assert not names(tmp_path, ".cleaned")


def test_topic_id_file(tmp_path: Path) -> None:
    path = tmp_path / "partition.metadata"
    assert read_topic_id(str(tmp_path)) is None
    path.write_text("version: 0\ntopic_id: AAECAwQFBgcICQoLDA0ODw\n")
    assert read_topic_id(str(tmp_path)) == TOPIC_ID
    for junk in ("", "version: 1\ntopic_id: AAECAwQFBgcICQoLDA0ODw", "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA", "version: 0"):
        path.write_text(junk)
        with pytest.raises(StorageError, match="unreadable"):
            read_topic_id(str(tmp_path))


def test_an_idle_log_holds_one_descriptor(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    replica.fill(300)
    replica.log.close()
    del replica
    before = len(os.listdir("/proc/self/fd"))
    replica = Replica(tmp_path)
    assert len(bases(replica)) > 3
    assert len(os.listdir("/proc/self/fd")) - before <= 1


def test_a_roll_that_fails_leaves_no_segment_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty segment in the middle of what is appended next would end the log there at the next start."""
    replica = Replica(tmp_path)
    replica.fill(20)
    real = os.open

    def fail(path: str, *arguments: object) -> int:
        if path.endswith(f"{20:020d}.log"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        with pytest.raises(StorageError) as caught:
            replica.log.roll()
    assert not caught.value.offline
    replica.fill(2)
    for clean in (False, True):
        assert Replica(tmp_path, clean=clean).offsets() == list(range(22))


def test_a_truncation_that_is_interrupted_leaves_no_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = Replica(tmp_path)
    replica.fill(150)
    real, renames = os.rename, [0]

    def rename(source: str, target: str) -> None:
        renames[0] += 1
        if renames[0] > 4:
            raise OSError(errno.EIO, "Input/output error")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", rename)
        with pytest.raises(StorageError) as caught:
            replica.log.truncate_to(10)
    assert caught.value.offline
    again = Replica(tmp_path, clean=False)
    assert again.offsets() == list(range(again.log.end_offset))


def test_what_a_compacting_leader_left_out_is_no_loss(tmp_path: Path) -> None:
    """A follower rolls at gaps of its leader's log; the policy is another one by now, and nothing tells that a cleaner was at it. After a crash all is there."""
    replica = Replica(tmp_path)
    offsets = list(range(0, 600, 10))
    for number in range(0, len(offsets), 8):
        replica.log.append([batch(offset, size=200) for offset in offsets[number : number + 8]], NOW_MS)
    replica.log.close_without_sync()
    assert Replica(tmp_path, clean=False).offsets() == offsets


@pytest.mark.parametrize("count", [1, 3])
def test_a_log_that_begins_far_behind_its_first_segment(count: int, tmp_path: Path) -> None:
    """A follower of a log of which compaction left nothing in the first 2^31 offsets."""
    replica = Replica(tmp_path)
    offsets = [3_000_000_000 + number for number in range(count)]
    replica.log.append([batch(offset) for offset in offsets], NOW_MS)
    assert replica.log.active_base_offset == offsets[0]
    replica.log.close()
    assert Replica(tmp_path).offsets() == offsets
