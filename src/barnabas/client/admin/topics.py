"""Topics: list, describe, create, enlarge, delete.

Sources: KIP-599 (a throttled creation isn't tried again), KIP-966 (DescribeTopicPartitions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import KafkaError, check, error_of
from barnabas.wire.errors import Error
from barnabas.wire.messages.create_partitions import CreatePartitionsRequest
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.describe_topic_partitions import DescribeTopicPartitionsRequest
from barnabas.wire.messages.metadata import MetadataRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.create_topics import CreateTopicsResponse
    from barnabas.wire.messages.describe_topic_partitions import DescribeTopicPartitionsResponse
    from barnabas.wire.messages.metadata import MetadataResponse

MAX_PAGES = 100_000
DEFAULT = -1  # partitions or replicas by the cluster's setting


class Listing(NamedTuple):
    name: str
    topic_id: bytes
    internal: bool


class PartitionDescription(NamedTuple):
    """`leader` is -1 without one; the eligible leader replicas are None where the cluster doesn't say."""

    partition: int
    leader: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    elr: tuple[int, ...] | None
    last_known_elr: tuple[int, ...] | None


class Description(NamedTuple):
    name: str
    topic_id: bytes
    internal: bool
    partitions: list[PartitionDescription]


class NewTopic(NamedTuple):
    """Either counts or `assignments` (partition -> replicas)."""

    name: str
    partitions: int = DEFAULT
    replication_factor: int = DEFAULT
    assignments: Mapping[int, Sequence[int]] | None = None
    configs: Mapping[str, str] | None = None


async def names(cluster: Cluster, *, internal: bool = True) -> dict[str, Listing]:
    """Every topic that the client may see."""
    reply: MetadataResponse = await cluster.call(MetadataRequest(topics=None), name="listTopics")
    found = (Listing(topic.name, topic.topic_id, topic.is_internal) for topic in reply.topics if topic.name is not None and not topic.error_code)
    return {topic.name: topic for topic in found if internal or not topic.internal}


async def describe(cluster: Cluster, wanted: Iterable[str], *, partitions_per_page: int = 2000) -> dict[str, Description]:
    """These topics with every partition, page by page. Raises the first topic's error."""
    found: dict[str, Description] = {}
    names_left = sorted(set(wanted))
    cursor: DescribeTopicPartitionsRequest.Cursor | None = None
    for _ in range(MAX_PAGES):
        if not names_left:
            break
        request = DescribeTopicPartitionsRequest(
            topics=[DescribeTopicPartitionsRequest.Topic(name=name) for name in names_left],
            response_partition_limit=partitions_per_page,
            cursor=cursor,
        )
        try:
            reply: DescribeTopicPartitionsResponse = await cluster.call(request, name="describeTopicPartitions")
        except KafkaError as error:
            if error.error is not Error.UNSUPPORTED_VERSION:
                raise
            return await _describe_by_metadata(cluster, names_left)
        _collect(reply, found)
        if reply.next_cursor is None:
            break
        following = reply.next_cursor
        names_left = [name for name in names_left if name >= following.topic_name]
        cursor = DescribeTopicPartitionsRequest.Cursor(topic_name=following.topic_name, partition_index=following.partition_index)
    return found


def _collect(reply: DescribeTopicPartitionsResponse, found: dict[str, Description]) -> None:
    for topic in reply.topics:
        check(topic.error_code)
        name = topic.name or ""
        description = found.setdefault(name, Description(name, topic.topic_id, topic.is_internal, []))
        for p in topic.partitions:
            elr = None if p.eligible_leader_replicas is None else tuple(p.eligible_leader_replicas)
            known = None if p.last_known_elr is None else tuple(p.last_known_elr)
            description.partitions.append(
                PartitionDescription(p.partition_index, p.leader_id, tuple(p.replica_nodes), tuple(p.isr_nodes), elr, known)
            )


async def _describe_by_metadata(cluster: Cluster, wanted: Iterable[str]) -> dict[str, Description]:
    """As `describe`, from a cluster that lacks DescribeTopicPartitions (before 3.7)."""
    return await _by_metadata(cluster, [MetadataRequest.Topic(name=name) for name in wanted], "describeTopics")


async def describe_ids(cluster: Cluster, ids: Iterable[bytes]) -> dict[str, Description]:
    """Topics by id. Raises the first topic's error."""
    return await _by_metadata(cluster, [MetadataRequest.Topic(topic_id=topic_id, name=None) for topic_id in ids], "describeTopicsWithIds")


