"""Membership of a share group, whose members read from the same partitions, each record by one of them (KIP-932): heartbeats, and what they assign.

Doesn't own fetching and acknowledging (`share_consumer`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.messages.share_group_heartbeat import ShareGroupHeartbeatRequest

from .consumer_group import TopicNames
from .group import Place
from .heartbeats import JOINING, LEAVING, Heartbeats

if TYPE_CHECKING:
    from .cluster import Cluster


class ShareGroupMember(Place):
    """One member. `beat` often; `assigned` is where to fetch from."""

    def __init__(self, cluster: Cluster, group_id: str, rack_id: str | None) -> None:
        super().__init__(cluster, group_id)
        self._rack_id = rack_id
        self._names = TopicNames(cluster)
        self._heartbeats = Heartbeats(self, cluster.settings.retry_backoff_ms)
        self._told: tuple[str, ...] | None = None
        self.topics: tuple[str, ...] = ()

    async def beat(self) -> None:
        """A heartbeat if one is due, or there is something to say. Raises KafkaError when it may not be a member."""
        if self._told != self.topics:
            self._heartbeats.hurry()
        reply = await self._heartbeats.beat(self._request)
        if self.generation == JOINING:
            self.assigned = []
        if reply is not None and reply.assignment is not None:
            self.assigned = await self._names.partitions(reply.assignment.topic_partitions)

    async def leave(self) -> None:
        await self._heartbeats.leave(ShareGroupHeartbeatRequest(group_id=self._group_id, member_id=self.member_id, member_epoch=LEAVING))

    def _request(self, everything: bool) -> ShareGroupHeartbeatRequest:
        request = ShareGroupHeartbeatRequest(group_id=self._group_id, member_id=self.member_id, member_epoch=self.generation)
        if everything:
            request.rack_id = self._rack_id
        if everything or self._told != self.topics:
            request.subscribed_topic_names = list(self.topics)
        self._told = self.topics
        return request
