"""Membership of a streams group, whose coordinator knows the topology and shares out its tasks (KIP-1071).

Owns: what a member says and when. Doesn't own what a task does; its offsets are committed by `commit`, as any member's.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.wire.messages.streams_group_heartbeat import StreamsGroupHeartbeatRequest

from .admin.streams_groups import Assignment
from .group import Place
from .heartbeats import JOINING, LEAVING, LEAVING_FOR_A_WHILE, Heartbeats

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .admin.streams_groups import Subtopology, Tasks, Topic
    from .cluster import Cluster

_Request = StreamsGroupHeartbeatRequest
_Subtopology = _Request.Topology.Subtopology
NOTHING = Assignment((), (), ())


class Status(IntEnum):
    """What keeps a group from working, as the coordinator says it."""

    STALE_TOPOLOGY = 0
    MISSING_SOURCE_TOPICS = 1
    INCORRECTLY_PARTITIONED_TOPICS = 2
    MISSING_INTERNAL_TOPICS = 3
    SHUTDOWN_APPLICATION = 4
    ASSIGNMENT_DELAYED = 5


class Topology(NamedTuple):
    """The same for all members; `epoch` tells one from the next. `copartitioned`: by subtopology, groups of its source topics that have as many partitions."""

    epoch: int
    subtopologies: tuple[Subtopology, ...]
    copartitioned: Mapping[str, Sequence[Sequence[str]]] = {}


class StreamsGroupSettings(NamedTuple):
    """Kafka Streams' settings of these names; `process_id` is the same for the members of a process, `endpoint` where others may ask it."""

    group_id: str
    process_id: str
    instance_id: str | None = None
    rack_id: str | None = None
    max_poll_interval_ms: int = 300_000
    endpoint: tuple[str, int] | None = None
    client_tags: Mapping[str, str] = {}


class StreamsGroupMember(Place):
    """One member. `beat` often; whenever `target` isn't `tasks`, give up what is missing in it, take over the rest, and say `own`."""

    def __init__(self, cluster: Cluster, settings: StreamsGroupSettings, topology: Topology) -> None:
        super().__init__(cluster, settings.group_id, settings.instance_id)
        self._settings = settings
        self._topology = topology
        self._heartbeats = Heartbeats(self, cluster.settings.retry_backoff_ms)
        self._endpoints_epoch = -1
        self._told: Assignment | None = None
        self._shutting_down = False
        self.target = self.tasks = NOTHING
        self.statuses: dict[Status, str] = {}
        """What the coordinator had to say last, with its words."""
        self.endpoints: dict[tuple[str, int], list[tuple[str, int]]] = {}
        """Of members that can be asked: the partitions that they have the state of, actively or standing by."""

    async def beat(self) -> None:
        """A heartbeat if one is due, or there is something to say. Raises KafkaError when it may not be a member."""
        reply = await self._heartbeats.beat(self._request)
        if self.generation == JOINING:
            self.target, self._told = NOTHING, None
        if reply is None:
            return
        if reply.active_tasks is not None:
            self.target = Assignment(_tasks(reply.active_tasks), _tasks(reply.standby_tasks or ()), _tasks(reply.warmup_tasks or ()))
        self.statuses = {Status(status.status_code): status.status_detail for status in reply.status or () if status.status_code in list(Status)}
        if reply.partitions_by_user_endpoint is not None:
            self.endpoints = {
                (each.user_endpoint.host, each.user_endpoint.port): [
                    (held.topic, partition) for held in (*each.active_partitions, *each.standby_partitions) for partition in held.partitions
                ]
                for each in reply.partitions_by_user_endpoint
            }
        self._endpoints_epoch = reply.endpoint_information_epoch

    def own(self, tasks: Assignment) -> None:
        """What it works on from now on; the coordinator is told with the next heartbeat, which is due."""
        self.tasks = tasks
        self._heartbeats.hurry()

    def shut_down(self) -> None:
        """Asks all members to end: each finds SHUTDOWN_APPLICATION among its statuses."""
        self._shutting_down = True
        self._heartbeats.hurry()

    async def leave(self) -> None:
        """A static member keeps its tasks for the length of a session."""
        epoch = LEAVING if self._settings.instance_id is None else LEAVING_FOR_A_WHILE
        await self._heartbeats.leave(self._base(epoch))

    def _base(self, epoch: int) -> StreamsGroupHeartbeatRequest:
        settings = self._settings
        return _Request(
            group_id=settings.group_id,
            member_id=self.member_id,
            member_epoch=epoch,
            endpoint_information_epoch=self._endpoints_epoch,
            instance_id=settings.instance_id,
            topology=None,
            user_endpoint=None,
            shutdown_application=self._shutting_down,
        )

    def _request(self, everything: bool) -> StreamsGroupHeartbeatRequest:
        settings, request = self._settings, self._base(self.generation)
        owned = NOTHING if self.generation == JOINING else self.tasks
        if self.generation == JOINING:
            request.topology = _topology(self._topology)
        if everything:
            request.rack_id, request.process_id = settings.rack_id, settings.process_id
            request.rebalance_timeout_ms = settings.max_poll_interval_ms
            request.client_tags = [_Request.KeyValue(key=key, value=value) for key, value in settings.client_tags.items()]
            if settings.endpoint is not None:
                request.user_endpoint = _Request.Endpoint(host=settings.endpoint[0], port=settings.endpoint[1])
        if everything or self._told != owned:
            request.active_tasks, request.standby_tasks, request.warmup_tasks = (_task_ids(tasks) for tasks in owned)
        self._told = owned
        return request


def _tasks(listed: Iterable[Any]) -> Tasks:
    return tuple(sorted((each.subtopology_id, partition) for each in listed for partition in each.partitions))


def _task_ids(tasks: Tasks) -> list[_Request.TaskIds]:
    found: dict[str, list[int]] = {}
    for subtopology, partition in tasks:
        found.setdefault(subtopology, []).append(partition)
    return [_Request.TaskIds(subtopology_id=subtopology, partitions=partitions) for subtopology, partitions in found.items()]


def _topic(topic: Topic) -> _Request.TopicInfo:
    configs = [_Request.KeyValue(key=key, value=value) for key, value in sorted(topic.configs.items())]
    return _Request.TopicInfo(name=topic.name, partitions=topic.partitions, replication_factor=topic.replication_factor, topic_configs=configs)


def _topology(topology: Topology) -> _Request.Topology:
    def encoded(part: Subtopology) -> _Subtopology:
        sources, repartitioned = sorted(part.sources), sorted(part.repartition_sources)
        names = [topic.name for topic in repartitioned]
        return _Subtopology(
            subtopology_id=part.subtopology_id,
            source_topics=sources,
            source_topic_regex=[],
            state_changelog_topics=[_topic(topic) for topic in sorted(part.changelogs)],
            repartition_sink_topics=sorted(part.repartition_sinks),
            repartition_source_topics=[_topic(topic) for topic in repartitioned],
            copartition_groups=[
                _Subtopology.CopartitionGroup(
                    source_topics=[sources.index(name) for name in group if name in sources],
                    source_topic_regex=[],
                    repartition_source_topics=[names.index(name) for name in group if name in names],
                )
                for group in topology.copartitioned.get(part.subtopology_id, ())
            ],
        )

    return _Request.Topology(epoch=topology.epoch, subtopologies=[encoded(part) for part in sorted(topology.subtopologies)])
