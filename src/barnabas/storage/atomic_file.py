"""Replacing a small file so that a crash leaves either the old or the new one, and syncing directories.

Owns the order of the steps: temporary file, fsync, rename, fsync of the directory (D16, D33, D78). Knows no format.
"""

from __future__ import annotations

import os

TEMPORARY_SUFFIX = ".tmp"


def sync_directory(path: str) -> None:
    """Make the names in directory `path` durable. Raises OSError."""
    descriptor = os.open(path or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None  # what the system says of a descriptor names no file
    finally:
        os.close(descriptor)


def sync_file(path: str) -> None:
    """Make the bytes of an existing file durable. Raises OSError."""
    sync_directory(path)  # the same three calls


def write_file(path: str, data: bytes, *, sync: bool = True, mode: int = 0o666) -> None:
    """Create or overwrite `path` in place (not atomic). Raises OSError; a short write is completed."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        if sync:
            os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None  # what the system says of a descriptor names no file
    finally:
        os.close(descriptor)


def replace_file(path: str, data: bytes, *, sync: bool = True) -> None:
    """Make `data` the whole content of `path`, atomically; durable on return when `sync`. Raises OSError and then leaves `path` as it was."""
    temporary = path + TEMPORARY_SUFFIX
    try:
        write_file(temporary, data, sync=sync)
        rename(temporary, path, sync=sync)
    except OSError:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def rename(source: str, target: str, *, sync: bool = True) -> None:
    """Rename within one directory, atomically; durable on return when `sync`. Raises OSError."""
    os.rename(source, target)
    if sync:
        sync_directory(os.path.dirname(target))


def read_file(path: str, max_bytes: int) -> bytes:
    """The content of a small file. Raises FileNotFoundError, or ValueError when it is longer than `max_bytes`."""
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise ValueError(f"{path} has {size} bytes; at most {max_bytes} were expected. Is it really Kafka's?")
        return file.read(size)
