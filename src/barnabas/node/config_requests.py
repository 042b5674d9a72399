"""Changes of configs that a broker is asked for: what it refuses itself, and what the controller makes of the rest, in one answer.

Owns putting the two together. What is refused is `core.controller.config_screening`'s. Source: Apache's `ConfigAdminManager`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.core.metadata.image import BROKER_LOGGER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from barnabas.core.controller.result import ApiError
    from barnabas.core.metadata.image import ConfigResource
    from barnabas.node.call import Call

    Row = Callable[[ConfigResource, int, str | None], Any]


def change_by_controller(
    call: Call, request: Any, verdicts: Mapping[ConfigResource, ApiError | None], row: Row, respond: Callable[[list[Any]], object]
) -> None:
    """`respond(rows)`, made by `row(resource, error, message)`, in the request's order. `verdicts`: why the broker refuses each of its resources, or None;
    of loggers the broker has changed those that it didn't refuse."""
    allowed = [each for each in request.resources if verdicts[_key(each)] is None and each.resource_type != BROKER_LOGGER]

    def answered(response: Any) -> None:
        outcome = {} if response is None else {_key(each): each for each in response.responses}
        rows = []
        for resource in map(_key, request.resources):
            refused = verdicts[resource]
            if refused is not None:
                rows.append(row(resource, refused.error, refused.message))
            else:
                rows.append(outcome.get(resource) or row(resource, 0, None))
        respond(rows)

    if allowed:
        call.node.forwarding.ask(call, type(request)(resources=allowed, validate_only=request.validate_only), answered)
    else:
        answered(None)


def _key(resource: Any) -> ConfigResource:
    return resource.resource_type, resource.resource_name
