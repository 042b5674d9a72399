"""AlterPartitionReassignments (45) and ListPartitionReassignments (46): moving replicas from brokers to brokers (C56, C57).

The move itself ends in `partition_change`, with the ISR change that makes it possible. Source: Apache's `ReplicationControlManager`,
`PartitionReassignmentReplicas`, `PartitionReassignmentRevert`; KIP-455, KIP-860.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.assignments import check_replicas
from barnabas.core.controller.elections import begin_change
from barnabas.core.controller.partition_change import UNCLEAN
from barnabas.core.controller.result import ApiError, Result
from barnabas.wire.errors import Error
from barnabas.wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.topics import TopicState
    from barnabas.core.metadata.partition import Partition
    from barnabas.wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse
    from barnabas.wire.schema import Message

_TopicAnswer = AlterPartitionReassignmentsResponse.ReassignableTopic


def alter_partition_reassignments(controller: Controller, request: AlterPartitionReassignmentsRequest) -> Result:
    """The response is the AlterPartitionReassignmentsResponse, with an error for each partition."""
    records: list[Message] = []
    may_change_factor = request.allow_replication_factor_change
    response = AlterPartitionReassignmentsResponse(
        throttle_time_ms=0,
        allow_replication_factor_change=may_change_factor if request.topics else True,
        error_code=Error.NONE,
        error_message=None if request.topics else "",
        responses=[],
    )
    for asked_topic in request.topics:
        answer = _TopicAnswer(name=asked_topic.name, partitions=[])
        response.responses.append(answer)
        for asked in asked_topic.partitions:
            error, message = Error.NONE, None
            try:
                records += _reassign(controller, asked_topic.name, asked.partition_index, asked.replicas, may_change_factor)
            except ApiError as refused:
                error, message = refused.error, refused.message
            answer.partitions.append(
                _TopicAnswer.ReassignablePartition(partition_index=asked.partition_index, error_code=error, error_message=message)
            )
    controller.check_record_count(records)
    return Result(records, response)


def list_partition_reassignments(controller: Controller, request: ListPartitionReassignmentsRequest) -> ListPartitionReassignmentsResponse:
    """What is moving; of the named partitions, or of all."""
    from barnabas.wire.messages.list_partition_reassignments import ListPartitionReassignmentsResponse

    moving: dict[str, list[int]] = {}
    if request.topics is None:
        for topic_id, partition_id in controller.topics.reassigning:
            moving.setdefault(controller.topics.by_id[topic_id].name, []).append(partition_id)
    else:
        moving = {topic.name: topic.partition_indexes for topic in request.topics}
    response = ListPartitionReassignmentsResponse(throttle_time_ms=0, error_code=Error.NONE, error_message=None, topics=[])
    for name, partition_ids in moving.items():
        topic = controller.topics.find(name)
        if topic is None:
            continue
        ongoing = [
            ListPartitionReassignmentsResponse.OngoingTopicReassignment.OngoingPartitionReassignment(
                partition_index=partition_id,
                replicas=list(partition.replicas),
                adding_replicas=list(partition.adding_replicas),
                removing_replicas=list(partition.removing_replicas),
            )
            for partition_id in partition_ids
            if (partition := topic.partitions.get(partition_id)) is not None and partition.is_reassigning
        ]
        if ongoing:
            response.topics.append(ListPartitionReassignmentsResponse.OngoingTopicReassignment(name=name, partitions=ongoing))
    return response


def _reassign(controller: Controller, name: str, partition_id: int, target: Sequence[int] | None, may_change_factor: bool) -> list[Message]:
    topic = controller.topics.find(name)
    partition = None if topic is None else topic.partitions.get(partition_id)
    if topic is None:
        raise ApiError(Error.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find a topic named {name}.")
    if partition is None:
        raise ApiError(Error.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find partition {name}:{partition_id}.")
    if target is None:
        return _cancel(controller, topic, partition_id, partition)
    check_replicas(controller, target)
    if not may_change_factor:
        settled = (set(partition.replicas) | set(partition.adding_replicas)) - set(partition.removing_replicas)
        present = len(settled) if partition.is_reassigning else len(partition.replicas)
        if len(target) != present:
            raise ApiError(Error.INVALID_REPLICATION_FACTOR, f"The replication factor is changed from {present} to {len(target)}")
    removing = sorted(set(partition.replicas) - set(target))
    adding = sorted(set(target) - set(partition.replicas))
    # A move that takes another's place: what of that one isn't wanted any more is forgotten, or this one would wait for replicas that it removes itself.
    adding += [replica for replica in partition.adding_replicas if replica in target]
    change = begin_change(controller, topic, partition)
    change.replicas = [*target, *removing]
    change.removing = removing
    change.adding = sorted(adding)
    record = change.build(topic.id, partition_id)
    return [] if record is None else [record]


def _cancel(controller: Controller, topic: TopicState, partition_id: int, partition: Partition) -> list[Message]:
    if not partition.is_reassigning:
        raise ApiError(Error.NO_REASSIGNMENT_IN_PROGRESS)
    may_be_unclean = controller.configs.unclean_election_enabled(topic.name)
    replicas = [replica for replica in partition.replicas if replica not in partition.adding_replicas]
    isr = [replica for replica in partition.isr if replica not in partition.adding_replicas]
    if not replicas:
        raise ApiError(Error.INVALID_REPLICA_ASSIGNMENT, "Invalid replica assignment: addingReplicas contains all replicas.")
    if not isr:
        if not may_be_unclean:
            raise ApiError(
                Error.INVALID_REPLICA_ASSIGNMENT,
                f"Unable to revert partition assignment for {topic.name}:{partition_id} because it would require an unclean leader election.",
            )
        isr = replicas[:1]
    change = begin_change(controller, topic, partition)
    if may_be_unclean:
        change.election = UNCLEAN
    change.isr, change.replicas, change.removing, change.adding = isr, replicas, [], []
    record = change.build(topic.id, partition_id)
    return [] if record is None else [record]
