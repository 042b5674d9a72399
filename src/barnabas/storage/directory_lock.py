"""A log directory's .lock, the one that Java's FileLock takes (D4).

A POSIX record lock (fcntl.lockf): Java and Python see each other's, flock would not. It dies with *any* close of the file in this process,
so nobody else may open the file; a second DirectoryLock on one directory in one process is refused here, since the kernel wouldn't.
"""

from __future__ import annotations

import contextlib
import fcntl
import os

FILE_NAME = ".lock"
_held: set[tuple[int, int]] = set()  # (device, inode): one process has one lock a directory, whatever the path's spelling


class DirectoryLockedError(OSError):
    """Another process, or another node in this one, uses the directory."""


class DirectoryLock:
    """Held from construction to `release`."""

    __slots__ = ("_descriptor", "_key", "path")

    def __init__(self, directory: str) -> None:
        """Take it, or raise DirectoryLockedError; OSError when the directory isn't writable."""
        self.path = os.path.join(directory, FILE_NAME)
        status = os.stat(directory)
        self._key = (status.st_dev, status.st_ino)
        if self._key in _held:
            raise self._refusal(directory)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise self._refusal(directory) from None
        _held.add(self._key)

    @staticmethod
    def _refusal(directory: str) -> DirectoryLockedError:
        return DirectoryLockedError(
            f"Failed to acquire lock on file {FILE_NAME} in {directory}. A Kafka instance in another process or thread is using this directory. "
            "Stop that one, or give this node a directory of its own."
        )

    def release(self) -> None:
        """Remove the file, as a clean stop does, and let go. Safe to call twice."""
        if self._key not in _held:
            return
        _held.discard(self._key)
        with contextlib.suppress(OSError):  # gone or read-only: the lock itself is what counts
            os.unlink(self.path)
        os.close(self._descriptor)
