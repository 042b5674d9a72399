"""CreateTopics, DeleteTopics and CreatePartitions at the controller (C10, C38-C43).

Who may do it is the handler's: it hands in what the caller is allowed. Source: Apache's `ReplicationControlManager` and `ControllerApis`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller import config_changes, topic_names
from barnabas.core.controller.assignments import Assignment, assigned_by_hand, placed, unable
from barnabas.core.controller.result import MAX_RECORDS_PER_USER_OPERATION, TOO_LARGE, ApiError, Result
from barnabas.core.metadata.directory_ids import random_id
from barnabas.core.metadata.features import MV_3_7_IV2_DIRECTORY_ASSIGNMENT
from barnabas.core.metadata.partition import Partition, to_record
from barnabas.wire.errors import Error
from barnabas.wire.logs.cluster_metadata import RemoveTopicRecord, TopicRecord
from barnabas.wire.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from barnabas.core.controller.controller import Controller
    from barnabas.wire.messages.create_partitions import CreatePartitionsRequest
    from barnabas.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
    from barnabas.wire.schema import Message

MAX_PARTITIONS_PER_REQUEST = 10_000
_METADATA_TOPIC = "__cluster_metadata"
_FIRST_VERSION_WITH_CONFIGS = 5


class Everything:
    """Contains whatever is asked: the caller may do all."""

    def __contains__(self, item: object) -> bool:
        return True


EVERYTHING = Everything()


def create_topics(
    controller: Controller,
    request: CreateTopicsRequest,
    version: int,
    creatable: Container[str] = EVERYTHING,
    describable: Container[str] = EVERYTHING,
) -> Result:
    """CreateTopics (19). `creatable`: topics that the caller may create; `describable`: those whose configs it may see."""
    seen: dict[str, int] = {}
    for topic in request.topics:
        seen[topic.name] = seen.get(topic.name, 0) + 1
    effective = [topic for topic in request.topics if seen[topic.name] == 1 and topic.name != _METADATA_TOPIC and topic.name in creatable]
    _check_partition_count(controller, effective)
    records: list[Message] = []
    answers = []
    for topic in effective:
        try:
            created, answer = _create_topic(controller, topic, version, topic.name in describable)
            records += created
        except ApiError as error:
            answer = _refusal(topic.name, error.error, error.message)
        answers.append(answer)
    for name, count in seen.items():
        if count > 1:
            answers.append(_refusal(name, Error.INVALID_REQUEST, "Duplicate topic name."))
        elif name == _METADATA_TOPIC:
            answers.append(_refusal(name, Error.INVALID_REQUEST, f"Creation of internal topic {_METADATA_TOPIC} is prohibited."))
        elif name not in creatable:
            answers.append(_refusal(name, Error.TOPIC_AUTHORIZATION_FAILED, "Authorization failed."))
    controller.check_record_count(records)
    return Result([] if request.validate_only else records, CreateTopicsResponse(topics=answers))


def _refusal(name: str, error: Error, message: str | None) -> CreateTopicsResponse.CreatableTopicResult:
    return CreateTopicsResponse.CreatableTopicResult(name=name, error_code=error, error_message=message)


def _check_partition_count(controller: Controller, topics: list[CreateTopicsRequest.CreatableTopic]) -> None:
    total = 0
    for topic in topics:
        count = len(topic.assignments) or (controller.settings.default_partitions if topic.num_partitions == -1 else topic.num_partitions)
        total += max(count, 0)
    if total > MAX_PARTITIONS_PER_REQUEST:
        raise ApiError(Error.POLICY_VIOLATION, "Excessively large number of partitions per request.")


def _create_topic(
    controller: Controller, topic: CreateTopicsRequest.CreatableTopic, version: int, may_see_configs: bool
) -> tuple[list[Message], CreateTopicsResponse.CreatableTopicResult]:
    if topic.name in controller.topics.by_name:
        raise ApiError(Error.TOPIC_ALREADY_EXISTS, f"Topic '{topic.name}' already exists.")
    topic_names.check(topic.name, controller.topics)
    nulls = [config.name for config in topic.configs if config.value is None]
    if nulls:
        raise ApiError(Error.INVALID_CONFIG, f"Null value not supported for topic configs: {','.join(nulls)}")
    configs = {config.name: config.value for config in topic.configs if config.value is not None}
    config_records = config_changes.for_new_topic(controller, topic.name, configs) if configs else []
    assignments = _assignments(controller, topic)
    topic_id = random_id(controller.random_bytes(16))
    records: list[Message] = [TopicRecord(name=topic.name, topic_id=topic_id), *config_records]
    records += _partition_records(controller, topic_id, assignments)
    answer = CreateTopicsResponse.CreatableTopicResult(name=topic.name, topic_id=topic_id, error_code=Error.NONE, error_message=None)
    if not may_see_configs:
        answer.topic_config_error_code = Error.TOPIC_AUTHORIZATION_FAILED
    elif version >= _FIRST_VERSION_WITH_CONFIGS:
        answer.num_partitions = len(assignments)
        answer.replication_factor = len(assignments[0].replicas)
        answer.configs = [
            CreateTopicsResponse.CreatableTopicResult.CreatableTopicConfigs(
                name=config.name, value=None if config.is_sensitive else config.value, config_source=config.source, is_sensitive=config.is_sensitive
            )
            for config in controller.configs.effective_for_new_topic(configs)
        ]
    return records, answer


def _assignments(controller: Controller, topic: CreateTopicsRequest.CreatableTopic) -> dict[int, Assignment]:
    if topic.assignments:
        given = "replication factor" if topic.replication_factor != -1 else "numPartitions" if topic.num_partitions != -1 else None
        if given is not None:
            raise ApiError(Error.INVALID_REQUEST, f"A manual partition assignment was specified, but {given} was not set to -1.")
        return _manual(controller, topic)
    if topic.replication_factor < -1 or topic.replication_factor == 0:
        raise ApiError(Error.INVALID_REPLICATION_FACTOR, "Replication factor must be larger than 0, or -1 to use the default value.")
    if topic.num_partitions < -1 or topic.num_partitions == 0:
        raise ApiError(Error.INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value.")
    count = controller.settings.default_partitions if topic.num_partitions == -1 else topic.num_partitions
    factor = controller.settings.default_replication_factor if topic.replication_factor == -1 else topic.replication_factor
    try:
        return dict(enumerate(placed(controller, count, factor)))
    except ApiError as error:
        raise ApiError(error.error, unable(factor) + (error.message or "").removeprefix(unable(factor))) from None


def _manual(controller: Controller, topic: CreateTopicsRequest.CreatableTopic) -> dict[int, Assignment]:
    by_partition: dict[int, Assignment] = {}
    factor: int | None = None
    for wanted in topic.assignments:
        if wanted.partition_index in by_partition:
            raise ApiError(Error.INVALID_REPLICA_ASSIGNMENT, f"Found multiple manual partition assignments for partition {wanted.partition_index}")
        by_partition[wanted.partition_index] = assigned_by_hand(controller, wanted.partition_index, wanted.broker_ids, factor)
        factor = len(wanted.broker_ids)
    if set(by_partition) != set(range(len(by_partition))):
        raise ApiError(Error.INVALID_REPLICA_ASSIGNMENT, "partitions should be a consecutive 0-based integer sequence")
    return dict(sorted(by_partition.items()))


def _partition_records(controller: Controller, topic_id: bytes, assignments: dict[int, Assignment]) -> list[Message]:
    with_directories = controller.features.level >= MV_3_7_IV2_DIRECTORY_ASSIGNMENT
    records: list[Message] = []
    for partition_id, assignment in assignments.items():
        partition = Partition(
            leader=assignment.isr[0],
            leader_epoch=0,
            isr=tuple(assignment.isr),
            replicas=tuple(assignment.replicas),
            partition_epoch=0,
            directories=tuple(controller.brokers.default_directory(replica) for replica in assignment.replicas),
        )
        records.append(to_record(partition, topic_id, partition_id, with_directories=with_directories, with_elr=False))
    return records


def delete_topics(
    controller: Controller,
    request: DeleteTopicsRequest,
    describable: Container[str] = EVERYTHING,
    deletable: Container[str] = EVERYTHING,
    shuffle: Callable[[list[DeleteTopicsResponse.DeletableTopicResult]], None] | None = None,
) -> Result:
    """DeleteTopics (20), by name or by id. `shuffle` keeps a caller from telling hidden topics from absent ones by their place."""
    from barnabas.core.controller.topic_deletion import Deletion

    deletion = Deletion(controller, request, describable, deletable)
    records: list[Message] = [RemoveTopicRecord(topic_id=topic_id) for topic_id in deletion.topic_ids]
    controller.check_record_count(records)
    if shuffle is not None:
        shuffle(deletion.answer.responses)
    return Result(records, deletion.answer)


def create_partitions(controller: Controller, request: CreatePartitionsRequest, alterable: Container[str] = EVERYTHING) -> Result:
    """CreatePartitions (37): all partitions of each topic, up to the count asked for. `alterable`: topics that the caller may change."""
    from barnabas.wire.messages.create_partitions import CreatePartitionsResponse

    seen: dict[str, int] = {}
    for topic in request.topics:
        seen[topic.name] = seen.get(topic.name, 0) + 1
    records: list[Message] = []
    answers: list[CreatePartitionsResponse.TopicResult] = []
    for topic in request.topics:
        answer = CreatePartitionsResponse.TopicResult(name=topic.name, error_code=Error.NONE)
        try:
            if seen[topic.name] > 1:
                if any(done.name == topic.name for done in answers):
                    continue
                raise ApiError(Error.INVALID_REQUEST, "Duplicate topic name.")
            if topic.name not in alterable:
                raise ApiError(Error.TOPIC_AUTHORIZATION_FAILED)
            records += _new_partitions(controller, topic, MAX_RECORDS_PER_USER_OPERATION - len(records))
        except ApiError as error:
            answer.error_code, answer.error_message = error.error, error.message
        answers.append(answer)
    return Result([] if request.validate_only else records, CreatePartitionsResponse(throttle_time_ms=0, results=answers))


def _new_partitions(controller: Controller, wanted: CreatePartitionsRequest.Topic, most: int) -> list[Message]:
    topic = controller.topics.find(wanted.name)
    if topic is None:
        raise ApiError(Error.UNKNOWN_TOPIC_OR_PARTITION)
    present = len(topic.partitions)
    if wanted.count == present:
        raise ApiError(Error.INVALID_PARTITIONS, f"Topic already has {present} partition(s).")
    if wanted.count < present:
        raise ApiError(
            Error.INVALID_PARTITIONS,
            f"The topic {wanted.name} currently has {present} partition(s); {wanted.count} would not be an increase.",
        )
    additional = wanted.count - present
    if wanted.assignments is not None and len(wanted.assignments) != additional:
        raise ApiError(
            Error.INVALID_REPLICA_ASSIGNMENT,
            f"Attempted to add {additional} additional partition(s), but only {len(wanted.assignments)} assignment(s) were specified.",
        )
    if additional > most:
        raise ApiError(Error.POLICY_VIOLATION, TOO_LARGE)
    factor = len(topic.partitions[0].replicas)
    if wanted.assignments is None:
        assignments = placed(controller, additional, factor)
    else:
        assignments = [assigned_by_hand(controller, present + at, each.broker_ids, factor) for at, each in enumerate(wanted.assignments)]
    return _partition_records(controller, topic.id, dict(enumerate(assignments, present)))
