"""Offsets by time or place (ListOffsets). KIP-79, 405, 734, 1005, 1023."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import KafkaError, error_of
from barnabas.wire.errors import Error
from barnabas.wire.messages.list_offsets import ListOffsetsRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.list_offsets import ListOffsetsResponse

LATEST = -1
EARLIEST = -2
MAX_TIMESTAMP = -3
EARLIEST_LOCAL = -4
LATEST_TIERED = -5
EARLIEST_PENDING_UPLOAD = -6
UNKNOWN_OFFSET = -1
_LEADER_MOVED = (Error.NOT_LEADER_OR_FOLLOWER, Error.LEADER_NOT_AVAILABLE, Error.UNKNOWN_TOPIC_OR_PARTITION, Error.REPLICA_NOT_AVAILABLE)
_ONCE_MORE = (*_LEADER_MOVED, Error.OFFSET_NOT_AVAILABLE, Error.KAFKA_STORAGE_ERROR, Error.FENCED_LEADER_EPOCH, Error.UNKNOWN_LEADER_EPOCH)


class Found(NamedTuple):
    """`offset` is -1 where nothing matches."""

    offset: int
    timestamp_ms: int
    leader_epoch: int


async def find(cluster: Cluster, wanted: Mapping[tuple[str, int], int], *, isolation_level: int = 0) -> dict[tuple[str, int], Found | KafkaError]:
    """For (topic, partition) -> timestamp or one of the names above: what each leader says, or its error."""
    found: dict[tuple[str, int], Found | KafkaError] = {}

    async def attempt() -> None:
        left = {key: timestamp for key, timestamp in wanted.items() if not isinstance(found.get(key), Found)}
        failure = await _ask_leaders(cluster, left, isolation_level, found)
        if failure is not None:
            raise failure

    try:
        await cluster.retrying("listOffsets", attempt)
    except KafkaError as error:
        for key in wanted:
            found.setdefault(key, error)
    return found


async def _ask_leaders(
    cluster: Cluster, wanted: Mapping[tuple[str, int], int], isolation_level: int, found: dict[tuple[str, int], Found | KafkaError]
) -> KafkaError | None:
    """One request to each leader. Fills `found`; the failure returned, if any, is worth another attempt."""
    unknown = {topic for topic, _ in wanted if topic not in cluster.topics}
    if unknown:
        await cluster.refresh(unknown)
    by_leader: dict[int, dict[str, list[tuple[int, int]]]] = {}
    for (topic, partition), timestamp in wanted.items():
        by_leader.setdefault(await cluster.leader(topic, partition), {}).setdefault(topic, []).append((partition, timestamp))
    again: KafkaError | None = None
    for leader, topics in by_leader.items():
        reply = await _ask(cluster, leader, topics, isolation_level)
        for t in reply.topics:
            for p in t.partitions:
                key = (t.name, p.partition_index)
                if not p.error_code:
                    found[key] = Found(p.offset, p.timestamp, p.leader_epoch)
                    continue
                failure = KafkaError(error_of(p.error_code))
                found[key] = failure
                if failure.error in _LEADER_MOVED:
                    cluster.forget_leader(t.name)
                if failure.error in _ONCE_MORE:
                    again = failure
    return again


async def _ask(cluster: Cluster, leader: int, topics: Mapping[str, Sequence[tuple[int, int]]], isolation_level: int) -> ListOffsetsResponse:
    Topic = ListOffsetsRequest.Topic
    request = ListOffsetsRequest(
        replica_id=-1,
        isolation_level=isolation_level,
        topics=[
            Topic(name=name, partitions=[Topic.Partition(partition_index=partition, timestamp=timestamp) for partition, timestamp in partitions])
            for name, partitions in topics.items()
        ],
        timeout_ms=cluster.settings.request_timeout_ms,
    )
    connection = await cluster.connection(leader)
    reply: ListOffsetsResponse = await connection.call(request)
    return reply
