"""A future log follows the present one beside it: all of it, from where it begins, and off again where that was cut (R35)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.core.configs.definitions.broker import BROKER, DYNAMIC_QUOTAS
from barnabas.core.configs.values import Values
from barnabas.node.config.sections import Replication, Throttling
from barnabas.node.directory_copier import copy
from barnabas.node.directory_moves import COPYING, Move
from barnabas.node.partition import Partition
from barnabas.node.replication.throttle import Throttles
from barnabas.storage.log_config import LogConfig
from barnabas.wire.records.validation import AppendRules
from tests.logs import NOW_MS, Replica, batch

if TYPE_CHECKING:
    from barnabas.storage.log import Slice

STEPS = 100


@pytest.fixture
def node() -> Any:
    """Its settings, and what goes by."""
    values = Values(BROKER, {"replica.fetch.max.bytes": 300})
    throttling = Throttling(values, Values(DYNAMIC_QUOTAS, {"replica.alter.log.dirs.io.max.bytes.per.second": 100}))
    throttles = Throttles(throttling)
    throttles.take(throttling)
    return SimpleNamespace(config=SimpleNamespace(replication=Replication(values)), throttles=throttles)


def partition(directory: Path, kind: type[Partition] = Partition, log_start_offset: int = 0) -> Partition:
    directory.mkdir()
    replica = Replica(directory, LogConfig(segment_bytes=1000), log_start_offset=log_start_offset)
    return kind("t", 0, bytes(16), replica.log, replica.producers, replica.epochs, AppendRules(), bytes(16), lambda partition, error: None)


def append(current: Partition, count: int) -> None:
    for _ in range(count):
        _, _, group = current.append(memoryview(bytearray(batch(0)[0])), NOW_MS)
        assert group is not None
        current.write(group)


def cut(current: Partition, offset: int, leader_epoch: int) -> None:
    current.log.truncate_to(offset, NOW_MS)
    current.next_offset = offset
    current.lead(leader_epoch)


def copied(node: Any, move: Move) -> int:
    """After how many steps it has all."""
    return next(step for step in range(1, STEPS) if copy(node, move))


def contents(of: Partition) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(Path(of.log.directory).glob("*.log")))


@pytest.fixture
def move(tmp_path: Path) -> Move:
    current, future = partition(tmp_path / "t-0"), partition(tmp_path / "t-0.x-future")
    current.lead(3)
    return Move(current, future, COPYING)


def test_all_of_it(node: Any, move: Move) -> None:
    append(move.current, 20)
    assert not node.throttles.directories.is_exceeded
    assert copied(node, move) > 3, "in pieces"
    assert move.future.log.end_offset == move.current.log.end_offset
    assert move.future.epochs.entries == move.current.epochs.entries
    assert move.future.high_watermark == move.current.high_watermark
    assert contents(move.future) == contents(move.current)
    assert node.throttles.directories.is_exceeded
    append(move.current, 1)
    assert copied(node, move) == 1


def test_from_where_it_begins(node: Any, move: Move) -> None:
    append(move.current, 20)
    move.current.log.set_start_offset(10)
    copied(node, move)
    assert (move.future.log.start_offset, move.future.log.end_offset) == (10, move.current.log.end_offset)
    move.current.log.set_start_offset(12)
    copied(node, move)
    assert move.future.log.start_offset == 12


def test_what_was_cut(node: Any, move: Move) -> None:
    """The present replica followed another leader meanwhile: what it had to forget, the future one forgets."""
    append(move.current, 10)
    move.current.lead(4)
    append(move.current, 10)
    copied(node, move)
    move.current.log.truncate_to(12, NOW_MS)
    move.current.next_offset = 12
    copied(node, move)
    assert move.future.log.end_offset == 12
    move.current.lead(6)
    append(move.current, 20)
    copied(node, move)
    assert move.future.log.end_offset == move.current.log.end_offset
    assert move.future.epochs.entries == move.current.epochs.entries
    cut(move.current, 5, 9)
    append(move.current, 30)
    copied(node, move)
    assert move.future.epochs.entries == move.current.epochs.entries
    assert contents(move.future) == contents(move.current)


class CutWhileRead(Partition):
    """What its new leader doesn't have goes just before it is read the next time."""

    is_due = False

    def read_all(self, offset: int, max_bytes: int, *, min_one: bool) -> Slice | None:
        if self.is_due:
            self.is_due = False
            cut(self, 5, 4)
            append(self, 10)
        return super().read_all(offset, max_bytes, min_one=min_one)


def test_cut_while_it_is_read(node: Any, tmp_path: Path) -> None:
    """What another leader wrote isn't put behind what is cut off."""
    current, future = partition(tmp_path / "t-0", CutWhileRead), partition(tmp_path / "t-0.x-future")
    assert isinstance(current, CutWhileRead)
    current.lead(3)
    append(current, 10)
    move = Move(current, future, COPYING)
    copied(node, move)
    current.is_due = current.follow(4)
    copied(node, move)
    assert not current.is_due
    assert future.epochs.entries == current.epochs.entries
    assert contents(future) == contents(current)


def test_an_old_start(node: Any, tmp_path: Path) -> None:
    """A checkpoint has it begin where the present replica doesn't any more."""
    current, future = partition(tmp_path / "t-0"), partition(tmp_path / "t-0.x-future", log_start_offset=8)
    current.lead(3)
    append(current, 10)
    copied(node, Move(current, future, COPYING))
    assert (future.log.start_offset, future.log.end_offset) == (0, current.log.end_offset)
    assert contents(future) == contents(current)
