"""Deleting records from the start of partitions (KIP-107)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.client.errors import KafkaError, error_of
from barnabas.wire.messages.delete_records import DeleteRecordsRequest

from .leaders import Key, ask_leaders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from barnabas.client.cluster import Cluster
    from barnabas.client.connection import Connection
    from barnabas.wire.messages.delete_records import DeleteRecordsResponse

HIGH_WATERMARK = -1


async def delete(cluster: Cluster, offsets: Mapping[Key, int]) -> dict[Key, int | KafkaError]:
    """Deletes what lies before an offset, or before HIGH_WATERMARK; where each partition starts then, or its error."""

    async def ask(leader: Connection, topics: Mapping[str, Sequence[int]]) -> dict[Key, int | KafkaError]:
        Topic = DeleteRecordsRequest.Topic
        wanted = [
            Topic(name=name, partitions=[Topic.Partition(partition_index=partition, offset=offsets[(name, partition)]) for partition in partitions])
            for name, partitions in topics.items()
        ]
        reply: DeleteRecordsResponse = await leader.call(DeleteRecordsRequest(topics=wanted, timeout_ms=cluster.settings.request_timeout_ms))
        return {
            (topic.name, p.partition_index): KafkaError(error_of(p.error_code)) if p.error_code else p.low_watermark
            for topic in reply.topics
            for p in topic.partitions
        }

    return await ask_leaders(cluster, "deleteRecords", offsets, ask)
