"""ListGroups (16), versions 0-5. Needs Describe on the cluster, or on each group that is to be shown.

4 brought states and a filter by state, 5 types and a filter by type. As Apache Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse


def handle(request: ListGroupsRequest, call: Call) -> ListGroupsResponse | None:
    call.node.groups.coordinator.list_groups(request.states_filter, request.types_filter, call.reply)
    return None
