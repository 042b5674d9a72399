"""Moves of replicas from brokers to brokers: start, change, cancel, and what is under way (KIP-455, KIP-860)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import KafkaError, check, error_of
from barnabas.wire.errors import Error
from barnabas.wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from barnabas.wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsResponse

Key = tuple[str, int]


class Reassignment(NamedTuple):
    replicas: tuple[int, ...]
    adding: tuple[int, ...]
    removing: tuple[int, ...]


async def find(cluster: Cluster, partitions: Mapping[str, Sequence[int]] | None = None) -> dict[Key, Reassignment]:
    """Replicas on their way, of these partitions or of all."""
    Topics = ListPartitionReassignmentsRequest.Topics
    wanted = None if partitions is None else [Topics(name=name, partition_indexes=list(indexes)) for name, indexes in partitions.items()]
    request = ListPartitionReassignmentsRequest(timeout_ms=cluster.settings.request_timeout_ms, topics=wanted)
    reply = await cluster.call_controller(request, name="listPartitionReassignments", retry_on=lambda r: r.error_code == Error.NOT_CONTROLLER)
    check(reply.error_code, reply.error_message)
    return {
        (topic.name, p.partition_index): Reassignment(tuple(p.replicas), tuple(p.adding_replicas), tuple(p.removing_replicas))
        for topic in reply.topics
        for p in topic.partitions
    }


async def alter(
    cluster: Cluster, targets: Mapping[Key, Sequence[int] | None], *, allow_replication_factor_change: bool = True
) -> dict[Key, KafkaError | None]:
    """Moves each partition to these brokers, the preferred leader first; None cancels its move. The outcome of each. Raises the call's error."""
    Topic = AlterPartitionReassignmentsRequest.ReassignableTopic
    topics: dict[str, list[AlterPartitionReassignmentsRequest.ReassignableTopic.ReassignablePartition]] = {}
    for (topic, partition), replicas in targets.items():
        moved = Topic.ReassignablePartition(partition_index=partition, replicas=None if replicas is None else list(replicas))
        topics.setdefault(topic, []).append(moved)
    request = AlterPartitionReassignmentsRequest(
        timeout_ms=cluster.settings.request_timeout_ms,
        allow_replication_factor_change=allow_replication_factor_change,
        topics=[Topic(name=name, partitions=partitions) for name, partitions in topics.items()],
    )
    reply: AlterPartitionReassignmentsResponse = await cluster.call_controller(
        request, name="alterPartitionReassignments", retry_on=lambda r: r.error_code == Error.NOT_CONTROLLER
    )
    check(reply.error_code, reply.error_message)
    return {
        (topic.name, p.partition_index): KafkaError(error_of(p.error_code), p.error_message) if p.error_code else None
        for topic in reply.responses
        for p in topic.partitions
    }
