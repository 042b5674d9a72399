"""A file of fixed-size entries, mapped while in use: what .index and .timeindex have in common (D52, D57).

Owns the mapping, preallocation while the segment is active, and the count of entries. Entries' meaning is in offset_index.py and time_index.py.

A map is made at the first use, so that an idle partition costs neither memory nor descriptors. Blocks are reserved on disk before a store reaches
them: a store into a hole of a full disk would kill the process by SIGBUS, a reservation fails with ENOSPC (O14). A file under a live map is
never made shorter than its entries: readers go without a lock.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os

from .errors import StorageError

UNKNOWN = -1
_RESERVE = 4096


class IndexFile:
    """`count` entries of `entry_size` bytes, in a file of up to `max_bytes`."""

    __slots__ = ("_count", "_max_bytes", "_read_map", "_reserved", "_write_map", "entry_size", "max_count", "path")

    def __init__(self, path: str, entry_size: int, max_bytes: int) -> None:
        self.path = path
        self.entry_size = entry_size
        self.max_count = max_bytes // entry_size
        self._max_bytes = self.max_count * entry_size
        # Two, since a reader that makes its map must not take the place of one that a writer makes meanwhile.
        self._read_map: mmap.mmap | None = None
        self._write_map: mmap.mmap | None = None
        self._reserved = 0
        self._count = UNKNOWN

    def create(self) -> None:
        """Make the file, empty. Apache Kafka rebuilds a segment whose .index is missing, so it exists from the start."""
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644))
        self.forget()
        self._count = 0

    @property
    def count(self) -> int:
        """Entries in use. On the first call for an existing file, zeroes behind the last entry (preallocation that a crash left) are not counted."""
        if self._count == UNKNOWN:
            self._load()
        return self._count

    def _load(self) -> None:
        try:
            size = os.path.getsize(self.path)
        except FileNotFoundError:
            self.create()
            return
        count = min(size // self.entry_size, self.max_count)
        if count:
            self._read_map = self._open_map(count * self.entry_size)
            count = self._used(self._read_map, count)
        self._count = count

    def _used(self, view: mmap.mmap, count: int) -> int:
        """No real entry is all zeroes: it stands for a batch behind another, at a position above 0. So the zero tail is found by bisection."""
        zero = bytes(self.entry_size)
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            if view[middle * self.entry_size : (middle + 1) * self.entry_size] == zero:
                high = middle
            else:
                low = middle + 1
        return low

    def _open_map(self, size: int, *, writable: bool = False) -> mmap.mmap:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT if writable else os.O_RDONLY, 0o644)
        try:
            if writable:
                os.ftruncate(descriptor, size)
            elif os.fstat(descriptor).st_size < size:
                raise OSError(errno.ESTALE, "the index has fewer entries than were counted", self.path)
            return mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE if writable else mmap.PROT_READ)
        finally:
            os.close(descriptor)

    def entries(self) -> tuple[mmap.mmap | None, int]:
        """A map and how many entries to read from it. Callers keep no reference beyond the lookup."""
        count = self.count
        view = self._write_map or self._read_map
        if view is None and count:
            view = self._read_map = self._open_map(count * self.entry_size)
        return (None, 0) if view is None else (view, min(count, len(view) // self.entry_size))

    def last_entry(self) -> bytes | None:
        """The last entry's bytes, without mapping the file when nobody has yet."""
        if self._count == UNKNOWN:
            try:
                descriptor = os.open(self.path, os.O_RDONLY)
            except FileNotFoundError:
                return None
            try:
                size = os.fstat(descriptor).st_size // self.entry_size * self.entry_size
                entry = os.pread(descriptor, self.entry_size, size - self.entry_size) if size else b""
            finally:
                os.close(descriptor)
            if any(entry):
                return entry
        view, count = self.entries()
        return view[(count - 1) * self.entry_size : count * self.entry_size] if view is not None and count else None

    def reserve(self, entries: int) -> mmap.mmap:
        """The map to store up to `entries` more entries in, with room on disk for them. Raises StorageError, the index as before."""
        end = min((self.count + entries) * self.entry_size, self._max_bytes)
        view = self._write_map
        if view is not None and end <= self._reserved:
            return view
        try:
            if view is None:
                view = self._open_map(self._max_bytes, writable=True)
                self._reserved = 0
            target = min(-(-end // _RESERVE) * _RESERVE, self._max_bytes)
            descriptor = os.open(self.path, os.O_RDWR)
            try:
                os.posix_fallocate(descriptor, 0, target)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError.of(self.path, "no room for the index", error) from error
        self._write_map = view
        self._reserved = target
        return view

    def append(self, entry: bytes) -> None:
        """Store one packed entry behind the last; the caller knows that there is room for it. Raises StorageError."""
        start = self._count * self.entry_size
        end = start + self.entry_size
        view = self._write_map
        if view is None or not 0 <= start < end <= self._reserved:
            view = self.reserve(1)
            start = self._count * self.entry_size
            end = start + self.entry_size
        view[start:end] = entry
        self._count += 1

    def extend(self, entries: bytes) -> None:
        """Store several packed entries behind the last; the caller knows that there is room for them. Raises StorageError."""
        if entries:
            view, start = self.reserve(len(entries) // self.entry_size), self._count * self.entry_size
            view[start : start + len(entries)] = entries
            self._count += len(entries) // self.entry_size

    def cut(self, count: int) -> None:
        """Keep the first `count` entries; the file is cut by `trim`."""
        if count < self.count:
            old_end = self._count * self.entry_size
            # Zeroes show where the entries end, also after a crash.
            self.reserve(0)[count * self.entry_size : old_end] = bytes(old_end - count * self.entry_size)
            self._count = count

    def trim(self) -> None:
        """Cut the file to its entries: on roll, on close. The old map stays valid for who reads in it."""
        if self._count == UNKNOWN:
            return
        size = self._count * self.entry_size
        if os.path.getsize(self.path) != size:
            os.truncate(self.path, size)
        self._drop_maps()

    def trim_preallocated(self) -> None:
        """Cut the zeroes that a crash left behind the entries, if the file has its preallocated size still (T4)."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.getsize(self.path) >= self._max_bytes:
                self._load()
                self.trim()

    def sync(self) -> None:
        """Make the entries durable."""
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)

    def forget(self) -> None:
        """Drop the map and what is known of the file, without touching it."""
        self._drop_maps()
        self._count = UNKNOWN

    def _drop_maps(self) -> None:
        self._read_map = self._write_map = None
        self._reserved = 0
