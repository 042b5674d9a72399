"""Who leads a partition instead, for those who asked the wrong node: CurrentLeader and NodeEndpoints of Produce 10 and Fetch 16 on (KIP-951; R38)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from barnabas.core.metadata.image import MetadataImage


NOBODY = (-1, -1)


class NodeEndpoint(NamedTuple):
    node_id: int
    host: str
    port: int
    rack: str | None


class CurrentLeaders:
    """Collects the leaders' addresses for one response, as clients of `listener` reach them."""

    __slots__ = ("_image", "_listener", "endpoints")

    def __init__(self, image: MetadataImage, listener: str) -> None:
        self._image = image
        self._listener = listener
        self.endpoints: dict[int, NodeEndpoint] = {}

    def of(self, topic: str | bytes, index: int) -> tuple[int, int]:
        """(leader, its epoch) of a partition, -1 where there is none."""
        topics = self._image.topics
        found = topics.by_name.get(topic) if isinstance(topic, str) else topics.by_id.get(topic)
        partition = None if found is None else found.partitions.get(index)
        if partition is None:
            return NOBODY
        leader = self._image.cluster.brokers.get(partition.leader)
        point = None if leader is None or leader.fenced else leader.listeners.get(self._listener)
        if leader is not None and point is not None:
            self.endpoints[leader.id] = NodeEndpoint(leader.id, point.host, point.port, leader.rack)
        return partition.leader, partition.leader_epoch
