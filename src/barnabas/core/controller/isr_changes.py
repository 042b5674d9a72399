"""AlterPartition (56): a leader asks for another ISR (C54, C55). Source: Apache's `ReplicationControlManager.alterPartition`, KIP-497, KIP-903."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.elections import begin_change
from barnabas.core.controller.partition_change import UNCLEAN
from barnabas.core.controller.result import Result
from barnabas.core.metadata.partition import NO_LEADER_CHANGE, RECOVERED, RECOVERING
from barnabas.wire.errors import Error
from barnabas.wire.messages.alter_partition import AlterPartitionRequest, AlterPartitionResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.topics import TopicState
    from barnabas.core.metadata.partition import Partition
    from barnabas.wire.schema import Message

_Asked = AlterPartitionRequest.TopicData.PartitionData
_Answer = AlterPartitionResponse.TopicData.PartitionData
_FIRST_VERSION_WITH_EPOCHS = 3


def alter_partition(controller: Controller, request: AlterPartitionRequest, version: int) -> Result:
    """The response is the AlterPartitionResponse. ApiError if the broker's epoch is stale."""
    controller.brokers.check_epoch(request.broker_id, request.broker_epoch)
    records: list[Message] = []
    response = AlterPartitionResponse(throttle_time_ms=0, error_code=Error.NONE, topics=[])
    for asked_topic in request.topics:
        answers = AlterPartitionResponse.TopicData(topic_id=asked_topic.topic_id, partitions=[])
        response.topics.append(answers)
        topic = controller.topics.by_id.get(asked_topic.topic_id)
        for asked in asked_topic.partitions:
            if topic is None:
                answers.partitions.append(_refusal(asked, Error.UNKNOWN_TOPIC_ID))
            else:
                answers.partitions.append(_alter(controller, request.broker_id, topic, asked, _new_isr(asked, version), records))
    return Result(records, response, is_atomic=False)


def _new_isr(asked: _Asked, version: int) -> list[tuple[int, int]]:
    """(broker id, broker epoch); -1 where the epoch isn't told."""
    if version >= _FIRST_VERSION_WITH_EPOCHS:
        return [(state.broker_id, state.broker_epoch) for state in asked.new_isr_with_epochs]
    return [(broker_id, -1) for broker_id in asked.new_isr]


def _alter(
    controller: Controller, broker_id: int, topic: TopicState, asked: _Asked, new_isr: list[tuple[int, int]], records: list[Message]
) -> _Answer:
    partition = topic.partitions.get(asked.partition_index)
    if partition is None:
        return _refusal(asked, Error.UNKNOWN_TOPIC_OR_PARTITION)
    error = _problem(controller, broker_id, partition, asked, new_isr)
    if error != Error.NONE:
        return _refusal(asked, error)
    change = begin_change(controller, topic, partition)
    if controller.configs.unclean_election_enabled(topic.name):
        change.election = UNCLEAN
    change.isr = [member for member, _ in new_isr]
    change.recovery_state = asked.leader_recovery_state
    record = change.build(topic.id, asked.partition_index)
    if record is not None:
        records.append(record)
        partition = partition.changed_by(record)
        if record.leader not in (broker_id, NO_LEADER_CHANGE):
            return _refusal(asked, Error.NEW_LEADER_ELECTED)  # the change ended a reassignment: ask the metadata
    return _Answer(
        partition_index=asked.partition_index,
        error_code=Error.NONE,
        leader_id=partition.leader,
        leader_epoch=partition.leader_epoch,
        isr=list(partition.isr),
        leader_recovery_state=partition.leader_recovery_state,
        partition_epoch=partition.partition_epoch,
    )


def _problem(controller: Controller, broker_id: int, partition: Partition, asked: _Asked, new_isr: list[tuple[int, int]]) -> Error:
    """The order of the checks is what the leader reckons with (C54)."""
    members = [member for member, _ in new_isr]
    if asked.leader_epoch > partition.leader_epoch or asked.partition_epoch > partition.partition_epoch:
        return Error.NOT_CONTROLLER  # it knows more than we: another controller is active
    if asked.leader_epoch < partition.leader_epoch:
        return Error.FENCED_LEADER_EPOCH
    if broker_id != partition.leader:
        return Error.INVALID_REQUEST
    if asked.partition_epoch < partition.partition_epoch:
        return Error.INVALID_UPDATE_VERSION
    if len(set(members)) != len(members) or not set(members) <= set(partition.replicas) or partition.leader not in members:
        return Error.INVALID_REQUEST
    if asked.leader_recovery_state not in (RECOVERED, RECOVERING):
        return Error.INVALID_REQUEST
    if asked.leader_recovery_state == RECOVERING and (len(members) > 1 or partition.leader_recovery_state == RECOVERED):
        return Error.INVALID_REQUEST
    for member, epoch in new_isr:
        broker = controller.brokers.registrations.get(member)
        if broker is None or not broker.is_active or epoch not in (-1, broker.epoch):
            return Error.INELIGIBLE_REPLICA
    return Error.NONE


def _refusal(asked: _Asked, error: Error) -> _Answer:
    return _Answer(partition_index=asked.partition_index, error_code=error, leader_id=0, leader_epoch=0, isr=[], partition_epoch=0)
