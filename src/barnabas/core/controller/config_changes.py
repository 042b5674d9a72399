"""AlterConfigs and IncrementalAlterConfigs at the controller: records for configs that may be so, an error for each resource that may not.

Source: Apache's `ConfigurationControlManager`; C37, C51, C58, KIP-339.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.configs import CORDONED_LOG_DIRS, MIN_INSYNC_REPLICAS
from barnabas.core.controller.result import ApiError, Result
from barnabas.core.metadata.features import MV_4_3_IV0_CORDONED_DIRECTORIES
from barnabas.core.metadata.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from barnabas.wire.errors import Error
from barnabas.wire.logs.cluster_metadata import ClearElrRecord, ConfigRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from barnabas.core.controller.controller import Controller
    from barnabas.core.metadata.image import ConfigResource
    from barnabas.wire.schema import Message

SET, DELETE, APPEND, SUBTRACT = range(4)
_OPERATIONS = {SET: "SET", DELETE: "DELETE", APPEND: "APPEND", SUBTRACT: "SUBTRACT"}
_GREATEST_VALUE_SIZE = 32767

Operation = tuple[int, str | None]
"""(SET, DELETE, APPEND or SUBTRACT; value)"""


def incremental_alter(
    controller: Controller, changes: Mapping[ConfigResource, Mapping[str, Operation]], *, validate_only: bool, forwarded: bool
) -> Result:
    """The response maps each resource to None or an ApiError. `forwarded`: a broker has checked the request before."""
    records: list[Message] = []
    outcome: dict[ConfigResource, ApiError | None] = {}
    for resource, operations in changes.items():
        try:
            records += altered(controller, resource, operations, is_new=False, forwarded=forwarded)
            outcome[resource] = None
        except ApiError as error:
            outcome[resource] = error
    return Result([] if validate_only else records + _clear_elr(controller, records), outcome)


def legacy_alter(
    controller: Controller, changes: Mapping[ConfigResource, Mapping[str, str | None]], *, validate_only: bool, forwarded: bool
) -> Result:
    """As `incremental_alter`, but what a resource has and the request doesn't name is removed."""
    records: list[Message] = []
    outcome: dict[ConfigResource, ApiError | None] = {}
    for resource, given in changes.items():
        existing = controller.configs.of(*resource)
        explicit = [_record(resource, name, value) for name, value in given.items() if value != existing.get(name) or resource[0] == BROKER]
        implicit = [_record(resource, name, None) for name in existing if name not in given]
        try:
            _validate(controller, resource, explicit + implicit, is_new=False, forwarded=forwarded)
            records += explicit + implicit
            outcome[resource] = None
        except ApiError as error:
            outcome[resource] = error
    return Result([] if validate_only else records + _clear_elr(controller, records), outcome)


def for_new_topic(controller: Controller, name: str, given: Mapping[str, str]) -> list[Message]:
    """The records of a topic that is being created: its configs, and ClearElr if it sets the minimum ISR (C38). ApiError if they may not be so."""
    operations: dict[str, Operation] = {key: (SET, value) for key, value in given.items()}
    records: list[Message] = list(altered(controller, (TOPIC, name), operations, is_new=True, forwarded=True))
    return records + _clear_elr(controller, records)


def altered(
    controller: Controller, resource: ConfigResource, operations: Mapping[str, Operation], *, is_new: bool, forwarded: bool
) -> list[ConfigRecord]:
    existing = controller.configs.of(*resource)
    records = []
    for name, (operation, operand) in operations.items():
        before = existing.get(name)
        after = _new_value(controller, resource, name, operation, operand, before)
        if after != before or resource[0] == BROKER:  # a broker reloads for an unchanged value too
            records.append(_record(resource, name, after))
    _validate(controller, resource, records, is_new=is_new, forwarded=forwarded)
    return records


def _new_value(controller: Controller, resource: ConfigResource, name: str, operation: int, operand: str | None, before: str | None) -> str | None:
    if operation == SET:
        return operand
    if operation == DELETE:
        return None
    if operation not in _OPERATIONS:
        raise ApiError(Error.UNKNOWN_SERVER_ERROR)  # as Apache Kafka's controller, which trips over it
    rules = controller.configs.rules
    if not rules.is_list(resource[0], name):
        raise ApiError(Error.INVALID_CONFIG, f"Can't {_OPERATIONS[operation]} to key {name} because its type is not LIST.")
    present = rules.default(resource[0], name) if before is None else before
    items = [item for item in (present or "").split(",") if item]
    for item in (operand or "").split(","):
        if operation == APPEND and item not in items:
            items.append(item)
        elif operation == SUBTRACT and item in items:
            items.remove(item)
    return ",".join(items)


