"""Whether bytes of a file are in memory, and getting them there: a send that has to wait for a disk must not wait on a network thread.

Asks by reading the first and the last byte with RWF_NOWAIT, which a missing page refuses. Where the file system doesn't know that flag (tmpfs, for one) everything
counts as resident. Source: preadv2(2), posix_fadvise(2).
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .log_reader import Slice
    from .segment import LogFile, Segment

HOT_BYTES = 16 * 1024 * 1024  # what was written last is taken to be in memory
_CHUNK = 1024 * 1024


def is_old(found: Slice, active: Segment) -> bool:
    """Whether a slice lies so far from the log's end, which is the end of `active`, that its pages may have left memory."""
    return found.position + HOT_BYTES < active.size or not active.is_file(found.file)


def is_resident(file: LogFile, position: int, size: int) -> bool:
    if not file.tells_residence:
        return True
    byte = bytearray(1)
    try:
        for at in (position, position + size - 1):
            os.preadv(file.fileno(), [byte], at, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError as error:
        file.tells_residence = error.errno != errno.EOPNOTSUPP
    return True


def read_ahead(file: LogFile, position: int, size: int) -> None:
    """Bring bytes into memory; returns when they are there. Raises OSError."""
    descriptor = file.fileno()
    os.posix_fadvise(descriptor, position, size, os.POSIX_FADV_WILLNEED)
    buffer = bytearray(min(size, _CHUNK))
    for at in range(position, position + size, _CHUNK):
        os.preadv(descriptor, [buffer], at)
