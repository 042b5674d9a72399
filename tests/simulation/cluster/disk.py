"""The disk under production storage: real files, of which a loss of power keeps what was synced, and as much of the rest as the seed says.

The seam is the `os` that the modules of `barnabas.storage` see: while `Disks.installed()`, theirs is a copy whose calls on files below a node's directory go
through here. Writes go to real files. What is kept beside them is what the platter has: each file's bytes as of its last sync, each directory's names
as of its own. The model is pessimistic where POSIX is: a file's sync doesn't make its name durable, a rename isn't durable before its directory is synced;
names of one directory survive in the order in which they were made. Unsynced bytes survive as a prefix of what was written, or as zeroes in its place.

Before each call that changes something the process may die, or the call may fail with EIO or ENOSPC (a short write before it, sometimes).
"""

from __future__ import annotations

import errno
import importlib
import os
import pkgutil
import shutil
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import barnabas.storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

_MODULES = [importlib.import_module(f"barnabas.storage.{module.name}") for module in pkgutil.iter_modules(barnabas.storage.__path__)]
_WITH_OS = [module for module in _MODULES if getattr(module, "os", None) is os]
MAX_KEPT = 1 << 24


class PowerLost(BaseException):
    """The process died inside of a system call, or makes one after its death. Not an Exception: nobody may handle it."""


class _File:
    """One inode. `last` has the bytes of one that has no name any more."""

    __slots__ = ("durable", "last")

    def __init__(self, durable: bytes = b"") -> None:
        self.durable = durable
        self.last: bytes | None = None


class Disk:
    """The files below `root`. `death_rate`: how probable it is that the process dies before a call; `error_rate`: that the call fails."""

    def __init__(self, root: str, random: Random) -> None:
        self.root = root
        self._random = random
        self.death_rate = self.error_rate = 0.0
        self.is_dead = False
        self.errors = 0
        self.may_fail: Callable[[], bool] = lambda: True
        """Whether the node may be lost now."""
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._pending: list[dict[str, _File | None]] = []
        os.makedirs(root)

    # --- what the system calls tell

    def before(self, call: str) -> None:
        """Something is about to change."""
        if self.is_dead:
            raise PowerLost
        if not (self.death_rate or self.error_rate) or not self.may_fail():
            return
        if self._random.random() < self.death_rate:
            self.is_dead = True
            raise PowerLost
        if self._random.random() < self.error_rate:
            self.errors += 1
            kind = errno.ENOSPC if call.startswith("p") and self._random.random() < 0.5 else errno.EIO
            raise OSError(kind, os.strerror(kind))

    def shortened(self, size: int) -> int:
        """How much of a write is done before it fails, as on a disk that is nearly full."""
        return self._random.randint(0, size) if self._random.random() < 0.5 else 0

    def opened(self, path: str) -> _File | None:
        """The file of a name, which is new if it hadn't one. None for directories."""
        file = self._names.get(path)
        if file is None and not os.path.isdir(path):
            file = self._names[path] = _File()
            self._pending.append({path: file})
        return file

    def synced(self, file: _File, descriptor: int) -> None:
        file.durable = os.pread(descriptor, MAX_KEPT, 0)

    def directory_synced(self, path: str) -> None:
        kept = []
        for change in self._pending:
            if any(os.path.dirname(name) == path for name in change):
                self._make_durable(change)
            else:
                kept.append(change)
        self._pending = kept

    def _make_durable(self, change: dict[str, _File | None]) -> None:
        for name, file in change.items():
            if file is None:
                self._durable_names.pop(name, None)
            else:
                self._durable_names[name] = file

    def unlinking(self, path: str) -> None:
        file = self._names.pop(path, None)
        if file is not None:
            file.last = _content(path)
            self._pending.append({path: None})

    def renaming(self, source: str, target: str) -> None:
        if os.path.isdir(source):  # a topic's deletion: taken for durable at once
            self._names = {_moved(name, source, target): file for name, file in self._names.items()}
            self._durable_names = {_moved(name, source, target): file for name, file in self._durable_names.items()}
            self._pending = [{_moved(name, source, target): file for name, file in change.items()} for change in self._pending]
            return
        replaced = self._names.get(target)
        if replaced is not None:
            replaced.last = _content(target)
        file = self._names.pop(source, None) or _File()
        self._names[target] = file
        self._pending.append({source: None, target: file})

    # --- death and life

    def kill(self) -> None:
        """The process is gone, the machine isn't: everything that was written stays."""
        self.is_dead = True

    def lose_power(self) -> None:
        """Of what wasn't synced, some stays."""
        self.is_dead = True
        random = self._random
        count = random.choice((0, len(self._pending), random.randint(0, len(self._pending))))
        for change in self._pending[:count]:
            self._make_durable(change)
        kept = {path: self._surviving(file, path) for path, file in self._durable_names.items()}
        for path in self._names:
            if os.path.exists(path):
                os.unlink(path)
        self._names = {}
        for path, data in kept.items():
            if not os.path.isdir(os.path.dirname(path)):
                continue  # the partition was deleted
            with open(path, "wb") as file:
                file.write(data)
            self._names[path] = _File(data)
        self._durable_names = dict(self._names)
        self._pending = []

    def _surviving(self, file: _File, path: str) -> bytes:
        if file.last is not None:
            current = file.last
        elif self._names.get(path) is file:
            current = _content(path)
        else:
            current = next((_content(name) for name, other in self._names.items() if other is file), b"")
        durable, random = file.durable, self._random
        if current == durable or random.random() < 0.4:
            return durable
        if random.random() < 0.2:
            return current
        same = _common(durable, current)
        cut = random.randint(same, len(current))
        data = current[:cut]
        return data + bytes(random.randint(0, len(current) - cut)) if random.random() < 0.3 else data

    def revive(self) -> None:
        self.is_dead = False

    def wipe(self) -> None:
        """An empty disk takes its place."""
        shutil.rmtree(self.root)
        os.makedirs(self.root)
        self._names, self._durable_names, self._pending = {}, {}, []


