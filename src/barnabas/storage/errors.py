"""What can go wrong with a log on disk, as its callers see it."""

from __future__ import annotations

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
FULL = (*NO_ROOM, errno.EMFILE, errno.ENFILE)  # no room, or no descriptor: there may be again


class StorageError(Exception):
    """The disk refused, or what is on it can't be. A request answers KAFKA_STORAGE_ERROR.

    `path` is the file or directory; `offline` says that the log directory can't be trusted to take writes any more: the host takes it offline (D7).
    When it is false, the log stands as before the call and may be tried again.
    """

    def __init__(self, path: str, problem: str, *, offline: bool = True) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.offline = offline

    @classmethod
    def of(cls, path: str, problem: str, cause: OSError) -> StorageError:
        """What the system said. A full disk may have room again; a disk that fails isn't to be trusted."""
        return cls(path, f"{problem}: {cause.strerror or cause}", offline=cause.errno not in FULL)


class OffsetOutOfRange(ValueError):
    """A read below the log's start or beyond its end."""

    def __init__(self, offset: int, start_offset: int, end_offset: int) -> None:
        super().__init__(f"offset {offset} is outside of the log, which holds {start_offset} to {end_offset}")
        self.offset = offset
