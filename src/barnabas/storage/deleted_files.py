"""Files that a log let go: renamed to `.deleted` at once, unlinked after a delay (D108)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable


class DeletedFiles:
    """Paths that wait for the delay to pass."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[tuple[int, tuple[str, ...]]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, now_ms: int, paths: Iterable[str]) -> None:
        self._waiting.append((now_ms, tuple(paths)))

    def remove(self, before_ms: int) -> int:
        """Unlink what was let go at or before `before_ms`; how many files there were. Raises StorageError."""
        removed = 0
        for entry in [entry for entry in self._waiting if entry[0] <= before_ms]:
            for path in entry[1]:
                try:
                    os.unlink(path)
                    removed += 1
                except FileNotFoundError:
                    continue  # there is no .txnindex most often
                except OSError as error:
                    raise StorageError.of(path, "could not be removed", error) from error
            self._waiting.remove(entry)
        return removed

    def move(self, directory: str) -> None:
        """The files' directory has another name."""
        self._waiting = [(at_ms, tuple(os.path.join(directory, os.path.basename(path)) for path in paths)) for at_ms, paths in self._waiting]

    def forget(self) -> None:
        """The directory goes as a whole."""
        self._waiting.clear()
