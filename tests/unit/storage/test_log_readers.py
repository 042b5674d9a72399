"""Readers go without a lock: what they look into may be let go of, unlinked or rolled meanwhile, by other threads."""

from __future__ import annotations

import os
import random
import struct
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from barnabas.storage.errors import OffsetOutOfRange
from barnabas.storage.index_file import IndexFile
from tests.logs import NOW_MS, SMALL, Replica, batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from barnabas.storage.log import Log

_RETAINED = SMALL._replace(retention_bytes=1)
_SECONDS = 1.5


def _first_offset(log: Log, offset: int) -> None:
    found = log.read(offset, 500, log.end_offset)
    if found is not None:
        (base_offset,) = struct.unpack(">q", os.pread(found.file.fileno(), 8, found.position))
        assert base_offset <= offset, f"asked for {offset}, given {base_offset}"


def _timestamp(log: Log, offset: int) -> None:
    log.find_offset_by_timestamp(NOW_MS + offset)


def _greatest(log: Log, _: int) -> None:
    log.max_timestamp_offset()


@pytest.fixture
def _threads_that_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.000_005)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_threads_that_take_turns_often")
@pytest.mark.parametrize("look", [_first_offset, _timestamp, _greatest])
def test_what_retention_takes(tmp_path: Path, look: Callable[[Log, int], None]) -> None:
    replica = Replica(tmp_path, _RETAINED)
    log, ended, failed, looks = replica.log, threading.Event(), [], [0]

    def read() -> None:
        chosen = random.Random(1)
        while not ended.is_set():
            try:
                look(log, log.start_offset + chosen.choice([0, 0, 1, chosen.randrange(300)]))
            except OffsetOutOfRange:
                continue
            except BaseException as error:
                failed.append(error)
                return
            looks[0] += 1

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    deadline = time.monotonic() + _SECONDS
    try:
        while (time.monotonic() < deadline or not looks[0]) and not failed:
            for _ in range(25):
                replica.write(batch(log.end_offset, 3, timestamp=NOW_MS + log.end_offset))
            log.delete_old_segments(NOW_MS, log.end_offset)
            log.remove_deleted_files(NOW_MS)
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert not failed, repr(failed[0])
    assert looks[0]
    log.close()


def test_an_index_that_is_gone_isnt_made_again(tmp_path: Path) -> None:
    path = tmp_path / "00.index"
    index = IndexFile(str(path), 8, 800)
    index.create()
    index.append(b"entry  1")
    index.trim()
    path.unlink()
    with pytest.raises(OSError):
        index.entries()
    assert not path.exists()
