"""Groups: find their coordinators, list, delete; the offsets that they committed. What describes them is `group_descriptions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from barnabas.client.errors import KafkaError, check, error_of
from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_groups import DeleteGroupsRequest
from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest
from barnabas.wire.messages.leave_group import LeaveGroupRequest
from barnabas.wire.messages.list_groups import ListGroupsRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_delete import OffsetDeleteRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from barnabas.client.cluster import Broker, Cluster
    from barnabas.client.connection import Connection
    from barnabas.wire.schema import Message

T = TypeVar("T")
GROUP = 0
TRANSACTION = 1
SHARE = 2
MAX_NAMES_VERSION = 9  # above it, offsets are committed and fetched by topic id
_COORDINATOR_BUSY = (Error.COORDINATOR_LOAD_IN_PROGRESS, Error.COORDINATOR_NOT_AVAILABLE, Error.NOT_COORDINATOR, Error.REBALANCE_IN_PROGRESS)


class GroupListing(NamedTuple):
    group_id: str
    protocol_type: str
    state: str
    type: str


class Committed(NamedTuple):
    offset: int
    leader_epoch: int
    metadata: str


async def coordinator(cluster: Cluster, key: str, key_type: int = GROUP, *, call: str = "findCoordinator") -> int:
    """The node that keeps this group (or transactional id, or share partition). Retries while it isn't available; `call` is named if it never is."""
    return (await coordinators(cluster, [key], key_type, call=call))[key]


async def coordinators(cluster: Cluster, keys: Sequence[str], key_type: int = GROUP, *, call: str = "findCoordinator") -> dict[str, int]:
    """The node that keeps each of these groups: one question for all where the cluster takes it."""

    async def attempt() -> dict[str, int]:
        connection = await cluster.any_connection()
        found: dict[str, int] = {}
        if connection.version_of(FindCoordinatorRequest) >= 4:
            reply = await connection.call(FindCoordinatorRequest(key_type=key_type, coordinator_keys=list(keys)))
            for answer in reply.coordinators:
                check(answer.error_code, answer.error_message)
                found[answer.key] = answer.node_id
        else:
            for key in keys:
                reply = await connection.call(FindCoordinatorRequest(key=key, key_type=key_type))
                check(reply.error_code, reply.error_message)
                found[key] = reply.node_id
        if not cluster.brokers.keys() >= set(found.values()):
            await cluster.refresh([])
        return found

    return await cluster.retrying(call, attempt)


async def ask_coordinator(
    cluster: Cluster, group_id: str, request: Message, take: Callable[[Any, Broker], T], *, call: str, key_type: int = GROUP
) -> T:
    """What `take` makes of the answer of the node that keeps the group, which it is given too; its retriable errors are tried again."""

    async def attempt() -> T:
        node_id = await coordinator(cluster, group_id, key_type, call=f"{call}(api=FIND_COORDINATOR)")
        connection = await cluster.connection(node_id)
        return take(await connection.call(request), cluster.brokers[node_id])

    return await cluster.retrying(call, attempt)


async def names(cluster: Cluster, *, states: Iterable[str] = (), types: Iterable[str] = ()) -> list[GroupListing]:
    """Every group in one of these states and of one of these types (none: any), asked of every broker."""
    await cluster.refresh([])
    found = []
    for node_id in cluster.brokers:
        reply = await cluster.call(ListGroupsRequest(states_filter=list(states), types_filter=list(types)), name="listGroups", node_id=node_id)
        check(reply.error_code)
        found += [GroupListing(group.group_id, group.protocol_type, group.group_state, group.group_type) for group in reply.groups]
    return found


async def delete(cluster: Cluster, group_ids: Sequence[str]) -> dict[str, KafkaError | None]:
    """Deletes groups; the outcome of each."""
    call = "deleteConsumerGroups"
    outcomes: dict[str, KafkaError | None] = {}

    async def attempt() -> None:
        left = [group_id for group_id in group_ids if group_id not in outcomes or (outcomes[group_id] or KafkaError(Error.NONE)).retriable]
        for node_id, listed in by_node(await coordinators(cluster, left, call=f"{call}(api=FIND_COORDINATOR)")).items():
            connection = await cluster.connection(node_id)
            reply = await connection.call(DeleteGroupsRequest(groups_names=listed))
            for result in reply.results:
                outcomes[result.group_id] = KafkaError(error_of(result.error_code)) if result.error_code else None
        again = next((failure for failure in outcomes.values() if failure is not None and failure.retriable), None)
        if again is not None:
            raise again

    try:
        await cluster.retrying(call, attempt)
    except KafkaError as failure:
        for group_id in group_ids:
            outcomes.setdefault(group_id, failure)
    return outcomes