def _validate(controller: Controller, resource: ConfigResource, records: Iterable[ConfigRecord], *, is_new: bool, forwarded: bool) -> None:
    existing = controller.configs.of(*resource)
    result = dict(existing)
    for record in records:
        _check_elr(controller, record)
        _check_cordoned(controller, record, existing.get(record.name), forwarded)
        if record.value is None:
            result.pop(record.name, None)
        elif len(record.value) > _GREATEST_VALUE_SIZE:
            raise ApiError(
                Error.INVALID_CONFIG,
                f"The configuration value cannot be added because it exceeds the maximum value size of {_GREATEST_VALUE_SIZE} bytes.",
            )
        else:
            result[record.name] = record.value
    controller.configs.rules.validate(resource, result, existing)
    if not is_new:
        _check_exists(controller, resource)


def _check_elr(controller: Controller, record: ConfigRecord) -> None:
    """With ELR the minimum ISR must be the same on every broker: it decides who may lead (C37)."""
    if record.name != MIN_INSYNC_REPLICAS or record.resource_type != BROKER or not controller.features.elr_enabled:
        return
    if record.resource_name:
        raise ApiError(Error.INVALID_CONFIG, f"Broker-level {MIN_INSYNC_REPLICAS} cannot be altered while ELR is enabled.")
    if record.value is None:
        raise ApiError(Error.INVALID_CONFIG, f"Cluster-level {MIN_INSYNC_REPLICAS} cannot be removed while ELR is enabled.")


def _check_cordoned(controller: Controller, record: ConfigRecord, present: str | None, forwarded: bool) -> None:
    if record.name != CORDONED_LOG_DIRS or record.resource_type != BROKER:
        return
    if controller.features.level < MV_4_3_IV0_CORDONED_DIRECTORIES:
        raise ApiError(
            Error.INVALID_CONFIG, f"The {CORDONED_LOG_DIRS} configuration value cannot be set because it requires metadata.version >= 4.3-IV0"
        )
    if forwarded or not (record.value or "").strip():
        return
    before = {item.strip() for item in (present or "").split(",")}
    if not {item.strip() for item in (record.value or "").split(",")} <= before:
        raise ApiError(
            Error.INVALID_CONFIG,
            f"When updating {CORDONED_LOG_DIRS} via controllers,  the new value must be a subset of the current configuration value.",
        )


def _check_exists(controller: Controller, resource: ConfigResource) -> None:
    resource_type, name = resource
    if resource_type == TOPIC:
        if name not in controller.topics.by_name:
            raise ApiError(Error.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{name}' does not exist.")
    elif resource_type == BROKER:
        if not name:
            return
        if not name.removeprefix("-").isdecimal():
            raise ApiError(Error.INVALID_REQUEST, f"Invalid broker name {name}")
        known = (controller.brokers.registrations, controller.brokers.controllers, controller.settings.voter_ids)
        if not any(int(name) in nodes for nodes in known):
            raise ApiError(Error.BROKER_ID_NOT_REGISTERED, f"No node with id {int(name)} found.")
    elif resource_type not in (BROKER_LOGGER, CLIENT_METRICS, GROUP):
        raise ApiError(Error.INVALID_REQUEST, f"Unknown config resource type {resource_type}.")


def _clear_elr(controller: Controller, records: Iterable[Message]) -> list[Message]:
    """ELR was reckoned with the old minimum ISR: it goes when that changes (C51)."""
    if not controller.features.elr_enabled:
        return []
    return [
        ClearElrRecord(topic_name=record.resource_name if record.resource_type == TOPIC else "")
        for record in records
        if isinstance(record, ConfigRecord) and record.name == MIN_INSYNC_REPLICAS
    ]


def _record(resource: ConfigResource, name: str, value: str | None) -> ConfigRecord:
    return ConfigRecord(resource_type=resource[0], resource_name=resource[1], name=name, value=value)
