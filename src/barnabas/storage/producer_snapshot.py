"""`.snapshot` files: the producers as they stood when the log ended at the offset in the name (D63-D67)."""

from __future__ import annotations

import contextlib
import os
from struct import Struct
from typing import TYPE_CHECKING

from barnabas.wire.records.native import crc32c

from .atomic_file import sync_file, write_file
from .file_names import DELETED, PRODUCER_SNAPSHOT, offset_name

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER = Struct(">hIi")
ENTRY = Struct(">qhiqiqiq")
VERSION = 1
_CRC_END = 6

# producer id, epoch, last sequence, last offset, offset delta, timestamp, coordinator epoch, first offset of the open transaction or -1
Entry = tuple[int, int, int, int, int, int, int, int]


class CorruptSnapshot(ValueError):
    """Not a snapshot that Apache Kafka would load: the next older one is to be tried."""


def snapshot_path(directory: str, offset: int) -> str:
    return f"{directory}/{offset_name(offset, PRODUCER_SNAPSHOT)}"


def encode_snapshot(entries: Iterable[Entry]) -> bytes:
    packed = [ENTRY.pack(*entry) for entry in entries]
    body = len(packed).to_bytes(4, "big") + b"".join(packed)
    return VERSION.to_bytes(2, "big") + crc32c(body).to_bytes(4, "big") + body


def decode_snapshot(data: bytes) -> list[Entry]:
    """Raises CorruptSnapshot."""
    if len(data) < HEADER.size:
        raise CorruptSnapshot(f"{len(data)} bytes are no producer snapshot")
    version, crc, count = HEADER.unpack_from(data)
    if version != VERSION:
        raise CorruptSnapshot(f"version {version} of a producer snapshot is unknown")
    if crc32c(data[_CRC_END:]) != crc:
        raise CorruptSnapshot("the checksum doesn't fit")
    if count < 0 or HEADER.size + count * ENTRY.size > len(data):
        raise CorruptSnapshot(f"{count} entries don't fit {len(data)} bytes")
    return list(ENTRY.iter_unpack(data[HEADER.size : HEADER.size + count * ENTRY.size]))


def write_snapshot(directory: str, offset: int, entries: Iterable[Entry], *, sync: bool) -> None:
    """Written in place, as Apache Kafka does: a torn one fails its checksum. Raises OSError."""
    write_file(snapshot_path(directory, offset), encode_snapshot(entries), sync=sync)


def read_snapshot(directory: str, offset: int) -> list[Entry]:
    """Raises CorruptSnapshot, OSError."""
    with open(snapshot_path(directory, offset), "rb", buffering=0) as file:
        return decode_snapshot(file.read())


def remove_snapshot(directory: str, offset: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(snapshot_path(directory, offset))


class Snapshots:
    """The snapshots of one directory: at segments' bases, and at the log's end after a clean stop (D64, D68)."""

    __slots__ = ("_unsynced", "directory", "offsets")

    def __init__(self, directory: str, offsets: list[int]) -> None:
        self.directory = directory
        self.offsets = offsets
        self._unsynced: list[int] = []

    def take(self, offset: int, entries: Iterable[Entry], *, at_least: int = 0, sync: bool) -> None:
        """Write one for the log's end at `offset`, unless nothing advanced since the last or since `at_least`. Raises OSError."""
        if offset > max(self.offsets[-1] if self.offsets else 0, at_least):
            write_snapshot(self.directory, offset, entries, sync=sync)
            self.offsets.append(offset)
            if not sync:
                self._unsynced.append(offset)

    def sync(self) -> None:
        """Make those durable that were written without. Raises OSError."""
        for offset in self._unsynced[:]:
            with contextlib.suppress(FileNotFoundError):
                sync_file(snapshot_path(self.directory, offset))
            with contextlib.suppress(ValueError):
                self._unsynced.remove(offset)

    def let_go(self, offset: int) -> list[str]:
        """Rename the one at `offset` to `.deleted`, if there is one; its new path. Raises OSError."""
        if offset not in self.offsets:
            return []
        self.offsets.remove(offset)
        path = snapshot_path(self.directory, offset)
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, path + DELETED)
        return [path + DELETED]

    def clear(self) -> None:
        """Remove all. Raises OSError."""
        for offset in self.offsets:
            remove_snapshot(self.directory, offset)
        self.offsets.clear()
        self._unsynced.clear()
