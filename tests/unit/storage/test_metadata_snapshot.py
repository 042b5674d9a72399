"""Metadata snapshots: names, frame, leftovers (D8, D25, D26, D39-D43)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from barnabas.storage import metadata_snapshot as snapshot
from barnabas.storage.metadata_snapshot import BOOTSTRAP, SnapshotError, SnapshotId, SnapshotReader, snapshot_batches, write_snapshot
from barnabas.wire.logs.raft import VotersRecord
from barnabas.wire.records.batch import iterate_headers


def test_names_and_their_order() -> None:
    assert SnapshotId(epoch=7, offset=42).file_name == "00000000000000000042-0000000007.checkpoint"
    assert snapshot.parse_snapshot_name("00000000000000000042-0000000007-123.checkpoint.part") == (SnapshotId(7, 42), ".checkpoint.part")
    assert snapshot.parse_snapshot_name("00000000000000000042.log") is None
    assert SnapshotId(epoch=1, offset=100) < SnapshotId(epoch=2, offset=50)
    with pytest.raises(ValueError, match="foo"):
        snapshot.parse_snapshot_name("foo.checkpoint")


def test_a_snapshot_comes_back(tmp_path: Path) -> None:
    values = [b"a" * 700_000, b"b" * 700_000, b"c"]
    voters = VotersRecord(version=0, voters=[])
    size = write_snapshot(
        str(tmp_path), SnapshotId(3, 42), snapshot_batches(values, epoch=3, now_ms=9, last_timestamp_ms=7, kraft_version=1, voters=voters)
    )
    (name,) = os.listdir(tmp_path)
    assert (name, (tmp_path / name).stat().st_mode & 0o777, (tmp_path / name).stat().st_size) == (SnapshotId(3, 42).file_name, 0o400, size)
    reader = SnapshotReader(str(tmp_path / name))
    assert (reader.last_timestamp_ms, [kind for kind, _ in reader.control_records]) == (7, [5, 6])
    assert list(reader.values()) == values == list(reader.values())
    headers = [header for _, header in iterate_headers((tmp_path / name).read_bytes())]
    assert [(header.base_offset, header.count, header.leader_epoch) for header in headers] == [(0, 3, 3), (3, 1, 3), (4, 2, 3), (6, 1, 3)]
    reader.close()


def test_a_cut_or_damaged_snapshot_is_refused(tmp_path: Path) -> None:
    whole = b"".join(snapshot_batches([b"x"], epoch=0, now_ms=1))
    batches = list(iterate_headers(whole))
    path = tmp_path / BOOTSTRAP.file_name
    for damaged in (b"", whole[: batches[2][0]], whole[:-1], whole[batches[1][0] :], whole[:150] + b"\xff" + whole[151:]):
        path.write_bytes(damaged)
        with pytest.raises(SnapshotError, match=r"checkpoint"):
            list(SnapshotReader(str(path)).values())


def test_leftovers_go_and_old_snapshots_with_them(tmp_path: Path) -> None:
    for name in (
        "00000000000000000010-0000000001.checkpoint",
        "00000000000000000020-0000000001.checkpoint",
        "00000000000000000020-0000000001-9.checkpoint.part",
    ):
        (tmp_path / name).touch()
    (tmp_path / "00000000000000000005-0000000001.checkpoint.deleted").touch()
    assert snapshot.recover_snapshots(str(tmp_path), 15) == [SnapshotId(1, 20)]
    assert os.listdir(tmp_path) == ["00000000000000000020-0000000001.checkpoint"]
    with pytest.raises(SnapshotError, match="starts at offset 21"):
        snapshot.recover_snapshots(str(tmp_path), 21)
    (tmp_path / "notes.checkpoint").touch()
    with pytest.raises(SnapshotError, match="notes"):
        snapshot.recover_snapshots(str(tmp_path), 0)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> list[bytes]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_snapshot(str(tmp_path), BOOTSTRAP, (batch for batch in broken()))
    assert os.listdir(tmp_path) == []
