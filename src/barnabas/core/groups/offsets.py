"""Committed offsets of a shard's groups: plain ones, and those of transactions that are still open (G13-G16).

Owns where offsets are kept and how records change them. Who may commit, fetch or delete them stands in `committing` and `fetching`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups.records import NO_PRODUCER_ID, Offset, OffsetRecord
from barnabas.core.timeline import TimelineDict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from barnabas.core.timeline import SnapshotRegistry

Place = tuple[str, int]  # topic, partition


class Offsets:
    """All offsets of one shard.

    `by_group`: group -> place -> offset. `pending`: producer id -> (group, topic, partition) -> offset, until the transaction ends.
    `open_transactions`: group -> place -> the producers with a pending offset there.
    """

    __slots__ = ("_snapshots", "by_group", "open_transactions", "pending")

    def __init__(self, snapshots: SnapshotRegistry) -> None:
        self._snapshots = snapshots
        self.by_group: TimelineDict[str, TimelineDict[Place, Offset]] = TimelineDict(snapshots)
        self.pending: TimelineDict[int, TimelineDict[tuple[str, str, int], Offset]] = TimelineDict(snapshots)
        self.open_transactions: TimelineDict[str, TimelineDict[Place, frozenset[int]]] = TimelineDict(snapshots)

    def get(self, group: str, topic: str, partition: int) -> Offset | None:
        offsets = self.by_group.current.get(group)
        return None if offsets is None else offsets.current.get((topic, partition))

    def has_pending(self, group: str, topic: str, partition: int) -> bool:
        places = self.open_transactions.current.get(group)
        return places is not None and (topic, partition) in places.current

    def has_transactions(self, group: str) -> bool:
        return group in self.open_transactions.current

    def places(self, group: str) -> list[Place]:
        """Where the group has an offset, committed or pending."""
        found: dict[Place, None] = {}
        for table in (self.by_group.current.get(group), self.open_transactions.current.get(group)):
            if table is not None:
                found.update(dict.fromkeys(table.current))
        return list(found)

    def of_topic(self, topic: str, topic_id: bytes) -> Iterator[OffsetRecord]:
        """Tombstones for all offsets of a topic that has been deleted. A commit without a topic id is taken to be of this topic."""
        gone: dict[tuple[str, str, int], None] = {}
        for group, offsets in self.by_group.current.items():
            for place, offset in offsets.current.items():
                if place[0] == topic and offset.topic_id in (_NO_TOPIC_ID, topic_id):
                    gone[(group, *place)] = None
        for table in self.pending.current.values():
            for key, offset in table.current.items():
                if key[1] == topic and offset.topic_id in (_NO_TOPIC_ID, topic_id):
                    gone[key] = None
        for key in gone:
            yield OffsetRecord(*key, None)

    def replay(self, record: OffsetRecord, record_offset: int, producer_id: int = NO_PRODUCER_ID) -> None:
        group, topic, partition = record.group, record.topic, record.partition
        if record.offset is None:
            self._forget(group, (topic, partition))
            return
        offset = Offset._make((*record.offset[:6], record_offset))
        if producer_id == NO_PRODUCER_ID:
            self._put(group, (topic, partition), offset)
            return
        pending = self.pending.current.get(producer_id)
        if pending is None:
            pending = TimelineDict(self._snapshots)
            self.pending[producer_id] = pending
        pending[group, topic, partition] = offset
        self._open(group, (topic, partition), producer_id)

    def end_transaction(self, producer_id: int, committed: bool) -> None:
        """A marker: pending offsets of the producer become plain ones, unless a younger record is there already; or they go."""
        pending = self.pending.pop(producer_id, None)
        if pending is None:
            return
        for (group, topic, partition), offset in pending.current.items():
            place = (topic, partition)
            self._close(group, place, producer_id)
            existing = self.get(group, topic, partition)
            if committed and (existing is None or offset.record_offset > existing.record_offset):
                self._put(group, place, offset)

    def _put(self, group: str, place: Place, offset: Offset) -> None:
        offsets = self.by_group.current.get(group)
        if offsets is None:
            offsets = TimelineDict(self._snapshots)
            self.by_group[group] = offsets
        offsets[place] = offset

    def _forget(self, group: str, place: Place) -> None:
        offsets = self.by_group.current.get(group)
        if offsets is not None:
            offsets.pop(place, None)
            if not offsets.current:
                self.by_group.pop(group, None)
        places = self.open_transactions.current.get(group)
        if places is None:
            return
        for producer_id in places.current.get(place, ()):
            pending = self.pending.current.get(producer_id)
            if pending is not None:
                pending.pop((group, *place), None)
        places.pop(place, None)
        if not places.current:
            self.open_transactions.pop(group, None)

    def _open(self, group: str, place: Place, producer_id: int) -> None:
        places = self.open_transactions.current.get(group)
        if places is None:
            places = TimelineDict(self._snapshots)
            self.open_transactions[group] = places
        places[place] = places.current.get(place, frozenset()) | {producer_id}

    def _close(self, group: str, place: Place, producer_id: int) -> None:
        places = self.open_transactions.current.get(group)
        if places is None:
            return
        left = places.current.get(place, frozenset()) - {producer_id}
        if left:
            places[place] = left
            return
        places.pop(place, None)
        if not places.current:
            self.open_transactions.pop(group, None)


_NO_TOPIC_ID = bytes(16)
