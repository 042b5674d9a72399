"""Membership of a consumer group that its coordinator shares out: heartbeats bring the assignment, what is owned goes back with them (KIP-848).

Owns: what a member says and when, topics' names. Doesn't own fetching, nor when partitions are given up (`consumer`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest

from .group import Place
from .heartbeats import JOINING, LEAVING, LEAVING_FOR_A_WHILE, Heartbeats

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .cluster import Cluster
    from .subscription import Partitions


NAME_AGAIN_S = 0.2


class ConsumerGroupSettings(NamedTuple):
    """Kafka's consumer settings of these names, with `group.protocol=consumer`. `assignor` is one of the coordinator's, its first if None."""

    group_id: str
    instance_id: str | None = None
    rack_id: str | None = None
    assignor: str | None = None
    max_poll_interval_ms: int = 300_000


class TopicNames:
    """Topics by id, as coordinators name them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._names: dict[bytes, str] = {}

    async def partitions(self, assignment: Iterable[Any]) -> Partitions:
        """Of entries with a topic_id and partitions. Topics that the cluster doesn't tell of (yet) are left out."""
        entries = list(assignment)
        if any(entry.topic_id not in self._names for entry in entries):
            await self._cluster.refresh()
            self._names.update({topic.topic_id: topic.name for topic in self._cluster.topics.values()})
        return sorted(
            (self._names[entry.topic_id], partition) for entry in entries if entry.topic_id in self._names for partition in entry.partitions
        )

    def by_id(self, partitions: Iterable[tuple[str, int]]) -> Mapping[bytes, list[int]]:
        """Of partitions that `partitions` named."""
        ids = {name: topic_id for topic_id, name in self._names.items()}
        found: dict[bytes, list[int]] = {}
        for name, partition in partitions:
            found.setdefault(ids[name], []).append(partition)
        return found


class ConsumerGroupMember(Place):
    """One member. `beat` often; whenever `target` isn't `assigned`, give up what is missing in it, take over the rest, and say `own`."""

    def __init__(self, cluster: Cluster, settings: ConsumerGroupSettings) -> None:
        super().__init__(cluster, settings.group_id, settings.instance_id)
        self._settings = settings
        self._names = TopicNames(cluster)
        self._heartbeats = Heartbeats(self, cluster.settings.retry_backoff_ms)
        self._given: list[Any] = []
        self._named_s = 0.0
        self._told_owned: Partitions | None = None
        self._told_wanted: tuple[tuple[str, ...], str | None] | None = None
        self.topics: tuple[str, ...] = ()
        self.pattern: str | None = None
        """A regular expression for the coordinator, in RE2's syntax, beside the topics."""
        self.target: Partitions = []

    async def beat(self) -> None:
        """A heartbeat if one is due, or there is something to say. Raises KafkaError when it may not be a member."""
        if self._told_wanted != (self.topics, self.pattern):
            self._heartbeats.hurry()
        reply = await self._heartbeats.beat(self._request)
        if self.generation == JOINING:
            self._given, self.target, self._told_owned = [], [], None
        if reply is not None and reply.assignment is not None:
            self._given = list(reply.assignment.topic_partitions)
        unnamed = len(self.target) != sum(len(given.partitions) for given in self._given)
        if reply is not None or (unnamed and time.monotonic() - self._named_s > NAME_AGAIN_S):
            self.target = await self._names.partitions(self._given)
            self._named_s = time.monotonic()

    def own(self, partitions: Partitions) -> None:
        """What it has from now on; the coordinator is told with the next heartbeat, which is due."""
        self.assigned = partitions
        self._heartbeats.hurry()

    async def leave(self) -> None:
        """A static member keeps its partitions for the length of a session, as Kafka's own do."""
        epoch = LEAVING if self._settings.instance_id is None else LEAVING_FOR_A_WHILE
        await self._heartbeats.leave(
            ConsumerGroupHeartbeatRequest(
                group_id=self._settings.group_id, member_id=self.member_id, member_epoch=epoch, instance_id=self._settings.instance_id
            )
        )

    def _request(self, everything: bool) -> ConsumerGroupHeartbeatRequest:
        settings, wanted = self._settings, (self.topics, self.pattern)
        owned = [] if self.generation == JOINING else self.assigned
        request = ConsumerGroupHeartbeatRequest(
            group_id=settings.group_id, member_id=self.member_id, member_epoch=self.generation, instance_id=settings.instance_id
        )
        if everything:
            request.rack_id, request.server_assignor = settings.rack_id, settings.assignor
            request.rebalance_timeout_ms = settings.max_poll_interval_ms
        if everything or self._told_wanted != wanted:
            request.subscribed_topic_names = list(self.topics)
            if self.pattern is not None or (self._told_wanted and self._told_wanted[1] is not None):
                request.subscribed_topic_regex = self.pattern or ""
        if everything or self._told_owned != owned:
            Owned = ConsumerGroupHeartbeatRequest.TopicPartitions
            request.topic_partitions = [Owned(topic_id=topic, partitions=parts) for topic, parts in self._names.by_id(owned).items()]
        self._told_wanted, self._told_owned = wanted, list(owned)
        return request
