"""Streams groups: the topology, and which member works on which of its tasks (KIP-1071). Their offsets are committed as consumers' are: `groups.committed`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import check
from barnabas.wire.messages.streams_group_describe import StreamsGroupDescribeRequest

from .group_descriptions import state_of
from .groups import ask_coordinator

if TYPE_CHECKING:
    from barnabas.client.cluster import Broker, Cluster
    from barnabas.wire.messages.streams_group_describe import StreamsGroupDescribeResponse

Tasks = tuple[tuple[str, int], ...]
"""Of a subtopology, by its id, and a partition."""


class Topic(NamedTuple):
    """A topic that the topology owns."""

    name: str
    partitions: int
    replication_factor: int
    configs: dict[str, str]


class Subtopology(NamedTuple):
    subtopology_id: str
    sources: tuple[str, ...]
    repartition_sinks: tuple[str, ...]
    changelogs: tuple[Topic, ...]
    repartition_sources: tuple[Topic, ...]


class Assignment(NamedTuple):
    active: Tasks
    standby: Tasks
    warmup: Tasks


class Member(NamedTuple):
    """`offsets` and `end_offsets`: of each task how far its state is, and where its changelog ends."""

    member_id: str
    client_id: str
    host: str
    instance_id: str | None
    rack: str | None
    epoch: int
    topology_epoch: int
    process_id: str
    endpoint: tuple[str, int] | None
    tags: dict[str, str]
    offsets: dict[tuple[str, int], int]
    end_offsets: dict[tuple[str, int], int]
    assignment: Assignment
    target: Assignment
    is_classic: bool


class Description(NamedTuple):
    """`topology_epoch` and `subtopologies` are None while the group has no topology."""

    group_id: str
    state: str
    coordinator: Broker
    members: list[Member]
    epoch: int
    assignment_epoch: int
    topology_epoch: int | None
    subtopologies: tuple[Subtopology, ...] | None


async def describe(cluster: Cluster, group_id: str) -> Description:
    """Raises the group's error."""
    request = StreamsGroupDescribeRequest(group_ids=[group_id], include_authorized_operations=False)

    def take(reply: StreamsGroupDescribeResponse, coordinator: Broker) -> Description:
        group = reply.groups[0]
        check(group.error_code, group.error_message)
        topology = group.topology
        parts = None if topology is None or topology.subtopologies is None else tuple(map(_subtopology, topology.subtopologies))
        return Description(
            group_id,
            state_of(group.group_state),
            coordinator,
            [_member(member) for member in group.members],
            group.group_epoch,
            group.assignment_epoch,
            None if topology is None else topology.epoch,
            parts,
        )

    return await ask_coordinator(cluster, group_id, request, take, call="describeStreamsGroups")


def _subtopology(part: StreamsGroupDescribeResponse.DescribedGroup.Topology.Subtopology) -> Subtopology:
    return Subtopology(
        part.subtopology_id,
        tuple(part.source_topics),
        tuple(part.repartition_sink_topics),
        tuple(map(_topic, part.state_changelog_topics)),
        tuple(map(_topic, part.repartition_source_topics)),
    )


def _topic(topic: StreamsGroupDescribeResponse.TopicInfo) -> Topic:
    return Topic(topic.name, topic.partitions, topic.replication_factor, {config.key: config.value for config in topic.topic_configs})


def _member(m: StreamsGroupDescribeResponse.DescribedGroup.Member) -> Member:
    return Member(
        m.member_id,
        m.client_id,
        m.client_host,
        m.instance_id,
        m.rack_id,
        m.member_epoch,
        m.topology_epoch,
        m.process_id,
        None if m.user_endpoint is None else (m.user_endpoint.host, m.user_endpoint.port),
        {tag.key: tag.value for tag in m.client_tags},
        {(each.subtopology_id, each.partition): each.offset for each in m.task_offsets},
        {(each.subtopology_id, each.partition): each.offset for each in m.task_end_offsets},
        _assignment(m.assignment),
        _assignment(m.target_assignment),
        m.is_classic,
    )


def _assignment(given: StreamsGroupDescribeResponse.Assignment) -> Assignment:
    return Assignment(_tasks(given.active_tasks), _tasks(given.standby_tasks), _tasks(given.warmup_tasks))


def _tasks(given: list[StreamsGroupDescribeResponse.TaskIds]) -> Tasks:
    return tuple((each.subtopology_id, partition) for each in given for partition in each.partitions)
