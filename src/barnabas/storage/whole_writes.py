"""Writing at the end of a .log all or nothing: a short write is gone on with, a failed one cut back (O14, O15)."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from .errors import StorageError

if TYPE_CHECKING:
    from .segment import Buffer, LogFile

_IOV_MAX = 1024


def write_all(file: LogFile, buffers: list[Buffer], position: int, total: int) -> None:
    """Write `total` bytes at `position`, the file's end: one pwritev, unless there are more buffers than the kernel takes at once.

    Raises StorageError, the file as before.
    """
    written = 0
    try:
        if len(buffers) <= _IOV_MAX:
            written = os.pwritev(file.fileno(), buffers, position)
    except OSError as error:
        raise cut_back(file, position, error) from error
    if written != total:
        write_rest(file, buffers, position, written, total)


def write_rest(file: LogFile, buffers: list[Buffer], position: int, written: int, total: int) -> None:
    """Go on after a short write, which a nearly full disk gives before it refuses. Raises StorageError, the file as before."""
    data = memoryview(buffers[0] if len(buffers) == 1 else b"".join(buffers))
    try:
        while written < total:
            count = os.pwrite(file.fileno(), data[written:total], position + written)
            if count == 0:
                raise OSError(errno.ENOSPC, "the disk takes no more bytes")
            written += count
    except OSError as error:
        raise cut_back(file, position, error) from error


def cut_back(file: LogFile, position: int, cause: OSError) -> StorageError:
    """Remove the bytes of a failed append, before anything else can be put behind them; the error to raise."""
    try:
        os.ftruncate(file.fileno(), position)
    except OSError as error:
        return StorageError(
            file.path, f"append failed ({cause.strerror}) and its torn bytes could not be cut ({error.strerror}); take the directory offline"
        )
    return StorageError.of(file.path, "append failed and the log was cut back to its last whole batch", cause)
