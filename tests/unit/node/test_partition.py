"""Appends of several threads, and what a write that fails leaves behind. O15, D7."""

from __future__ import annotations

import errno
import os
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from barnabas.core.partition.producers import ProducerError
from barnabas.node.handlers import delete_records
from barnabas.node.partition import InvalidBatch, Partition
from barnabas.storage.log_config import LogConfig
from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_records import DeleteRecordsRequest, DeleteRecordsResponse
from barnabas.wire.records.validation import AppendRules
from tests.logs import NOW_MS, Replica, batch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from barnabas.storage.errors import StorageError


class Disk:
    """os.pwrite as a disk that can be told to wait, or to refuse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = threading.Event()
        self.go.set()
        self.reached = threading.Event()
        self.error: int | None = None
        real = os.pwrite

        def pwrite(descriptor: int, data: bytes, position: int) -> int:
            self.reached.set()
            assert self.go.wait(10)
            if self.error is not None:
                raise OSError(self.error, os.strerror(self.error))
            return real(descriptor, data, position)

        monkeypatch.setattr(os, "pwrite", pwrite)


def make(directory: Path, on_storage_error: Callable[[Partition, StorageError], object] | None = None) -> Partition:
    directory.mkdir()
    replica = Replica(directory, LogConfig(segment_bytes=1 << 20))
    ignore = on_storage_error or (lambda partition, error: None)
    partition = Partition("t", 0, bytes(16), replica.log, replica.producers, replica.epochs, AppendRules(), bytes(16), ignore)
    partition.lead(0)
    return partition


def data(sequence: int = -1) -> memoryview:
    return memoryview(bytearray(batch(0, producer=(7, 0, sequence) if sequence >= 0 else (-1, -1, -1))[0]))


def test_a_group_is_written_when_write_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads have batches in one group; who comes second must not answer while the first is still writing."""
    disk = Disk(monkeypatch)
    partition = make(tmp_path / "t-0")
    _, _, group = partition.append(data(), NOW_MS)
    assert group is not None
    disk.go.clear()
    second_done = threading.Event()

    def second() -> None:
        partition.write(group)
        second_done.set()

    threads = [threading.Thread(target=partition.write, args=(group,)), threading.Thread(target=second)]
    threads[0].start()
    assert disk.reached.wait(5)
    threads[1].start()
    assert not second_done.wait(0.1)
    assert partition.high_watermark == 0
    disk.go.set()
    for thread in threads:
        thread.join(5)
    assert second_done.is_set()
    assert group.error is None
    assert partition.high_watermark == 1


def test_a_full_disk_takes_back_offsets_and_sequences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    failures: list[StorageError] = []
    partition = make(tmp_path / "t-0", lambda _, error: failures.append(error))
    _, _, group = partition.append(data(0), NOW_MS)
    assert group is not None
    partition.write(group)
    disk.error = errno.ENOSPC
    offset, _, group = partition.append(data(1), NOW_MS)
    assert offset == 1
    assert group is not None
    partition.write(group)
    assert group.error == Error.KAFKA_STORAGE_ERROR
    assert [failure.offline for failure in failures] == [False]
    assert (partition.next_offset, partition.high_watermark) == (1, 1)
    disk.error = None
    with pytest.raises(ProducerError):
        partition.append(data(2), NOW_MS)
    offset, _, group = partition.append(data(1), NOW_MS)
    assert offset == 1
    assert group is not None
    partition.write(group)
    assert group.error is None


@pytest.mark.parametrize("broken", [errno.EIO, None])
def test_a_failing_disk_is_given_up_without_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: int | None) -> None:
    """Giving a directory up retires its partitions, this one among them. The same goes for whatever else a write raises."""
    disk = Disk(monkeypatch)
    failures: list[StorageError] = []

    def give_up(failed: Partition, error: StorageError) -> None:
        failed.retire()
        failures.append(error)

    partition = make(tmp_path / "t-0", give_up)
    _, _, group = partition.append(data(), NOW_MS)
    assert group is not None
    if broken is None:
        group.batches.append((b"", -5, -5, 0, 0, 0))
        group.batches.reverse()
    else:
        disk.error = broken
    thread = threading.Thread(target=partition.write, args=(group,))
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    assert [failure.offline for failure in failures] == [True]
    assert group.error == Error.KAFKA_STORAGE_ERROR
    with pytest.raises(InvalidBatch):
        partition.append(data(), NOW_MS)


def test_waiters_are_called_once(tmp_path: Path) -> None:
    partition = make(tmp_path / "t-0")
    calls: list[str] = []
    partition.add_waiter("a", lambda: calls.append("a"))
    partition.add_waiter("b", lambda: calls.append("b"))
    partition.remove_waiter("b")
    for _ in range(2):
        _, _, group = partition.append(data(), NOW_MS)
        assert group is not None
        partition.write(group)
    assert calls == ["a"]
    partition.add_waiter("c", lambda: calls.append("c"))
    partition.retire()
    assert calls == ["a", "c"]
    assert not partition.waiters


def test_records_are_not_deleted_once_another_node_leads(tmp_path: Path) -> None:
    """It does from the moment on in which the partition was looked up."""
    partition = make(tmp_path / "t-0")
    for _ in range(3):
        _, _, group = partition.append(data(), NOW_MS)
        assert group is not None
        partition.write(group)

    def look_up(topic: str, index: int) -> Partition:
        partition.follow(1)
        return partition

    node = SimpleNamespace(
        partition_by_name=look_up,
        topic_settings=lambda topic: SimpleNamespace(delete=True),
        disk=SimpleNamespace(checkpoint_log_starts=lambda then: then()),
    )
    answers: list[DeleteRecordsResponse] = []
    call = SimpleNamespace(node=node, connection=SimpleNamespace(network=None), reply=answers.append)
    ask = DeleteRecordsRequest.Topic
    delete_records.handle(DeleteRecordsRequest(topics=[ask(name="t", partitions=[ask.Partition(partition_index=0, offset=2)])]), cast("Any", call))
    assert [row.error_code for answer in answers for topic in answer.topics for row in topic.partitions] == [Error.NOT_LEADER_OR_FOLLOWER]
    assert partition.log.start_offset == 0