async def _by_metadata(cluster: Cluster, wanted: list[MetadataRequest.Topic], name: str) -> dict[str, Description]:
    reply: MetadataResponse = await cluster.call(MetadataRequest(topics=wanted, allow_auto_topic_creation=False), name=name)
    found = {}
    for topic in reply.topics:
        check(topic.error_code)
        partitions = [
            PartitionDescription(p.partition_index, p.leader_id, tuple(p.replica_nodes), tuple(p.isr_nodes), None, None) for p in topic.partitions
        ]
        found[topic.name or ""] = Description(topic.name or "", topic.topic_id, topic.is_internal, partitions)
    return found


async def create(cluster: Cluster, topics: Iterable[NewTopic], *, validate_only: bool = False) -> dict[str, KafkaError | None]:
    """Creates topics; the outcome of each."""
    request = CreateTopicsRequest(
        topics=[_creatable(topic) for topic in topics], timeout_ms=cluster.settings.request_timeout_ms, validate_only=validate_only
    )
    reply: CreateTopicsResponse = await cluster.call_controller(request, name="createTopics", retry_on=_not_controller("topics"))
    return {topic.name: _failure(topic.error_code, topic.error_message) for topic in reply.topics}


def _creatable(topic: NewTopic) -> CreateTopicsRequest.CreatableTopic:
    Creatable = CreateTopicsRequest.CreatableTopic
    configs = [Creatable.CreatableTopicConfig(name=name, value=value) for name, value in (topic.configs or {}).items()]
    if topic.assignments:
        assignments = [
            Creatable.CreatableReplicaAssignment(partition_index=partition, broker_ids=list(brokers))
            for partition, brokers in topic.assignments.items()
        ]
        return Creatable(name=topic.name, num_partitions=DEFAULT, replication_factor=DEFAULT, assignments=assignments, configs=configs)
    return Creatable(name=topic.name, num_partitions=topic.partitions, replication_factor=topic.replication_factor, assignments=[], configs=configs)


async def create_partitions(cluster: Cluster, counts: Mapping[str, tuple[int, Sequence[Sequence[int]] | None]]) -> dict[str, KafkaError | None]:
    """Enlarges topics to a count, the new partitions' replicas given or left to the cluster; the outcome of each."""
    New = CreatePartitionsRequest.Topic
    wanted = [
        New(name=name, count=count, assignments=None if replicas is None else [New.Assignment(broker_ids=list(brokers)) for brokers in replicas])
        for name, (count, replicas) in counts.items()
    ]
    request = CreatePartitionsRequest(topics=wanted, timeout_ms=cluster.settings.request_timeout_ms, validate_only=False)
    reply = await cluster.call_controller(request, name="createPartitions", retry_on=_not_controller("results"))
    return {topic.name: _failure(topic.error_code, topic.error_message) for topic in reply.results}


async def delete(cluster: Cluster, wanted: Iterable[str]) -> dict[str, KafkaError | None]:
    """Deletes topics; the outcome of each."""
    listed = list(wanted)
    request = DeleteTopicsRequest(
        topics=[DeleteTopicsRequest.DeleteTopicState(name=name) for name in listed],
        topic_names=listed,
        timeout_ms=cluster.settings.request_timeout_ms,
    )
    reply = await cluster.call_controller(request, name="deleteTopics", retry_on=_not_controller("responses"))
    return {topic.name or "": _failure(topic.error_code, topic.error_message) for topic in reply.responses}


async def delete_ids(cluster: Cluster, ids: Iterable[bytes]) -> dict[bytes, KafkaError | None]:
    """As `delete`, by topics' ids."""
    request = DeleteTopicsRequest(
        topics=[DeleteTopicsRequest.DeleteTopicState(name=None, topic_id=topic_id) for topic_id in ids],
        timeout_ms=cluster.settings.request_timeout_ms,
    )
    reply = await cluster.call_controller(request, name="deleteTopics", retry_on=_not_controller("responses"))
    return {topic.topic_id: _failure(topic.error_code, topic.error_message) for topic in reply.responses}


def _failure(code: int, message: str | None) -> KafkaError | None:
    return KafkaError(error_of(code), message) if code else None


def _not_controller(results: str) -> Callable[[object], bool]:
    return lambda reply: any(result.error_code == Error.NOT_CONTROLLER for result in getattr(reply, results))
