"""Bytes that left memory are noticed and brought back, where the file system tells; where it doesn't, it isn't asked again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from barnabas.storage.page_cache import is_resident, read_ahead
from barnabas.storage.segment import LogFile

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 1 << 20


def written(path: Path) -> LogFile:
    path.write_bytes(bytes(SIZE))
    file = LogFile(str(path))
    os.fsync(file.fileno())
    return file


def test_there_and_back(tmp_path: Path) -> None:
    file = written(tmp_path / "log")
    assert is_resident(file, 0, SIZE)
    os.posix_fadvise(file.fileno(), 0, SIZE, os.POSIX_FADV_DONTNEED)
    assert is_resident(file, 0, SIZE) is not file.tells_residence
    read_ahead(file, 0, SIZE)
    assert is_resident(file, 0, SIZE)


def test_a_file_system_that_does_not_tell() -> None:
    file = LogFile("/proc/self/comm")
    assert is_resident(file, 0, 1)
    assert not file.tells_residence
    assert is_resident(file, SIZE, SIZE)
