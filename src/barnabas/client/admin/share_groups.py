"""Share groups: members and what each reads from, start offsets and moving them (KIP-932). Listing and deleting is `groups`, as for all groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.client.errors import KafkaError, check, error_of
from barnabas.wire.messages.alter_share_group_offsets import AlterShareGroupOffsetsRequest
from barnabas.wire.messages.delete_share_group_offsets import DeleteShareGroupOffsetsRequest
from barnabas.wire.messages.describe_share_group_offsets import DescribeShareGroupOffsetsRequest
from barnabas.wire.messages.share_group_describe import ShareGroupDescribeRequest

from .group_descriptions import Partitions, state_of
from .groups import ask_coordinator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from barnabas.client.cluster import Broker, Cluster
    from barnabas.wire.messages.share_group_describe import ShareGroupDescribeResponse

Key = tuple[str, int]


class Member(NamedTuple):
    member_id: str
    client_id: str
    host: str
    rack: str | None
    epoch: int
    topics: tuple[str, ...]
    assignment: Partitions


class Description(NamedTuple):
    group_id: str
    state: str
    assignor: str
    coordinator: Broker
    members: list[Member]
    epoch: int
    assignment_epoch: int


class Start(NamedTuple):
    """Where the group begins in a partition. `lag`: records that it hasn't done with; None where the cluster doesn't say."""

    offset: int
    leader_epoch: int
    lag: int | None


async def describe(cluster: Cluster, group_id: str) -> Description:
    """Raises the group's error."""
    request = ShareGroupDescribeRequest(group_ids=[group_id], include_authorized_operations=False)

    def take(reply: ShareGroupDescribeResponse, coordinator: Broker) -> Description:
        group = reply.groups[0]
        check(group.error_code, group.error_message)
        members = [
            Member(
                m.member_id,
                m.client_id,
                m.client_host,
                m.rack_id,
                m.member_epoch,
                tuple(m.subscribed_topic_names),
                tuple((topic.topic_name, index) for topic in m.assignment.topic_partitions for index in topic.partitions),
            )
            for m in group.members
        ]
        state = state_of(group.group_state)
        return Description(group_id, state, group.assignor_name, coordinator, members, group.group_epoch, group.assignment_epoch)

    return await ask_coordinator(cluster, group_id, request, take, call="describeShareGroups")


async def offsets(cluster: Cluster, group_id: str, partitions: Mapping[str, Sequence[int]] | None = None) -> dict[Key, Start | KafkaError]:
    """Of these partitions, or of all that the group has begun; each with its own error. Raises the group's."""
    Topic = DescribeShareGroupOffsetsRequest.Group.Topic
    wanted = None if partitions is None else [Topic(topic_name=name, partitions=list(indexes)) for name, indexes in partitions.items()]
    request = DescribeShareGroupOffsetsRequest(groups=[DescribeShareGroupOffsetsRequest.Group(group_id=group_id, topics=wanted)])

    def take(reply: Any, _: Broker) -> dict[Key, Start | KafkaError]:
        group = reply.groups[0]
        check(group.error_code, group.error_message)
        found: dict[Key, Start | KafkaError] = {}
        for topic in group.topics:
            for p in topic.partitions:
                failure = KafkaError(error_of(p.error_code), p.error_message) if p.error_code else None
                if failure is not None or p.start_offset >= 0:
                    found[(topic.topic_name, p.partition_index)] = failure or Start(p.start_offset, p.leader_epoch, p.lag if p.lag >= 0 else None)
        return found

    return await ask_coordinator(cluster, group_id, request, take, call="listShareGroupOffsets")


async def alter_offsets(cluster: Cluster, group_id: str, starts: Mapping[Key, int]) -> dict[Key, KafkaError | None]:
    """Lets a group without members begin at these offsets; the outcome of each. Raises the group's error."""
    Topic = AlterShareGroupOffsetsRequest.Topic
    topics: dict[str, list[AlterShareGroupOffsetsRequest.Topic.Partition]] = {}
    for (topic, partition), offset in starts.items():
        topics.setdefault(topic, []).append(Topic.Partition(partition_index=partition, start_offset=offset))
    request = AlterShareGroupOffsetsRequest(group_id=group_id, topics=[Topic(topic_name=name, partitions=listed) for name, listed in topics.items()])

    def take(reply: Any, _: Broker) -> dict[Key, KafkaError | None]:
        check(reply.error_code, reply.error_message)
        return {
            (topic.topic_name, p.partition_index): KafkaError(error_of(p.error_code), p.error_message) if p.error_code else None
            for topic in reply.responses
            for p in topic.partitions
        }

    return await ask_coordinator(cluster, group_id, request, take, call="alterShareGroupOffsets")


async def delete_offsets(cluster: Cluster, group_id: str, topics: Iterable[str]) -> dict[str, KafkaError | None]:
    """Lets a group without members forget these topics; the outcome of each. Raises the group's error."""
    request = DeleteShareGroupOffsetsRequest(group_id=group_id, topics=[DeleteShareGroupOffsetsRequest.Topic(topic_name=name) for name in topics])

    def take(reply: Any, _: Broker) -> dict[str, KafkaError | None]:
        check(reply.error_code, reply.error_message)
        return {
            topic.topic_name: KafkaError(error_of(topic.error_code), topic.error_message) if topic.error_code else None for topic in reply.responses
        }

    return await ask_coordinator(cluster, group_id, request, take, call="deleteShareGroupOffsets")