class Disks:
    """All nodes' disks, below `base`, and the `os` that storage sees."""

    def __init__(self, base: str, random: Random) -> None:
        self.base = base
        self._random = random
        self._by_root: dict[str, Disk] = {}
        self._files: dict[int, tuple[Disk, _File | str]] = {}

    def add(self, name: str) -> Disk:
        disk = self._by_root[name] = Disk(f"{self.base}/{name}", self._random)
        return disk

    def _disk_of(self, path: Any) -> Disk | None:
        path = os.fspath(path)
        if not isinstance(path, str) or not path.startswith(self.base):
            return None
        return self._by_root[path[len(self.base) + 1 :].split("/", 1)[0]]

    @contextmanager
    def installed(self) -> Iterator[None]:
        simulated = SimpleNamespace(**vars(os))
        for name in ("open", "unlink", "rename", "fsync", "fdatasync", "write", "pwrite", "pwritev", "ftruncate", "truncate", "mkdir"):
            setattr(simulated, name, getattr(self, f"_{name}"))
        for module in _WITH_OS:
            module.os = simulated  # type: ignore[attr-defined]
        try:
            yield
        finally:
            for module in _WITH_OS:
                module.os = os  # type: ignore[attr-defined]

    def _open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        disk = self._disk_of(path)
        if disk is None:
            return os.open(path, flags, mode)
        if flags & os.O_CREAT and path not in disk._names:
            disk.before("open")
        if flags & os.O_WRONLY:
            flags = flags & ~os.O_WRONLY | os.O_RDWR  # `synced` reads
        descriptor = os.open(path, flags, mode)
        self._files[descriptor] = (disk, disk.opened(path) or path)
        return descriptor

    def _unlink(self, path: Any) -> None:
        disk = self._disk_of(path)
        if disk is not None and os.path.exists(path):
            disk.before("unlink")
            disk.unlinking(path)
        os.unlink(path)

    def _rename(self, source: Any, target: Any) -> None:
        disk = self._disk_of(source)
        if disk is not None and os.path.exists(source):
            disk.before("rename")
            disk.renaming(source, target)
        os.rename(source, target)

    def _mkdir(self, path: Any, mode: int = 0o777) -> None:
        disk = self._disk_of(path)
        if disk is not None:
            disk.before("mkdir")
        os.mkdir(path, mode)

    def _fsync(self, descriptor: int) -> None:
        disk, file = self._files[descriptor]
        disk.before("fsync")
        if isinstance(file, str):
            disk.directory_synced(file)
        else:
            disk.synced(file, descriptor)

    _fdatasync = _fsync

    def _write(self, descriptor: int, data: Any) -> int:
        self._files[descriptor][0].before("write")
        return os.write(descriptor, data)

    def _pwrite(self, descriptor: int, data: Any, position: int) -> int:
        self._before_write(descriptor, [data], position)
        return os.pwrite(descriptor, data, position)

    def _pwritev(self, descriptor: int, buffers: Any, position: int) -> int:
        self._before_write(descriptor, buffers, position)
        return os.pwritev(descriptor, buffers, position)

    def _before_write(self, descriptor: int, buffers: Any, position: int) -> None:
        """A write that fails, or that the process dies in, may have done a part of its work."""
        disk = self._files[descriptor][0]
        was_dead = disk.is_dead
        try:
            disk.before("pwrite")
        except (OSError, PowerLost):
            if not was_dead:
                data = b"".join(buffers)
                os.pwrite(descriptor, data[: disk.shortened(len(data))], position)
            raise

    def _ftruncate(self, descriptor: int, size: int) -> None:
        self._files[descriptor][0].before("ftruncate")
        os.ftruncate(descriptor, size)

    def _truncate(self, path: Any, size: int) -> None:
        disk = self._disk_of(path)
        if disk is not None:
            disk.before("truncate")
        os.truncate(path, size)


def _content(path: str) -> bytes:
    """Empty if it has been removed together with its directory."""
    with suppress(FileNotFoundError), open(path, "rb", buffering=0) as file:
        return file.read()
    return b""


def _common(one: bytes, other: bytes) -> int:
    """How many bytes they begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _moved(name: str, source: str, target: str) -> str:
    return target + name[len(source) :] if name.startswith(source + "/") else name
