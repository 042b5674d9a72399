"""DeleteGroups (42), versions 0-2. Needs Delete on each group. Only groups without members go. As Apache Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.messages.delete_groups import DeleteGroupsResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.delete_groups import DeleteGroupsRequest


def handle(request: DeleteGroupsRequest, call: Call) -> DeleteGroupsResponse | None:
    def answer(results: list[DeleteGroupsResponse.DeletableGroupResult]) -> None:
        call.reply(DeleteGroupsResponse(throttle_time_ms=0, results=results))

    call.node.groups.coordinator.delete_groups(list(dict.fromkeys(request.groups_names)), answer)
    return None
