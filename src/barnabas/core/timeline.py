"""Versioned collections: read as of an offset, revert to an offset, forget old offsets.

Owns the versions that a controller or coordinator needs because it replays its records when they are appended and may have to
take them back (C2, G11, T10). Doesn't know what an offset means, nor when one commits: its host takes, deletes and reverts snapshots.
Source: the semantics of Apache's `SnapshotRegistry` and `Timeline*` classes; the mechanism is an undo journal.

The current state lives in plain dicts. While a snapshot exists, the first change to a key since the newest snapshot saves the old
value in that snapshot's journal. So a write costs one more test when there is no snapshot, a revert costs as much as was changed,
and deleting the oldest snapshot just drops a journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")

_ABSENT: Any = type("_Absent", (), {"__repr__": lambda self: "<absent>"})()
_THE_VALUE = "the value"


class _Snapshot:
    __slots__ = ("journal", "offset")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.journal: dict[Any, dict[Any, Any]] = {}
        """Collection -> key -> the value (or _ABSENT) that the key had when the snapshot was taken."""


class SnapshotRegistry:
    """The snapshots of a group of collections, oldest first; an offset at most once."""

    __slots__ = ("_snapshots", "newest")

    def __init__(self) -> None:
        self._snapshots: list[_Snapshot] = []
        self.newest: _Snapshot | None = None

    @property
    def offsets(self) -> list[int]:
        """The offsets that can be read at and reverted to, ascending."""
        return [snapshot.offset for snapshot in self._snapshots]

    def take(self, offset: int) -> None:
        """Keep the present state readable as of `offset`. Taking the newest offset again does nothing; an older one is an error."""
        if self.newest is not None and offset <= self.newest.offset:
            if offset == self.newest.offset:
                return
            raise ValueError(f"a snapshot at {offset} would come before the one at {self.newest.offset}")
        self.newest = _Snapshot(offset)
        self._snapshots.append(self.newest)

    def revert_to(self, offset: int) -> None:
        """Bring every collection back to what it was at `offset`, and delete the snapshots after it."""
        self._require(offset)
        while True:
            snapshot = self._snapshots[-1]
            for collection, saved in snapshot.journal.items():
                current = collection.current
                for key, value in saved.items():
                    if value is _ABSENT:
                        current.pop(key, None)
                    else:
                        current[key] = value
            snapshot.journal = {}
            if snapshot.offset == offset:
                break
            self._snapshots.pop()
        self.newest = self._snapshots[-1]

    def delete_up_to(self, offset: int) -> None:
        """Forget the snapshots below `offset`; the one at `offset` stays."""
        kept = [snapshot for snapshot in self._snapshots if snapshot.offset >= offset]
        self._snapshots = kept
        self.newest = kept[-1] if kept else None

    def clear(self) -> None:
        """Forget all snapshots; the present state stays."""
        self._snapshots = []
        self.newest = None

    def since(self, offset: int) -> list[_Snapshot]:
        """The snapshot at `offset` and those after it, oldest first: where a reader as of `offset` looks."""
        return self._snapshots[self._require(offset) :]

    def _require(self, offset: int) -> int:
        for index, snapshot in enumerate(self._snapshots):
            if snapshot.offset == offset:
                return index
        raise KeyError(f"no snapshot at {offset}; there are {self.offsets}")


class TimelineDict(Generic[K, V]):
    """A dict that can be read as of a snapshot. Values must be immutable, or timeline collections of the same registry."""

    __slots__ = ("current", "registry")

    def __init__(self, registry: SnapshotRegistry) -> None:
        self.registry = registry
        self.current: dict[K, V] = {}
        """The present contents: read it freely, never write it."""

    def __setitem__(self, key: K, value: V) -> None:
        if self.registry.newest is not None:
            self._save(key)
        self.current[key] = value

    def pop(self, key: K, default: D) -> V | D:
        if self.registry.newest is not None and key in self.current:
            self._save(key)
        return self.current.pop(key, default)

    def _save(self, key: K) -> None:
        assert self.registry.newest is not None
        saved = self.registry.newest.journal.setdefault(self, {})
        if key not in saved:
            saved[key] = self.current.get(key, _ABSENT)

    def get(self, key: K) -> V | None:
        return self.current.get(key)

    def __getitem__(self, key: K) -> V:
        return self.current[key]

    def __contains__(self, key: K) -> bool:
        return key in self.current

    def __len__(self) -> int:
        return len(self.current)

    def __iter__(self) -> Iterator[K]:
        return iter(self.current)

    def get_at(self, key: K, offset: int) -> V | None:
        """What `get` would have answered when the snapshot at `offset` was taken. KeyError if there is none."""
        for snapshot in self.registry.since(offset):
            saved = snapshot.journal.get(self)
            if saved is not None and key in saved:
                value = saved[key]
                return None if value is _ABSENT else value
        return self.current.get(key)

    def at(self, offset: int) -> dict[K, V]:
        """A copy of the whole dict as of `offset`; its order is not kept."""
        contents = dict(self.current)
        for snapshot in reversed(self.registry.since(offset)):
            for key, value in snapshot.journal.get(self, {}).items():
                if value is _ABSENT:
                    contents.pop(key, None)
                else:
                    contents[key] = value
        return contents


class TimelineSet(Generic[K]):
    """A set that can be read as of a snapshot. Iterates in the order of insertion, except after a revert."""

    __slots__ = ("_members",)

    def __init__(self, registry: SnapshotRegistry) -> None:
        self._members: TimelineDict[K, bool] = TimelineDict(registry)

    def add(self, member: K) -> None:
        if member not in self._members.current:
            self._members[member] = True

    def discard(self, member: K) -> None:
        self._members.pop(member, None)

    def __contains__(self, member: K) -> bool:
        return member in self._members.current

    def __len__(self) -> int:
        return len(self._members.current)

    def __iter__(self) -> Iterator[K]:
        return iter(self._members.current)

    def at(self, offset: int) -> set[K]:
        return set(self._members.at(offset))


class TimelineValue(Generic[V]):
    """One value that can be read as of a snapshot."""

    __slots__ = ("_holder",)

    def __init__(self, registry: SnapshotRegistry, initial: V) -> None:
        self._holder: TimelineDict[str, V] = TimelineDict(registry)
        self._holder.current[_THE_VALUE] = initial

    @property
    def value(self) -> V:
        return self._holder.current[_THE_VALUE]

    @value.setter
    def value(self, value: V) -> None:
        self._holder[_THE_VALUE] = value

    def at(self, offset: int) -> V:
        return self._holder.at(offset)[_THE_VALUE]
