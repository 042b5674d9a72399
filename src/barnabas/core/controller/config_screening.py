"""What a broker refuses of AlterConfigs and IncrementalAlterConfigs before the controller sees it.

Source: Apache's `ConfigAdminManager`. Broker configs are judged here, by the broker that they are for: the controller takes them as they come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.config_changes import DELETE, SET, SUBTRACT
from barnabas.core.controller.result import ApiError
from barnabas.core.metadata.image import BROKER, CLIENT_METRICS, GROUP, TOPIC
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from barnabas.core.controller.config_changes import Operation
    from barnabas.core.metadata.image import ConfigResource

    Change = tuple[ConfigResource, Sequence[tuple[str, Operation]]]
    """A resource, and what is asked for each of its configs, in the request's order."""
    Judge = Callable[[str, Sequence[tuple[str, Operation]]], None]


def screen(changes: Iterable[Change], node_id: int, judge: Judge, *, on_controller: bool) -> list[ApiError | None]:
    """Why each change is refused, None where it may go on to the controller. On a controller's own listener only doubles are refused.

    `judge(name, operations)` raises ApiError for broker configs that the broker could not run with.
    """
    asked = list(changes)
    seen: dict[ConfigResource, int] = {}
    for resource, _ in asked:
        seen[resource] = seen.get(resource, 0) + 1
    verdicts: list[ApiError | None] = []
    for resource, operations in asked:
        try:
            if seen[resource] > 1:
                raise ApiError(Error.INVALID_REQUEST, "The request names this resource more than once.")
            _check(resource, operations, node_id, judge, on_controller)
            verdicts.append(None)
        except ApiError as error:
            verdicts.append(error)
    return verdicts


def _check(resource: ConfigResource, operations: Sequence[tuple[str, Operation]], node_id: int, judge: Judge, on_controller: bool) -> None:
    resource_type, name = resource
    if len({key for key, _ in operations}) != len(operations):
        raise ApiError(Error.INVALID_REQUEST, "The request names a config of the resource twice.")
    nulls = [key for key, (operation, value) in operations if value is None and operation != DELETE]
    if nulls:
        raise ApiError(Error.INVALID_REQUEST, f"These configs have no value: {', '.join(nulls)}")
    if resource_type not in (TOPIC, BROKER, CLIENT_METRICS, GROUP):
        raise ApiError(Error.INVALID_REQUEST, f"Configs of resource type {resource_type} can't be changed here.")
    if resource_type == BROKER and not on_controller:
        if name and name != str(node_id):
            raise ApiError(Error.INVALID_REQUEST, f"This is broker {node_id}; send configs of broker {name} to that one.")
        unknown = [operation for _, (operation, _) in operations if not SET <= operation <= SUBTRACT]
        if unknown:
            raise ApiError(Error.INVALID_REQUEST, f"There is no config operation {unknown[0]}.")
        judge(name, operations)