async def remove_members(
    cluster: Cluster, group_id: str, members: Iterable[str] = (), instances: Iterable[str] = (), *, reason: str = "removed by an administrator"
) -> dict[str, KafkaError | None]:
    """Members of a classic group leave it, by member id or static members' instance id; the outcome of each. Raises the group's error."""
    Identity = LeaveGroupRequest.MemberIdentity
    leaving = [Identity(member_id=member, reason=reason) for member in members]
    leaving += [Identity(member_id="", group_instance_id=instance, reason=reason) for instance in instances]

    async def attempt() -> dict[str, KafkaError | None]:
        connection = await cluster.connection(await coordinator(cluster, group_id, call="leaveGroup(api=FIND_COORDINATOR)"))
        reply = await connection.call(LeaveGroupRequest(group_id=group_id, members=leaving))
        check(reply.error_code)
        return {
            left.group_instance_id or left.member_id: KafkaError(error_of(left.error_code)) if left.error_code else None for left in reply.members
        }

    return await cluster.retrying("leaveGroup", attempt)


def by_node(nodes: Mapping[str, int]) -> dict[int, list[str]]:
    """Node -> what it keeps."""
    listed: dict[int, list[str]] = {}
    for key, node_id in nodes.items():
        listed.setdefault(node_id, []).append(key)
    return listed


async def delete_offsets(cluster: Cluster, group_id: str, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], KafkaError | None]:
    """Forgets what the group committed of these partitions; the outcome of each. Raises the group's error."""
    Topic = OffsetDeleteRequest.Topic
    topics: dict[str, list[OffsetDeleteRequest.Topic.Partition]] = {}
    for topic, partition in partitions:
        topics.setdefault(topic, []).append(Topic.Partition(partition_index=partition))
    request = OffsetDeleteRequest(group_id=group_id, topics=[Topic(name=name, partitions=listed) for name, listed in topics.items()])

    async def attempt() -> dict[tuple[str, int], KafkaError | None]:
        connection = await cluster.connection(await coordinator(cluster, group_id, call="deleteConsumerGroupOffsets(api=FIND_COORDINATOR)"))
        reply = await connection.call(request)
        check(reply.error_code)
        return {(t.name, p.partition_index): KafkaError(error_of(p.error_code)) if p.error_code else None for t in reply.topics for p in t.partitions}

    return await cluster.retrying("deleteConsumerGroupOffsets", attempt)


async def committed(
    cluster: Cluster, group_id: str, partitions: Mapping[str, Iterable[int]] | None = None, *, stable: bool = False
) -> dict[tuple[str, int], Committed]:
    """What the group committed, of these partitions or of all; partitions without a commit are left out."""

    async def attempt() -> dict[tuple[str, int], Committed]:
        connection = await cluster.connection(await coordinator(cluster, group_id, call="listConsumerGroupOffsets(api=FIND_COORDINATOR)"))
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
    answers = await _commit(connection, _commit_request(group_id, offsets, generation, member_id, instance_id))
    for code in answers.values():
        check(code)


async def alter_offsets(cluster: Cluster, group_id: str, offsets: Mapping[tuple[str, int], Committed]) -> dict[tuple[str, int], KafkaError | None]:
    """Commits for a group without members; the outcome of each partition."""
    request = _commit_request(group_id, offsets)

    async def attempt() -> dict[tuple[str, int], int]:
        connection = await cluster.connection(await coordinator(cluster, group_id, call="offsetCommit(api=FIND_COORDINATOR)"))
        answers = await _commit(connection, request)
        for code in answers.values():
            if code in _COORDINATOR_BUSY:
                check(code)
        return answers

    answers = await cluster.retrying("offsetCommit", attempt)
    return {key: KafkaError(error_of(code)) if code else None for key, code in answers.items()}


def _commit_request(
    group_id: str,
    offsets: Mapping[tuple[str, int], Committed],
    generation: int = -1,
    member_id: str = "",
    instance_id: str | None = None,
) -> OffsetCommitRequest:
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
    return OffsetCommitRequest(
        group_id=group_id,
        generation_id_or_member_epoch=generation,
        member_id=member_id,
        group_instance_id=instance_id,
        topics=[OffsetCommitRequest.Topic(name=name, partitions=partitions) for name, partitions in topics.items()],
    )


async def _commit(connection: Connection, request: OffsetCommitRequest) -> dict[tuple[str, int], int]:
    """(topic, partition) -> error code."""
    reply = await connection.call(request, version=min(connection.version_of(OffsetCommitRequest), MAX_NAMES_VERSION))
    return {(t.name, p.partition_index): p.error_code for t in reply.topics for p in t.partitions}
