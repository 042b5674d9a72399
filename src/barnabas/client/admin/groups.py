"""Groups: find their coordinator, list, describe, delete; the offsets that they committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import KafkaError, check, error_of
from barnabas.wire.messages.delete_groups import DeleteGroupsRequest
from barnabas.wire.messages.describe_groups import DescribeGroupsRequest
from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest
from barnabas.wire.messages.list_groups import ListGroupsRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from barnabas.client.cluster import Cluster
    from barnabas.client.connection import Connection
    from barnabas.wire.messages.describe_groups import DescribeGroupsResponse

GROUP = 0
TRANSACTION = 1
SHARE = 2
MAX_NAMES_VERSION = 9  # above it, offsets are committed and fetched by topic id


class GroupListing(NamedTuple):
    group_id: str
    protocol_type: str
    state: str
    type: str


class Committed(NamedTuple):
    offset: int
    leader_epoch: int
    metadata: str


async def coordinator(cluster: Cluster, key: str, key_type: int = GROUP) -> int:
    """The node that keeps this group (or transactional id, or share partition). Retries while it isn't available."""

    async def attempt() -> int:
        connection = await cluster.any_connection()
        batched = connection.version_of(FindCoordinatorRequest) >= 4
        request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key]) if batched else FindCoordinatorRequest(key=key, key_type=key_type)
        reply = await connection.call(request)
        answer = reply.coordinators[0] if batched else reply
        check(answer.error_code, answer.error_message)
        node_id = int(answer.node_id)
        if node_id not in cluster.brokers:
            await cluster.refresh([])
        return node_id

    return await cluster.retrying("findCoordinator", attempt)


async def names(cluster: Cluster, *, states: Iterable[str] = (), types: Iterable[str] = ()) -> list[GroupListing]:
    """Every group, asked of every broker."""
    await cluster.refresh([])
    found = []
    for node_id in cluster.brokers:
        reply = await cluster.call(ListGroupsRequest(states_filter=list(states), types_filter=list(types)), name="listGroups", node_id=node_id)
        check(reply.error_code)
        found += [GroupListing(group.group_id, group.protocol_type, group.group_state, group.group_type) for group in reply.groups]
    return found


async def describe_classic(cluster: Cluster, group_id: str) -> DescribeGroupsResponse.DescribedGroup:
    """A classic group as its coordinator has it. Raises its error."""

    async def attempt() -> DescribeGroupsResponse.DescribedGroup:
        connection = await cluster.connection(await coordinator(cluster, group_id))
        reply: DescribeGroupsResponse = await connection.call(DescribeGroupsRequest(groups=[group_id]))
        group = reply.groups[0]
        check(group.error_code, group.error_message)
        return group

    return await cluster.retrying("describeGroups", attempt)


async def delete(cluster: Cluster, group_id: str) -> None:
    async def attempt() -> None:
        connection = await cluster.connection(await coordinator(cluster, group_id))
        reply = await connection.call(DeleteGroupsRequest(groups_names=[group_id]))
        for result in reply.results:
            check(result.error_code)

    await cluster.retrying("deleteConsumerGroups", attempt)


async def committed(
    cluster: Cluster, group_id: str, partitions: Mapping[str, Iterable[int]] | None = None, *, stable: bool = False
) -> dict[tuple[str, int], Committed]:
    """What the group committed, of these partitions or of all; partitions without a commit are left out."""

    async def attempt() -> dict[tuple[str, int], Committed]:
        connection = await cluster.connection(await coordinator(cluster, group_id))
        return await fetch_committed(connection, group_id, partitions, stable=stable)

    return await cluster.retrying("listConsumerGroupOffsets", attempt)


async def fetch_committed(
    connection: Connection,
    group_id: str,
    partitions: Mapping[str, Iterable[int]] | None,
    *,
    stable: bool = False,
    member_id: str | None = None,
    member_epoch: int = -1,
) -> dict[tuple[str, int], Committed]:
    """`committed`, asked of a coordinator once."""
    version = min(connection.version_of(OffsetFetchRequest), MAX_NAMES_VERSION)
    if version >= 8:
        Topics = OffsetFetchRequest.Group.Topics
        wanted = None if partitions is None else [Topics(name=name, partition_indexes=list(indexes)) for name, indexes in partitions.items()]
        group = OffsetFetchRequest.Group(group_id=group_id, member_id=member_id, member_epoch=member_epoch, topics=wanted)
        answer = (await connection.call(OffsetFetchRequest(groups=[group], require_stable=stable), version=version)).groups[0]
    else:
        Topic = OffsetFetchRequest.Topic
        listed = None if partitions is None else [Topic(name=name, partition_indexes=list(indexes)) for name, indexes in partitions.items()]
        answer = await connection.call(OffsetFetchRequest(group_id=group_id, topics=listed, require_stable=stable and version >= 7), version=version)
    check(answer.error_code)
    found = {}
    for topic in answer.topics:
        for p in topic.partitions:
            if p.error_code:
                raise KafkaError(error_of(p.error_code))
            if p.committed_offset >= 0:
                found[(topic.name, p.partition_index)] = Committed(p.committed_offset, p.committed_leader_epoch, p.metadata or "")
    return found


async def commit(
    connection: Connection,
    group_id: str,
    offsets: Mapping[tuple[str, int], Committed],
    *,
    generation: int = -1,
    member_id: str = "",
    instance_id: str | None = None,
) -> None:
    """Commits to a coordinator once. Raises the first partition's error."""
    topics: dict[str, list[OffsetCommitRequest.Topic.Partition]] = {}
    for (topic, partition), offset in offsets.items():
        topics.setdefault(topic, []).append(
            OffsetCommitRequest.Topic.Partition(
                partition_index=partition,
                committed_offset=offset.offset,
                committed_leader_epoch=offset.leader_epoch,
                committed_metadata=offset.metadata,
            )
        )
    request = OffsetCommitRequest(
        group_id=group_id,
        generation_id_or_member_epoch=generation,
        member_id=member_id,
        group_instance_id=instance_id,
        topics=[OffsetCommitRequest.Topic(name=name, partitions=partitions) for name, partitions in topics.items()],
    )
    reply = await connection.call(request, version=min(connection.version_of(OffsetCommitRequest), MAX_NAMES_VERSION))
    for t in reply.topics:
        for p in t.partitions:
            check(p.error_code)
