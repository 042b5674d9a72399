"""A node that is killed while it compacts, at any change of the directory: what is opened then holds every newest record, and can be cleaned again (D106)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from barnabas.storage.log_config import LogConfig
from barnabas.wire.records.batch import iterate_headers
from barnabas.wire.records.record import decode_records
from tests.compacted import History, compact
from tests.logs import Replica

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = LogConfig(segment_bytes=4096, segment_index_bytes=960, index_interval_bytes=200, retention_ms=-1, compact=True, delete=False)


class Killed(BaseException):
    pass


def table(replica: Replica) -> dict[bytes, tuple[int, bytes | None]]:
    """What a reader who wants only what was committed makes of a log: each key's newest record."""
    log = replica.log
    aborted = [(found.producer_id, found.first_offset, found.last_offset) for found in log.aborted_transactions(0, log.end_offset)]
    newest: dict[bytes, tuple[int, bytes | None]] = {}
    offset = log.start_offset
    while (piece := log.read(offset, 1 << 20, log.end_offset)) is not None:
        data = os.pread(piece.file.fileno(), piece.size, piece.position)
        for position, header in iterate_headers(data):
            offset = header.next_offset
            gone = any(header.producer_id == p and first <= header.base_offset < last for p, first, last in aborted)
            if header.is_control or (header.is_transactional and gone):
                continue
            for record in decode_records(data[position : position + header.size]):
                if record.key is not None:
                    newest[record.key] = (record.offset, record.value)
    return newest


def kill_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The process dies instead of making its `number`th change to names or sizes of files from now on."""
    count = 0

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        def changing(*arguments: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count == number:
                raise Killed
            return change(*arguments, **options)

        return changing

    for name in ("rename", "unlink", "pwrite", "pwritev", "utime", "truncate"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("clean_stop", [False, True])
def test_killed_anywhere(seed: int, clean_stop: bool, tmp_path: Path) -> None:
    directory = tmp_path / "topic-0"
    directory.mkdir()
    replica = Replica(directory, CONFIG)
    history = History(Random(seed), replica)
    history.write(70)
    history.settle()
    replica.log.roll()
    history.write(3)
    history.settle()
    wanted, producers = table(replica), sorted(entry[:5] for entry in replica.producers.entries())
    replica.log.close()
    number = 0
    while True:
        number += 1
        copy = tmp_path / "copy" / "topic-0"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(directory, copy)
        replica = Replica(copy, CONFIG)
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, number)
            try:
                compact(replica)
                was_killed = False
            except Killed:
                was_killed = True
                patch.undo()
        if not was_killed:
            break
        replica = Replica(copy, CONFIG, clean=clean_stop)
        assert [path.name for path in copy.iterdir() if path.suffix in (".cleaned", ".swap", ".deleted")] == []
        assert table(replica) == wanted
        assert sorted(entry[:5] for entry in replica.producers.entries()) == producers
        compact(replica)
        assert table(replica) == wanted
        replica.log.close()
    assert number > 30
