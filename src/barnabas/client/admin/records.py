"""Deleting records from the start of partitions (KIP-107)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.client.errors import KafkaError, error_of
from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_records import DeleteRecordsRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.delete_records import DeleteRecordsResponse

HIGH_WATERMARK = -1
_MOVED = (Error.NOT_LEADER_OR_FOLLOWER, Error.LEADER_NOT_AVAILABLE)
Key = tuple[str, int]


async def delete(cluster: Cluster, offsets: Mapping[Key, int]) -> dict[Key, int | KafkaError]:
    """Deletes what lies before an offset, or before HIGH_WATERMARK; where each partition starts then, or its error. What isn't there is refused at once."""
    found: dict[Key, int | KafkaError] = {}

    async def attempt() -> None:
        left = {key: offset for key, offset in offsets.items() if key not in found}
        await cluster.refresh({topic for topic, _ in left})
        again: KafkaError | None = None
        by_leader: dict[int, dict[str, dict[int, int]]] = {}
        for (topic, partition), offset in left.items():
            known = cluster.topics.get(topic)
            place = known.partitions.get(partition) if known else None
            if place is None:
                found[(topic, partition)] = KafkaError(cluster.topic_errors.get(topic, Error.UNKNOWN_TOPIC_OR_PARTITION))
            elif place.leader < 0:
                again = KafkaError(Error.LEADER_NOT_AVAILABLE)
            else:
                by_leader.setdefault(place.leader, {}).setdefault(topic, {})[partition] = offset
        for leader, topics in by_leader.items():
            again = await _ask(cluster, leader, topics, found) or again
        if again is not None:
            raise again

    try:
        await cluster.retrying("deleteRecords", attempt)
    except KafkaError as failure:
        for key in offsets:
            found.setdefault(key, failure)
    return found


async def _ask(cluster: Cluster, leader: int, topics: Mapping[str, Mapping[int, int]], found: dict[Key, int | KafkaError]) -> KafkaError | None:
    """Fills `found`; what is returned is worth another attempt."""
    Topic = DeleteRecordsRequest.Topic
    wanted = [
        Topic(name=name, partitions=[Topic.Partition(partition_index=partition, offset=offset) for partition, offset in partitions.items()])
        for name, partitions in topics.items()
    ]
    connection = await cluster.connection(leader)
    reply: DeleteRecordsResponse = await connection.call(DeleteRecordsRequest(topics=wanted, timeout_ms=cluster.settings.request_timeout_ms))
    again: KafkaError | None = None
    for topic in reply.topics:
        for p in topic.partitions:
            if not p.error_code:
                found[(topic.name, p.partition_index)] = p.low_watermark
            elif p.error_code in _MOVED:
                again = KafkaError(error_of(p.error_code))
            else:
                found[(topic.name, p.partition_index)] = KafkaError(error_of(p.error_code))
    return again
