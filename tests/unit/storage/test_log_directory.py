"""A log directory: names, checkpoints, lock, strays, deletion (D1-D6, D72, D77-D86, D109-D111, D127)."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from barnabas.storage import log_directory as directory
from barnabas.storage.clean_shutdown import previous_broker_epoch, read_broker_epoch
from barnabas.storage.directory_lock import DirectoryLock, DirectoryLockedError
from barnabas.storage.partition_name import parse_partition_name, suffixed_name


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("orders-0", ("orders", 0, "")),
        ("a-b-12", ("a-b", 12, "")),
        ("orders-0.0123456789abcdef0123456789abcdef-delete", ("orders", 0, "-delete")),
        ("or.ders-3.x-future", ("or.ders", 3, "-future")),
        ("orders-0.x-stray", ("orders", 0, "-stray")),
    ],
)
def test_names_are_parsed(name: str, parts: tuple[str, int, str]) -> None:
    assert tuple(parse_partition_name(name)) == parts


@pytest.mark.parametrize("name", ["foo", "private-x", "-0", "a-", "orders-0-delete", ".barn", "a-99999999999"])
def test_foreign_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        parse_partition_name(name)


def test_a_long_topic_is_cut_for_deletion_only() -> None:
    topic = "t" * 249
    assert len(suffixed_name(topic, 0, "-delete")) == 255
    assert suffixed_name(topic, 0, "-future").startswith(topic + "-0.")


def test_a_missing_directory_is_made_with_its_checkpoints(tmp_path: Path) -> None:
    opened = directory.LogDirectory(str(tmp_path / "new" / "data"))
    assert sorted(os.listdir(opened.path)) == [
        ".lock",
        "cleaner-offset-checkpoint",
        "log-start-offset-checkpoint",
        "recovery-point-offset-checkpoint",
        "replication-offset-checkpoint",
    ]
    assert (opened.was_clean, opened.broker_epoch, opened.partitions()) == (False, None, [])
    opened.close(clean_broker_epoch=14)
    assert (tmp_path / "new/data/.kafka_cleanshutdown").read_bytes() == b'{"version":0,"brokerEpoch":14}'
    assert not (tmp_path / "new/data/.lock").exists()


def test_a_clean_stop_is_seen_once(tmp_path: Path) -> None:
    directory.LogDirectory(str(tmp_path)).close(clean_broker_epoch=3)
    opened = directory.LogDirectory(str(tmp_path))
    assert (opened.was_clean, opened.broker_epoch) == (True, 3)
    opened.begin_loading()
    opened.close()
    assert read_broker_epoch(str(tmp_path)) is None


def test_broker_epochs_of_all_directories_must_agree(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in "ab"]
    for path, epoch in zip(paths, (4, 4), strict=True):
        directory.LogDirectory(path).close(clean_broker_epoch=epoch)
    assert previous_broker_epoch(paths) == 4
    directory.LogDirectory(paths[1]).close(clean_broker_epoch=5)
    assert previous_broker_epoch(paths) == -1
    assert previous_broker_epoch([paths[0], str(tmp_path)]) == -1


def test_junk_checkpoints_are_reported_and_rebuilt(tmp_path: Path) -> None:
    (tmp_path / "replication-offset-checkpoint").write_text("junk\n")
    (tmp_path / "recovery-point-offset-checkpoint").write_text("0\n1\norders 0 7\n")
    opened = directory.LogDirectory(str(tmp_path))
    assert (opened.high_watermarks, opened.recovery_points) == ({}, {("orders", 0): 7})
    assert len(opened.repaired) == 1 and "replication-offset-checkpoint:1" in opened.repaired[0]
    opened.close()
    assert (tmp_path / "replication-offset-checkpoint").read_text() == "0\n0\n"


def test_partitions_are_listed_and_foreign_directories_stop_the_start(tmp_path: Path) -> None:
    for name in ("__cluster_metadata-0", "orders-0", "orders-1.x-delete", "remote-log-index-cache"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes.txt").touch()
    opened = directory.LogDirectory(str(tmp_path))
    assert [(found.topic, found.partition, found.suffix) for found in opened.partitions()] == [("orders", 0, ""), ("orders", 1, "-delete")]
    (tmp_path / "private").mkdir()
    with pytest.raises(directory.LogDirectoryError, match="private"):
        opened.partitions()
    opened.close()


def test_deletion_waits_for_its_delay(tmp_path: Path) -> None:
    opened = directory.LogDirectory(str(tmp_path))
    path = opened.create_partition("orders", 0)
    renamed = opened.mark_deleted(path, "orders", 0, now_ms=1000, delay_ms=500)
    assert parse_partition_name(os.path.basename(renamed)).suffix == "-delete" and os.path.isdir(renamed)
    assert opened.remove_due(1499) == []
    assert opened.remove_due(1500) == [renamed]
    assert not os.path.exists(renamed)
    opened.close()


def test_strays_and_duplicates(tmp_path: Path) -> None:
    assert directory.is_stray(None, [1], 1) and directory.is_stray(b"x" * 16, None, 1) and directory.is_stray(b"x" * 16, [2], 1)
    assert not directory.is_stray(b"x" * 16, [2, 1], 1)
    twin = [directory.PartitionDirectory(f"/{name}/orders-0", "orders", 0, "") for name in "ab"]
    with pytest.raises(directory.LogDirectoryError, match=r"/a/orders-0 and /b/orders-0"):
        directory.require_no_duplicates(twin)
    untouched = [_twin(tmp_path / name, {"00000000000000000000.log": b""}) for name in "abc"]
    written = _twin(tmp_path / "d", {"00000000000000000000.log": b"records"})
    emptied = _twin(tmp_path / "e", {"00000000000000000007.log": b""})
    assert directory.untouched_twins(untouched) == untouched[1:]
    assert directory.untouched_twins([untouched[0], written]) == directory.untouched_twins([emptied, untouched[0]]) == untouched[:1]
    assert directory.untouched_twins([written, emptied]) == directory.untouched_twins([untouched[0]]) == []
    (tmp_path / "x").mkdir()
    (tmp_path / "y").symlink_to(tmp_path / "x")
    with pytest.raises(directory.LogDirectoryError, match="twice"):
        directory.require_distinct([str(tmp_path / "x"), str(tmp_path / "y")])


def _twin(parent: Path, files: dict[str, bytes]) -> directory.PartitionDirectory:
    path = parent / "orders-0"
    path.mkdir(parents=True)
    for name, data in files.items():
        (path / name).write_bytes(data)
    return directory.PartitionDirectory(str(path), "orders", 0, "")


def test_a_new_partition_goes_where_the_fewest_are() -> None:
    assert directory.place_partition({"/a": 3, "/b": 1, "/c": 1}) == ["/b", "/c", "/a"]
    assert directory.place_partition({"/a": 3, "/b": 1}, cordoned=["/b"]) == ["/a"]
    assert directory.place_partition({"/a": 3, "/b": 1}, cordoned=["/a", "/b"]) == ["/a"]


def test_the_lock_is_exclusive_in_and_between_processes(tmp_path: Path) -> None:
    lock = DirectoryLock(str(tmp_path))
    with pytest.raises(DirectoryLockedError, match="another process"):
        DirectoryLock(str(tmp_path))
    other = "import sys; from barnabas.storage.directory_lock import *\ntry: DirectoryLock(sys.argv[1])\nexcept DirectoryLockedError: sys.exit(7)"
    assert subprocess.run([sys.executable, "-c", other, str(tmp_path)], check=False).returncode == 7
    lock.release()
    assert not os.path.exists(lock.path)
    with open(lock.path, "w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
