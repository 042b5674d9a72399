"""IncrementalAlterConfigs (44), versions 0-1. Needs AlterConfigs on each topic or group, on the cluster for brokers. KIP-339.

Both versions are alike. As Apache Kafka; of loggers there is one, the root. Its level is changed here and at once, and lasts as long as the process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.config_changes import incremental_alter
from barnabas.core.controller.config_screening import screen, screen_on_controller
from barnabas.core.metadata.image import BROKER_LOGGER
from barnabas.node.config.dynamic import judge_increments
from barnabas.node.config_requests import change_by_controller
from barnabas.node.console_log import NAMES
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.core.controller.config_screening import Change, Verdicts
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import ApiError, Result
    from barnabas.core.metadata.image import ConfigResource
    from barnabas.node.call import Call
    from barnabas.node.server import Node
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest


def handle(request: IncrementalAlterConfigsRequest, call: Call) -> None:
    changes = [
        ((resource.resource_type, resource.resource_name), [(config.name, (config.config_operation, config.value)) for config in resource.configs])
        for resource in request.resources
    ]
    node = call.node
    if not call.on_controller_listener:
        verdicts = screen(changes, node.config.node_id, judge_increments(node.config, node.image), with_loggers=True)
        _set_levels(request, changes, verdicts, node)
        change_by_controller(
            call, request, verdicts, _row, lambda rows: call.reply(IncrementalAlterConfigsResponse(throttle_time_ms=0, responses=rows))
        )
        return
    verdicts = screen_on_controller(changes, node.config.node_id, with_loggers=True)
    asked = list(verdicts)
    _set_levels(request, changes, verdicts, node)
    allowed = {resource: dict(operations) for resource, operations in changes if verdicts[resource] is None and resource[0] != BROKER_LOGGER}

    def alter(controller: Controller, now_ms: int) -> Result:
        return incremental_alter(controller, allowed, validate_only=request.validate_only, forwarded=call.is_forwarded)

    def answer(outcome: dict[ConfigResource, ApiError | None]) -> None:
        rows = []
        for resource in asked:
            refused = verdicts[resource] or outcome.get(resource)
            rows.append(_row(resource, refused.error if refused else 0, refused.message if refused else None))
        call.reply(IncrementalAlterConfigsResponse(throttle_time_ms=0, responses=rows))

    def refuse(error: Error, message: str | None) -> None:
        call.reply(IncrementalAlterConfigsResponse(throttle_time_ms=0, responses=[_row(resource, error, message) for resource in asked]))

    call.submit(alter, answer, refuse)


def _set_levels(request: IncrementalAlterConfigsRequest, changes: Iterable[Change], verdicts: Verdicts, node: Node) -> None:
    """Loggers are this node's own."""
    for resource, operations in changes:
        if resource[0] == BROKER_LOGGER and verdicts[resource] is None and not request.validate_only:
            for _, (_, level) in operations:
                node.log.level = next(number for number, name in NAMES.items() if name == level)


def _row(resource: ConfigResource, error: int, message: str | None) -> IncrementalAlterConfigsResponse.AlterConfigsResource:
    return IncrementalAlterConfigsResponse.AlterConfigsResource(
        error_code=error, error_message=message, resource_type=resource[0], resource_name=resource[1]
    )
