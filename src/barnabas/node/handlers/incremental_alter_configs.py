"""IncrementalAlterConfigs (44), versions 0-1. Needs AlterConfigs on each topic or group, on the cluster for brokers. KIP-339.

Both versions are alike. As Apache Kafka, except that the levels of a broker's loggers can't be changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.config_changes import incremental_alter
from barnabas.core.controller.config_screening import screen
from barnabas.node.config.dynamic import judge_increments
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import ApiError, Result
    from barnabas.core.metadata.image import ConfigResource
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest


def handle(request: IncrementalAlterConfigsRequest, call: Call) -> None:
    changes = [
        ((resource.resource_type, resource.resource_name), [(config.name, (config.config_operation, config.value)) for config in resource.configs])
        for resource in request.resources
    ]
    verdicts = screen(
        changes, call.node.config.node_id, judge_increments(call.node.config, call.node.image), on_controller=call.on_controller_listener
    )
    allowed = {resource: dict(operations) for (resource, operations), refused in zip(changes, verdicts, strict=True) if refused is None}

    def alter(controller: Controller, now_ms: int) -> Result:
        return incremental_alter(controller, allowed, validate_only=request.validate_only, forwarded=not call.on_controller_listener)

    def answer(outcome: dict[ConfigResource, ApiError | None]) -> None:
        rows = []
        for (resource, _), refused in zip(changes, verdicts, strict=True):
            refused = refused or outcome.get(resource)
            rows.append(_row(resource, refused.error if refused else 0, refused.message if refused else None))
        call.reply(IncrementalAlterConfigsResponse(throttle_time_ms=0, responses=rows))

    def refuse(error: Error, message: str | None) -> None:
        call.reply(IncrementalAlterConfigsResponse(throttle_time_ms=0, responses=[_row(resource, error, message) for resource, _ in changes]))

    call.node.controller.submit(alter, answer, refuse)


def _row(resource: ConfigResource, error: int, message: str | None) -> IncrementalAlterConfigsResponse.AlterConfigsResource:
    return IncrementalAlterConfigsResponse.AlterConfigsResource(
        error_code=error, error_message=message, resource_type=resource[0], resource_name=resource[1]
    )
