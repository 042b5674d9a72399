"""The group coordinators as a part of a node: their thread, and what they hear of the cluster's metadata.

Owns the wiring only. Which group is where, and calls for several groups, are `coordinators.group_coordinator`; a group's rules are `core.groups`.
Neither is imported before the first partition of __consumer_offsets is led here or the first request for a group comes: a node without groups starts
without them.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.core.groups.settings import GroupSettings
    from barnabas.core.metadata.delta import MetadataDelta
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.coordinators.group_coordinator import GroupCoordinator
    from barnabas.node.partition import Partition
    from barnabas.node.server import Node

OFFSETS_TOPIC = "__consumer_offsets"


class GroupCoordinators:
    """Calls may come before `start`: they wait. `stop` before the logs are closed: afterwards nothing is appended any more."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._loop = node.network.group_thread
        self._lock = Lock()
        self._coordinator: GroupCoordinator | None = None

    def start(self) -> None:
        self._loop.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Answer everybody who waits, then end the thread and its connections: whether it ended in time."""
        if self._coordinator is not None:
            self._coordinator.close()
        self._loop.call(self._loop.close_all)
        self._loop.stop()
        return self._loop.join(timeout_s)

    @property
    def coordinator(self) -> GroupCoordinator:
        """Takes the calls of handlers, from any thread."""
        if self._coordinator is not None:
            return self._coordinator
        with self._lock:
            if self._coordinator is None:
                from barnabas.node.coordinators.group_coordinator import GroupCoordinator

                codec = self._node.config.groups.offsets_topic_codec
                settings = self._present_settings
                self._coordinator = GroupCoordinator(self._loop, self._count, settings, codec=codec, warn=self._node.log_warning)
            return self._coordinator

    def publish(self, delta: MetadataDelta, broker_id: int) -> None:
        """Follow the metadata. To be called when `Replicas.publish` has done the same delta."""
        changes = delta.local_changes(broker_id)
        for topic, index in changes.deleted:
            if topic.name == OFFSETS_TOPIC:
                self._resign(index, None)
        for change in changes.followers:
            if change.topic.name == OFFSETS_TOPIC:
                self._resign(change.partition_id, change.current.leader_epoch)
        for change in changes.leaders if self._is_registered_in(self._node.image, broker_id) else ():
            if change.topic.name == OFFSETS_TOPIC:
                partition = self._node.replicas.by_id.get(change.topic.id, {}).get(change.partition_id)
                if partition is not None:
                    self._loop.call(self._elect, partition, change.current.leader_epoch)
        if delta.topics_deleted:
            self._loop.call(self._forget, [(topic.name, topic.id) for topic in delta.topics_deleted])

    def catch_up(self, image: MetadataImage, broker_id: int) -> None:
        """At start: load what is led here."""
        if not self._is_registered_in(image, broker_id):
            return
        topic = image.topics.by_name.get(OFFSETS_TOPIC)
        for index, known in () if topic is None else topic.partitions.items():
            partition = self._node.replicas.by_name.get(OFFSETS_TOPIC, {}).get(index)
            if partition is not None and known.leader == broker_id:
                self._loop.call(self._elect, partition, known.leader_epoch)

    def _is_registered_in(self, image: MetadataImage, broker_id: int) -> bool:
        """Whether the metadata speaks of this life of the broker. What an earlier one led in an epoch that hasn't ended yet must not be written to: its log
        may have lost what others have, and two records would stand at one offset of one epoch. The registration ends that epoch (C14).
        """
        registered = image.cluster.brokers.get(broker_id)
        return registered is not None and registered.incarnation_id == self._node.broker.incarnation_id

    def lost(self, partitions: Iterable[Partition]) -> None:
        """Their disk has failed."""
        for partition in partitions:
            if partition.topic == OFFSETS_TOPIC:
                self._resign(partition.index, None)

    def _elect(self, partition: Partition, leader_epoch: int) -> None:
        self.coordinator.elect(partition, leader_epoch)

    def _resign(self, index: int, leader_epoch: int | None) -> None:
        self._loop.call(lambda: None if self._coordinator is None else self._coordinator.resign(index, leader_epoch))

    def _forget(self, topics: list[tuple[str, bytes]]) -> None:
        """On the loop, as `_elect` before it: partitions that come here by the same publication, or the one before, hear of it too."""
        if self._coordinator is not None:
            self._coordinator.forget_topics(topics)

    def _count(self) -> int:
        """Partitions of the topic as the metadata has it (G49); before it exists, as many as it is going to have."""
        topic = self._node.image.topics.by_name.get(OFFSETS_TOPIC)
        return self._node.config.groups.offsets_topic_num_partitions if topic is None else len(topic.partitions)

    def _present_settings(self) -> GroupSettings:
        from barnabas.core.groups.settings import GroupSettings

        groups = self._node.config.groups
        return GroupSettings(
            initial_rebalance_delay_ms=groups.initial_rebalance_delay_ms,
            min_session_timeout_ms=groups.min_session_timeout_ms,
            max_session_timeout_ms=groups.max_session_timeout_ms,
            max_size=groups.max_size,
            offsets_retention_ms=groups.offsets_retention_ms,
            offsets_retention_check_interval_ms=groups.offsets_retention_check_interval_ms,
            offset_metadata_max_length=groups.offset_metadata_max_bytes,
            offsets_commit_timeout_ms=groups.offset_commit_timeout_ms,
            max_batch_bytes=self._node.topic_settings(OFFSETS_TOPIC).max_message_bytes,
        )
