"""AlterConfigs (33), versions 0-2: a resource's configs become what the request says, and nothing else. Needs what IncrementalAlterConfigs needs. KIP-133.

All versions are alike. As Apache Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.config_changes import SET, legacy_alter
from barnabas.core.controller.config_screening import screen, screen_on_controller
from barnabas.node.config.dynamic import judge_replacement
from barnabas.node.config_requests import change_by_controller
from barnabas.wire.messages.alter_configs import AlterConfigsResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import ApiError, Result
    from barnabas.core.metadata.image import ConfigResource
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.alter_configs import AlterConfigsRequest


def handle(request: AlterConfigsRequest, call: Call) -> None:
    changes = [
        ((resource.resource_type, resource.resource_name), [(config.name, (SET, config.value)) for config in resource.configs])
        for resource in request.resources
    ]
    node = call.node
    if not call.on_controller_listener:
        verdicts = screen(changes, node.config.node_id, judge_replacement(node.config), with_loggers=False)
        change_by_controller(call, request, verdicts, _row, lambda rows: call.reply(AlterConfigsResponse(throttle_time_ms=0, responses=rows)))
        return
    verdicts = screen_on_controller(changes, node.config.node_id, with_loggers=False)
    asked = list(verdicts)
    allowed = {resource: {name: value for name, (_, value) in operations} for resource, operations in changes if verdicts[resource] is None}

    def alter(controller: Controller, now_ms: int) -> Result:
        return legacy_alter(controller, allowed, validate_only=request.validate_only, forwarded=call.is_forwarded)

    def answer(outcome: dict[ConfigResource, ApiError | None]) -> None:
        rows = []
        for resource in asked:
            refused = verdicts[resource] or outcome.get(resource)
            rows.append(_row(resource, refused.error if refused else 0, refused.message if refused else None))
        call.reply(AlterConfigsResponse(throttle_time_ms=0, responses=rows))

    def refuse(error: Error, message: str | None) -> None:
        call.reply(AlterConfigsResponse(throttle_time_ms=0, responses=[_row(resource, error, message) for resource in asked]))

    call.submit(alter, answer, refuse)


def _row(resource: ConfigResource, error: int, message: str | None) -> AlterConfigsResponse.Resource:
    return AlterConfigsResponse.Resource(error_code=error, error_message=message, resource_type=resource[0], resource_name=resource[1])
