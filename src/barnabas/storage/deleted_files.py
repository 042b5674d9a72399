"""Files that a log let go: renamed to `.deleted` at once, unlinked after a delay (D108)."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING

from .errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable


class DeletedFiles:
    """Paths that wait for the delay to pass. Unlinked by a thread that doesn't hold the log's writers up, while others add to them or give them up."""

    __slots__ = ("_lock", "_waiting")

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: list[tuple[int, tuple[str, ...]]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, now_ms: int, paths: Iterable[str]) -> None:
        with self._lock:
            self._waiting.append((now_ms, tuple(paths)))

    def remove(self, before_ms: int) -> int:
        """Unlink what was let go at or before `before_ms`; how many files there were. Raises StorageError."""
        removed = 0
        while (entry := self._take(before_ms)) is not None:
            for path in entry[1]:
                try:
                    os.unlink(path)
                    removed += 1
                except FileNotFoundError:
                    continue  # there is no .txnindex most often; or the directory has another name by now
                except OSError as error:
                    self.add(*entry)
                    raise StorageError.of(path, "could not be removed", error) from error
        return removed

    def _take(self, before_ms: int) -> tuple[int, tuple[str, ...]] | None:
        with self._lock:
            for place, (at_ms, _) in enumerate(self._waiting):
                if at_ms <= before_ms:
                    return self._waiting.pop(place)
        return None

    def move(self, directory: str) -> None:
        """The files' directory has another name."""
        with self._lock:
            self._waiting = [(at_ms, tuple(os.path.join(directory, os.path.basename(path)) for path in paths)) for at_ms, paths in self._waiting]

    def forget(self) -> None:
        """The directory goes as a whole."""
        with self._lock:
            self._waiting.clear()
