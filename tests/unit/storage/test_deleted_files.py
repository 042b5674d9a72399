"""Files that wait to be unlinked, while the log that let them go is renamed or deleted by another thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from barnabas.storage.deleted_files import DeletedFiles
from barnabas.storage.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path


def _file(folder: Path, number: int) -> str:
    path = folder / f"{number}.deleted"
    path.touch()
    return str(path)


def test_the_delay(tmp_path: Path) -> None:
    waiting = DeletedFiles()
    waiting.add(10, [_file(tmp_path, 1), str(tmp_path / "never")])
    waiting.add(20, [_file(tmp_path, 2)])
    assert waiting.remove(5) == 0
    assert waiting.remove(10) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["2.deleted"]
    assert waiting
    assert waiting.remove(30) == 1
    assert not waiting


def test_what_could_not_be_removed_is_tried_again(tmp_path: Path) -> None:
    waiting = DeletedFiles()
    folder = tmp_path / "in-the-way"
    folder.mkdir()
    waiting.add(10, [str(folder)])
    for _ in range(2):
        with pytest.raises(StorageError):
            waiting.remove(10)
    assert waiting


def test_given_up_meanwhile(tmp_path: Path) -> None:
    """Whoever deletes the log doesn't wait for the thread that unlinks: neither must trip over the other."""
    waiting = DeletedFiles()
    ended = threading.Event()

    def give_up() -> None:
        while not ended.is_set():
            waiting.forget()
            waiting.move(str(tmp_path))

    other = threading.Thread(target=give_up)
    other.start()
    try:
        for number in range(3000):
            for each in range(5):
                waiting.add(number, [str(tmp_path / f"{number}-{each}")])
            waiting.remove(number)
    finally:
        ended.set()
        other.join()
