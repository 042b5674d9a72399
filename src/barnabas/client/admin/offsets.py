"""Offsets by time or place (ListOffsets). KIP-79, 405, 734, 1005, 1023."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import KafkaError, error_of
from barnabas.wire.errors import Error
from barnabas.wire.messages.list_offsets import ListOffsetsRequest
from barnabas.wire.messages.offset_for_leader_epoch import OffsetForLeaderEpochRequest

from .leaders import Key, ask_leaders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from barnabas.client.cluster import Cluster
    from barnabas.client.connection import Connection
    from barnabas.wire.messages.list_offsets import ListOffsetsResponse
    from barnabas.wire.messages.offset_for_leader_epoch import OffsetForLeaderEpochResponse

LATEST = -1
EARLIEST = -2
MAX_TIMESTAMP = -3
EARLIEST_LOCAL = -4
LATEST_TIERED = -5
EARLIEST_PENDING_UPLOAD = -6
UNKNOWN_OFFSET = -1
_ONCE_MORE = (
    Error.UNKNOWN_TOPIC_OR_PARTITION,
    Error.REPLICA_NOT_AVAILABLE,
    Error.OFFSET_NOT_AVAILABLE,
    Error.KAFKA_STORAGE_ERROR,
    Error.FENCED_LEADER_EPOCH,
    Error.UNKNOWN_LEADER_EPOCH,
)


class Found(NamedTuple):
    """`offset` is -1 where nothing matches."""

    offset: int
    timestamp_ms: int
    leader_epoch: int


async def find(cluster: Cluster, wanted: Mapping[Key, int], *, isolation_level: int = 0) -> dict[Key, Found | KafkaError]:
    """For (topic, partition) -> timestamp or one of the names above: what each leader says, or its error."""
    Topic = ListOffsetsRequest.Topic

    async def ask(leader: Connection, topics: Mapping[str, Sequence[int]]) -> dict[Key, Found | KafkaError]:
        asked = [
            Topic(name=name, partitions=[Topic.Partition(partition_index=number, timestamp=wanted[(name, number)]) for number in numbers])
            for name, numbers in topics.items()
        ]
        request = ListOffsetsRequest(replica_id=-1, isolation_level=isolation_level, topics=asked, timeout_ms=cluster.settings.request_timeout_ms)
        reply: ListOffsetsResponse = await leader.call(request)
        return {
            (topic.name, p.partition_index): KafkaError(error_of(p.error_code)) if p.error_code else Found(p.offset, p.timestamp, p.leader_epoch)
            for topic in reply.topics
            for p in topic.partitions
        }

    return await ask_leaders(cluster, "listOffsets", wanted, ask, once_more=_ONCE_MORE, missing_may_come=True)


class EpochEnd(NamedTuple):
    """The last epoch up to the one that was asked for, and the offset behind its last record; both -1 where the log has nothing of it."""

    leader_epoch: int
    offset: int


async def epoch_ends(cluster: Cluster, wanted: Mapping[Key, int]) -> dict[Key, EpochEnd | KafkaError]:
    """For (topic, partition) -> leader epoch: where it ends in the leader's log, or the leader's error (KIP-320)."""
    Topic = OffsetForLeaderEpochRequest.OffsetForLeaderTopic

    async def ask(leader: Connection, topics: Mapping[str, Sequence[int]]) -> dict[Key, EpochEnd | KafkaError]:
        asked = [
            Topic(
                topic=name,
                partitions=[
                    Topic.OffsetForLeaderPartition(
                        partition=number, current_leader_epoch=cluster.leader_epoch(name, number), leader_epoch=wanted[(name, number)]
                    )
                    for number in numbers
                ],
            )
            for name, numbers in topics.items()
        ]
        reply: OffsetForLeaderEpochResponse = await leader.call(OffsetForLeaderEpochRequest(replica_id=-1, topics=asked))
        return {
            (topic.topic, p.partition): KafkaError(error_of(p.error_code)) if p.error_code else EpochEnd(p.leader_epoch, p.end_offset)
            for topic in reply.topics
            for p in topic.partitions
        }

    return await ask_leaders(cluster, "offsetsForLeaderEpoch", wanted, ask, once_more=_ONCE_MORE)
