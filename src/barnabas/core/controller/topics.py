"""Topics and partitions as the controller replays them, with the indexes that its decisions need.

Creating and deleting is `topic_changes`, moving leaders and ISRs `elections`. Source: Apache's `ReplicationControlManager`, `BrokersToIsrs`, `BrokersToElrs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from barnabas.core.metadata import partition as partitions
from barnabas.core.metadata.directory_ids import is_reserved
from barnabas.core.metadata.partition import NO_LEADER, Partition
from barnabas.core.timeline import SnapshotRegistry, TimelineDict, TimelineSet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.wire.logs import cluster_metadata as records

PartitionKey = tuple[bytes, int]
"""(topic id, partition id)"""

K = TypeVar("K")


class TopicState:
    __slots__ = ("id", "name", "partitions")

    def __init__(self, name: str, topic_id: bytes, registry: SnapshotRegistry) -> None:
        self.name = name
        self.id = topic_id
        self.partitions: TimelineDict[int, Partition] = TimelineDict(registry)


class _Index(Generic[K]):
    """Which partitions a broker or directory has something to do with."""

    __slots__ = ("_members", "_registry")

    def __init__(self, registry: SnapshotRegistry) -> None:
        self._registry = registry
        self._members: TimelineDict[K, TimelineSet[PartitionKey]] = TimelineDict(registry)

    def of(self, owner: K) -> list[PartitionKey]:
        members = self._members.get(owner)
        return [] if members is None else list(members)

    def has_any(self, owner: K) -> bool:
        members = self._members.get(owner)
        return members is not None and len(members) > 0

    def move(self, key: PartitionKey, before: Iterable[K], after: Iterable[K]) -> None:
        if before == after:
            return
        for owner in before:
            if owner not in after:
                members = self._members[owner]
                members.discard(key)
                if not len(members):
                    self._members.pop(owner, None)
        for owner in after:
            members_after = self._members.get(owner)
            if members_after is None:
                members_after = self._members[owner] = TimelineSet(self._registry)
            members_after.add(key)


class Topics:
    __slots__ = ("_registry", "by_id", "by_name", "colliding", "imbalanced", "in_directory", "in_elr", "in_isr", "led_by", "reassigning")

    def __init__(self, registry: SnapshotRegistry) -> None:
        self._registry = registry
        self.by_name: TimelineDict[str, bytes] = TimelineDict(registry)
        self.by_id: TimelineDict[bytes, TopicState] = TimelineDict(registry)
        self.colliding: TimelineDict[str, tuple[str, ...]] = TimelineDict(registry)
        """Names that contain . or _ by the name with _ for both: metrics can't tell them apart."""
        self.in_isr: _Index[int] = _Index(registry)
        self.in_elr: _Index[int] = _Index(registry)
        self.led_by: _Index[int] = _Index(registry)
        """By leader; the leaderless ones stand under -1."""
        self.in_directory: _Index[bytes] = _Index(registry)
        self.reassigning: TimelineSet[PartitionKey] = TimelineSet(registry)
        self.imbalanced: TimelineSet[PartitionKey] = TimelineSet(registry)
        """Partitions that their preferred replica doesn't lead."""

    def find(self, name: str) -> TopicState | None:
        topic_id = self.by_name.get(name)
        return None if topic_id is None else self.by_id[topic_id]

    def partition(self, key: PartitionKey) -> Partition:
        return self.by_id[key[0]].partitions[key[1]]

    def leads_any(self, broker_id: int) -> bool:
        return self.led_by.has_any(broker_id)

    def leaderless(self) -> list[PartitionKey]:
        return self.led_by.of(NO_LEADER)

    def replay_topic(self, record: records.TopicRecord) -> None:
        if record.name in self.by_name:
            raise ValueError(f"topic {record.name} exists already, with id {self.by_name[record.name].hex()}")
        self.by_name[record.name] = record.topic_id
        self.by_id[record.topic_id] = TopicState(record.name, record.topic_id, self._registry)
        plain = collision_name(record.name)
        if plain is not None:
            self.colliding[plain] = (*(self.colliding.get(plain) or ()), record.name)

    def replay_remove_topic(self, record: records.RemoveTopicRecord) -> str:
        """The name of the topic that is gone."""
        topic = self.by_id.pop(record.topic_id, None)
        if topic is None:
            raise ValueError(f"no topic with id {record.topic_id.hex()} to remove")
        self.by_name.pop(topic.name, None)
        plain = collision_name(topic.name)
        if plain is not None:
            others = tuple(name for name in self.colliding[plain] if name != topic.name)
            if others:
                self.colliding[plain] = others
            else:
                self.colliding.pop(plain, None)
        for partition_id, partition in topic.partitions.current.items():
            self._index((topic.id, partition_id), partition, None)
        return topic.name

    def replay_partition(self, record: records.PartitionRecord) -> None:
        self._put(record.topic_id, record.partition_id, partitions.from_record(record))

    def replay_partition_change(self, record: records.PartitionChangeRecord) -> None:
        before = self._topic(record.topic_id).partitions.get(record.partition_id)
        if before is None:
            raise ValueError(f"no partition {record.partition_id} of topic {record.topic_id.hex()} to change")
        self._put(record.topic_id, record.partition_id, before.changed_by(record))

    def replay_clear_elr(self, record: records.ClearElrRecord) -> None:
        if not record.topic_name:
            for topic in list(self.by_id.current.values()):
                self._clear_elr(topic)
        else:
            named = self.find(record.topic_name)
            if named is None:
                raise ValueError(f"no topic {record.topic_name} to clear the eligible leader replicas of")
            self._clear_elr(named)

    def _clear_elr(self, topic: TopicState) -> None:
        for partition_id, before in list(topic.partitions.current.items()):
            after = before.without_elr()
            if after is not before:
                self._put(topic.id, partition_id, after)

    def _topic(self, topic_id: bytes) -> TopicState:
        topic = self.by_id.get(topic_id)
        if topic is None:
            raise ValueError(f"no topic with id {topic_id.hex()}")
        return topic

    def _put(self, topic_id: bytes, partition_id: int, after: Partition) -> None:
        topic = self._topic(topic_id)
        before = topic.partitions.get(partition_id)
        topic.partitions[partition_id] = after
        self._index((topic_id, partition_id), before, after)

    def _index(self, key: PartitionKey, before: Partition | None, after: Partition | None) -> None:
        self.in_isr.move(key, before.isr if before else (), after.isr if after else ())
        self.in_elr.move(key, before.elr if before else (), after.elr if after else ())
        self.led_by.move(key, (before.leader,) if before else (), (after.leader,) if after else ())
        self.in_directory.move(key, _real_directories(before), _real_directories(after))
        _mark(self.reassigning, key, after is not None and after.is_reassigning)
        _mark(self.imbalanced, key, after is not None and after.leader != after.preferred_leader)


def _real_directories(partition: Partition | None) -> tuple[bytes, ...]:
    return () if partition is None else tuple(directory for directory in partition.directories if not is_reserved(directory))


def _mark(members: TimelineSet[PartitionKey], key: PartitionKey, wanted: bool) -> None:
    if wanted:
        members.add(key)
    else:
        members.discard(key)


def collision_name(name: str) -> str | None:
    """What `name` looks like in metrics, if that could be another topic's too."""
    return name.replace(".", "_") if "." in name or "_" in name else None
