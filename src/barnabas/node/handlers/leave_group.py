"""LeaveGroup (13), versions 0-5. Needs Read on the group.

3 brought several members and static ones; before it, the one member's error is the answer's. 5 brought reasons. As Apache Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups.answers import leave_error
from barnabas.wire.errors import Error
from barnabas.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call

_SEVERAL_MEMBERS = 3


def handle(request: LeaveGroupRequest, call: Call) -> LeaveGroupResponse | None:
    if call.version >= _SEVERAL_MEMBERS:
        call.node.groups.coordinator.leave_group(request, call.reply)
        return None

    def answer(response: LeaveGroupResponse) -> None:
        error = response.error_code or response.members[0].error_code
        call.reply(leave_error(Error(error)))

    request.members = [LeaveGroupRequest.MemberIdentity(member_id=request.member_id)]
    call.node.groups.coordinator.leave_group(request, answer)
    return None
