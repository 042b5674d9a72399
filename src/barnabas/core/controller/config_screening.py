"""What a node refuses of AlterConfigs and IncrementalAlterConfigs before its controller sees it, and what never gets there: the levels of its loggers.

Source: Apache's `ConfigAdminManager`, `RuntimeLoggerManager` and, for what is sent to a controller itself, `ControllerApis`. Broker configs are judged
here, by the broker that they are for: the controller takes them as they come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.config_changes import APPEND, DELETE, SET, SUBTRACT
from barnabas.core.controller.result import ApiError
from barnabas.core.metadata.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from barnabas.wire.error_messages import MESSAGES
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from barnabas.core.controller.config_changes import Operation
    from barnabas.core.metadata.image import ConfigResource

    Operations = Sequence[tuple[str, Operation]]
    Change = tuple[ConfigResource, Operations]
    """A resource, and what is asked for each of its configs, in the request's order."""
    Judge = Callable[[str, Operations], None]
    Verdicts = dict[ConfigResource, ApiError | None]

ROOT_LOGGER = "root"
LOG_LEVELS = ("DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN")
_STORED = (TOPIC, BROKER, CLIENT_METRICS, GROUP)
_LEAST_INT32, _GREATEST_INT32 = -(1 << 31), (1 << 31) - 1


def screen(changes: Iterable[Change], node_id: int, judge: Judge, *, with_loggers: bool) -> Verdicts:
    """Why each change is refused, None where it may be made: by the controller or, to a logger, here.

    `judge(name, operations)` raises ApiError for broker configs that the broker could not run with. `with_loggers`: levels can be changed so.
    """
    verdicts: Verdicts = {}
    for resource, operations in changes:
        try:
            if resource in verdicts:
                raise ApiError(Error.INVALID_REQUEST, "Each resource must appear at most once.")
            verdicts[resource] = None
            _check(resource, operations, node_id, judge, with_loggers)
        except ApiError as error:
            verdicts[resource] = error
    return verdicts


def screen_on_controller(changes: Iterable[Change], node_id: int, *, with_loggers: bool) -> Verdicts:
    """As `screen`, of what comes by a controller's own listener."""
    verdicts: Verdicts = {}
    for resource, operations in changes:
        try:
            if resource[0] == BROKER_LOGGER and with_loggers:
                verdicts.setdefault(resource, None)
                try:
                    _check_levels(resource[1], operations, node_id)
                except ApiError as error:
                    raise ApiError(error.error, error.message or MESSAGES[error.error]) from None
            elif resource[0] not in (*_STORED, BROKER_LOGGER):
                raise ApiError(Error.UNSUPPORTED_VERSION, f"Unknown resource type {resource[0]}.")
            elif resource in verdicts:
                raise ApiError(Error.INVALID_REQUEST, "Duplicate resource.")
            elif resource[0] == BROKER_LOGGER:
                raise ApiError(Error.INVALID_REQUEST, "Unexpected resource type BROKER_LOGGER.")
            else:
                verdicts[resource] = None
        except ApiError as error:
            verdicts[resource] = error
    return verdicts


def node_id_of(name: str) -> int | None:
    """A resource's name as a node's id, None if it is no 32-bit number."""
    digits = name[1:] if name[:1] in ("+", "-") else name
    if not digits.isdecimal() or len(digits) > 400 or not _LEAST_INT32 <= int(name) <= _GREATEST_INT32:
        return None
    return int(name)


def _check(resource: ConfigResource, operations: Operations, node_id: int, judge: Judge, with_loggers: bool) -> None:
    resource_type, name = resource
    if len({key for key, _ in operations}) != len(operations):
        raise ApiError(Error.INVALID_REQUEST, "Error due to duplicate config keys")
    nulls = [key for key, (operation, value) in operations if value is None and operation != DELETE]
    if nulls:
        raise ApiError(Error.INVALID_REQUEST, f"Null value not supported for : {', '.join(nulls)}")
    if resource_type == BROKER_LOGGER and with_loggers:
        _check_levels(name, operations, node_id)
    elif resource_type not in _STORED:
        raise ApiError(Error.INVALID_REQUEST, f"Unknown resource type {resource_type}")
    elif resource_type == BROKER:
        if name and _wanted_node(name) != node_id:
            raise ApiError(Error.INVALID_REQUEST, f"Unexpected broker id, expected {node_id}, but received {name}")
        unknown = [operation for _, (operation, _) in operations if not SET <= operation <= SUBTRACT]
        if unknown:
            raise ApiError(Error.INVALID_REQUEST, f"Unknown operations type {unknown[0]}")
        judge(name, operations)


def _wanted_node(name: str) -> int:
    found = node_id_of(name)
    if found is None:
        raise ApiError(Error.INVALID_REQUEST, f"Node id must be an integer, but it is: {name}")
    return found


def _check_levels(name: str, operations: Operations, node_id: int) -> None:
    """Whether the levels of loggers may become so. A node has one logger, the root."""
    found = _wanted_node(name)
    if found != node_id:
        raise ApiError(Error.INVALID_REQUEST, f"Unexpected node id. Expected {node_id}, but received {found}")
    for logger, (operation, level) in operations:
        if operation in (APPEND, SUBTRACT):
            verb = "APPEND" if operation == APPEND else "SUBTRACT"
            raise ApiError(Error.INVALID_REQUEST, f"{verb} operation is not allowed for the BROKER_LOGGER resource")
        if operation not in (SET, DELETE):
            raise ApiError(Error.UNKNOWN_SERVER_ERROR)  # as Apache Kafka, which trips over it
        if logger != ROOT_LOGGER:
            raise ApiError(Error.INVALID_CONFIG, f"Logger {logger} does not exist!")
        if operation == DELETE:
            raise ApiError(Error.INVALID_REQUEST, f"Removing the log level of the {ROOT_LOGGER} logger is not allowed")
        if level not in LOG_LEVELS:
            raise ApiError(
                Error.INVALID_CONFIG,
                f"Cannot set the log level of {logger} to {level} as it is not a supported log level. Valid log levels are {', '.join(LOG_LEVELS)}",
            )
