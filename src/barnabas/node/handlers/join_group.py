"""JoinGroup (11), versions 0-9. Needs Read on the group.

1 brought a rebalance timeout, 4 the id that must be known first (KIP-394), 5 static members (KIP-345), 7 protocol types in the answer, 8 reasons, 9 skipping
the assignment (KIP-814). Answered when the join phase ends. As Apache Kafka (G18, G19).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups.context import Caller

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.join_group import JoinGroupRequest, JoinGroupResponse

_NULL_PROTOCOL_NAME = 7


def handle(request: JoinGroupRequest, call: Call) -> JoinGroupResponse | None:
    def answer(response: JoinGroupResponse) -> None:
        name = response.protocol_name  # "" and null are the same thing before and after version 7
        response.protocol_name = (name or None) if call.version >= _NULL_PROTOCOL_NAME else (name or "")
        call.reply(response)

    call.node.groups.coordinator.join_group(request, Caller(call.client_id, call.client_host, call.version), answer)
    return None
