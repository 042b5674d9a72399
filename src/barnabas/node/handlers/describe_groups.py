"""DescribeGroups (15), versions 0-6. Needs Describe on each group.

3 brought authorised operations, 4 static members, 6 an error for an unknown group, which older versions see as a dead one. Only classic groups are found
here. As Apache Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.messages.describe_groups import DescribeGroupsResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.describe_groups import DescribeGroupsRequest

_GROUP_OPERATIONS = 0b1101_0100_1000  # read delete describe describe_configs alter_configs


def handle(request: DescribeGroupsRequest, call: Call) -> DescribeGroupsResponse | None:
    def answer(groups: list[DescribeGroupsResponse.DescribedGroup]) -> None:
        if request.include_authorized_operations:
            for group in groups:
                if not group.error_code:
                    group.authorized_operations = _GROUP_OPERATIONS
        call.reply(DescribeGroupsResponse(groups=groups))

    call.node.groups.coordinator.describe_groups(list(dict.fromkeys(request.groups)), call.version, answer)
    return None
