"""`.txnindex`: the aborted transactions of a segment (D59-D61). The file exists only once something was aborted."""

from __future__ import annotations

import contextlib
import os
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from .errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRY = Struct(">hqqqq")
VERSION = 0
_CHUNK = ENTRY.size * 1024


class Aborted(NamedTuple):
    """One aborted transaction: its first data offset, its marker's offset, and the last stable offset once the marker stood."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


class TransactionIndex:
    """Opens its file for each use: aborts are rare, and most segments have none."""

    __slots__ = ("base_offset", "exists", "path")

    def __init__(self, path: str, base_offset: int, *, exists: bool) -> None:
        self.path = path
        self.base_offset = base_offset
        self.exists = exists

    def append(self, aborted: Aborted) -> None:
        """Add an entry; last offsets rise. Raises StorageError."""
        data = ENTRY.pack(VERSION, *aborted)
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                # Bytes behind the last whole entry are a torn write of an earlier run.
                size = os.fstat(descriptor).st_size // ENTRY.size * ENTRY.size
                if os.pwrite(descriptor, data, size) != len(data):
                    os.ftruncate(descriptor, size)
                    raise StorageError(self.path, "the disk took a part of an entry only")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError.of(self.path, "could not append", error) from error
        self.exists = True

    def __iter__(self) -> Iterator[Aborted]:
        """All whole entries, in order. Raises StorageError on an unknown version."""
        if not self.exists:
            return
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                for version, *fields in ENTRY.iter_unpack(chunk[: len(chunk) // ENTRY.size * ENTRY.size]):
                    if version > VERSION:
                        raise StorageError(self.path, f"entry version {version} is unknown, {VERSION} was expected", offline=False)
                    yield Aborted(*fields)

    def collect(self, fetch_offset: int, upper_offset: int) -> tuple[list[Aborted], bool]:
        """What touches [fetch_offset, upper_offset), and whether later segments can add nothing."""
        found = []
        for aborted in self:
            if aborted.last_offset >= fetch_offset and aborted.first_offset < upper_offset:
                found.append(aborted)
            if aborted.last_stable_offset >= upper_offset:
                return found, True
        return found, False

    def is_sane(self) -> bool:
        """Whether every entry can be of this segment."""
        try:
            return all(aborted.last_offset >= self.base_offset for aborted in self)
        except StorageError:
            return False

    def cut_to(self, offset: int) -> None:
        """Drop entries whose marker is at or above `offset`."""
        for number, aborted in enumerate(self):
            if aborted.last_offset >= offset:
                os.truncate(self.path, number * ENTRY.size)
                return

    def reset(self) -> None:
        """Drop everything."""
        if self.exists:
            with contextlib.suppress(FileNotFoundError):
                os.truncate(self.path, 0)

    def sync(self) -> None:
        """Make the entries durable."""
        if self.exists:
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(self.path, os.O_RDONLY)
                try:
                    os.fdatasync(descriptor)
                finally:
                    os.close(descriptor)
