"""What heartbeats, their absence, and failed log directories do to brokers and to what they lead (C20-C31).

Source: Apache's `ReplicationControlManager.processBrokerHeartbeat` and the handlers that it calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.controller.elections import begin_change, leader_and_isr_updates
from barnabas.core.controller.heartbeats import CONTROLLED_SHUTDOWN, FENCED, SHUTDOWN_NOW, UNFENCED
from barnabas.core.controller.result import ApiError, Result
from barnabas.core.metadata.features import MV_3_7_IV2_DIRECTORY_ASSIGNMENT, MV_4_3_IV0_CORDONED_DIRECTORIES
from barnabas.core.metadata.registration import FENCE, IN_CONTROLLED_SHUTDOWN, UNFENCE
from barnabas.wire.errors import Error
from barnabas.wire.logs.cluster_metadata import BrokerRegistrationChangeRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.topics import PartitionKey
    from barnabas.core.metadata.registration import Broker
    from barnabas.wire.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest
    from barnabas.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
    from barnabas.wire.schema import Message


class HeartbeatReply(NamedTuple):
    is_caught_up: bool
    is_fenced: bool
    should_shut_down: bool


def process_broker_heartbeat(controller: Controller, request: BrokerHeartbeatRequest, now_ms: int) -> Result:
    """BrokerHeartbeat (63). The response is a HeartbeatReply."""
    broker = controller.brokers.check_epoch(request.broker_id, request.broker_epoch)
    heartbeats = controller.heartbeats
    heartbeats.contact(broker.id, broker.epoch, now_ms)
    register_offset = controller.brokers.register_offsets[broker.id]
    present, following = heartbeats.next_state(request, register_offset, controller.topics.leads_any)
    records: list[Message] = []
    if present != following:
        if following in (FENCED, SHUTDOWN_NOW):
            records = _fence(controller, broker)
        elif following == UNFENCED:
            records = _unfence(controller, broker)
        else:
            records = _begin_controlled_shutdown(controller, broker)
    is_fenced = following in (FENCED, SHUTDOWN_NOW)
    heartbeats.touch(broker.id, is_fenced, request.current_metadata_offset)
    if controller.features.level >= MV_3_7_IV2_DIRECTORY_ASSIGNMENT:
        records += _directories_failed(controller, broker, request.offline_log_dirs)
    if controller.features.level >= MV_4_3_IV0_CORDONED_DIRECTORIES:
        records += _directories_cordoned(broker, request.cordoned_log_dirs)
    if following == CONTROLLED_SHUTDOWN:
        heartbeats.began_shutdown(broker.id, controller.next_write_offset + len(records) - 1)
    if following == SHUTDOWN_NOW and controller.settings.end_session_on_shutdown:
        heartbeats.end_session(broker.id, broker.epoch)
    reply = HeartbeatReply(request.current_metadata_offset >= register_offset, is_fenced, following == SHUTDOWN_NOW)
    return Result(records, reply, is_atomic=False)


def fence_stale_broker(controller: Controller, now_ms: int) -> Result:
    """Periodic: fence one broker whose session has run out, so that its effect is seen before the next. The response says whether one was found."""
    expired = controller.heartbeats.take_expired(now_ms)
    if expired is None:
        return Result([], False)
    broker_id, broker_epoch = expired
    broker = controller.brokers.registrations.get(broker_id)
    if broker is None:
        controller.heartbeats.remove(broker_id)
        return Result([], True)
    if broker.epoch != broker_epoch:
        return Result([], True)
    records = _fence(controller, broker)
    controller.heartbeats.fence(broker_id)
    return Result(records, True, is_atomic=False)


def fence_broker(controller: Controller, broker_id: int, broker_epoch: int) -> Result:
    """Fence a broker on evidence that its process is dead, before its session ends (O1). The response is None."""
    broker = controller.brokers.check_epoch(broker_id, broker_epoch)
    controller.heartbeats.end_session(broker_id, broker_epoch)
    if broker.fenced:
        return Result([], None)
    records = _fence(controller, broker)
    controller.heartbeats.fence(broker_id)
    return Result(records, None, is_atomic=False)


def _fence(controller: Controller, broker: Broker) -> list[Message]:
    records = leader_and_isr_updates(controller, controller.topics.in_isr.of(broker.id), remove=broker.id)
    return [*records, BrokerRegistrationChangeRecord(broker_id=broker.id, broker_epoch=broker.epoch, fenced=FENCE)]


def _unfence(controller: Controller, broker: Broker) -> list[Message]:
    change = BrokerRegistrationChangeRecord(broker_id=broker.id, broker_epoch=broker.epoch, fenced=UNFENCE)
    return [change, *leader_and_isr_updates(controller, controller.topics.leaderless(), add=broker.id)]


def _begin_controlled_shutdown(controller: Controller, broker: Broker) -> list[Message]:
    records: list[Message] = []
    if not broker.in_controlled_shutdown:
        records.append(BrokerRegistrationChangeRecord(broker_id=broker.id, broker_epoch=broker.epoch, in_controlled_shutdown=IN_CONTROLLED_SHUTDOWN))
    return records + leader_and_isr_updates(controller, controller.topics.in_isr.of(broker.id), remove=broker.id)


def _directories_failed(controller: Controller, broker: Broker, offline: Sequence[bytes]) -> list[Message]:
    failed = [directory for directory in broker.directories if directory in offline]
    if not failed:
        return []
    records: list[Message] = []
    for directory in failed:
        records += leader_and_isr_updates(controller, controller.topics.in_directory.of(directory), remove=broker.id)
    left = [directory for directory in broker.directories if directory not in offline]
    return [*records, BrokerRegistrationChangeRecord(broker_id=broker.id, broker_epoch=broker.epoch, log_dirs=left)]


def _directories_cordoned(broker: Broker, cordoned: Sequence[bytes] | None) -> list[Message]:
    """None: the broker doesn't know yet, as it hasn't caught up."""
    if cordoned is None or not broker.cordoned_differ_from(cordoned):
        return []
    return [BrokerRegistrationChangeRecord(broker_id=broker.id, broker_epoch=broker.epoch, cordoned_log_dirs=list(cordoned))]


def assign_replicas_to_dirs(controller: Controller, request: AssignReplicasToDirsRequest) -> Result:
    """AssignReplicasToDirs (73): a broker says in which directory it has put its replicas (C26)."""
    from barnabas.wire.messages.assign_replicas_to_dirs import AssignReplicasToDirsResponse

    if controller.features.level < MV_3_7_IV2_DIRECTORY_ASSIGNMENT:
        raise ApiError(Error.UNSUPPORTED_VERSION, f"Directories are assigned from metadata.version {MV_3_7_IV2_DIRECTORY_ASSIGNMENT} (3.7-IV2) on.")
    broker = controller.brokers.check_epoch(request.broker_id, request.broker_epoch)
    records: list[Message] = []
    into_offline: dict[PartitionKey, None] = {}
    answer = AssignReplicasToDirsResponse(throttle_time_ms=0, error_code=Error.NONE, directories=[])
    for directory in request.directories:
        directory_answer = AssignReplicasToDirsResponse.DirectoryData(id=directory.id, topics=[])
        answer.directories.append(directory_answer)
        for topic in directory.topics:
            topic_answer = AssignReplicasToDirsResponse.DirectoryData.TopicData(topic_id=topic.topic_id, partitions=[])
            directory_answer.topics.append(topic_answer)
            for wanted in topic.partitions:
                key = (topic.topic_id, wanted.partition_index)
                error = _assign(controller, key, broker, directory.id, records)
                if error == Error.NONE and not broker.has_online(directory.id):
                    into_offline[key] = None
                topic_answer.partitions.append(
                    AssignReplicasToDirsResponse.DirectoryData.TopicData.PartitionData(partition_index=wanted.partition_index, error_code=error)
                )
    records += leader_and_isr_updates(controller, into_offline, remove=broker.id)
    return Result(records, answer, is_atomic=False)


def _assign(controller: Controller, key: PartitionKey, broker: Broker, directory_id: bytes, records: list[Message]) -> Error:
    topic = controller.topics.by_id.get(key[0])
    if topic is None:
        return Error.UNKNOWN_TOPIC_ID
    partition = topic.partitions.get(key[1])
    if partition is None:
        return Error.UNKNOWN_TOPIC_OR_PARTITION
    if broker.id not in partition.replicas:
        return Error.NOT_LEADER_OR_FOLLOWER
    change = begin_change(controller, topic, partition)
    change.directories[broker.id] = directory_id
    record = change.build(*key)
    if record is not None:
        records.append(record)
    return Error.NONE
