"""SyncGroup (14), versions 0-5. Needs Read on the group.

3 brought static members, 5 protocol type and name, which are then required. Answered when the leader has sent the assignment. As Apache Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups.answers import sync_error
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse

_PROTOCOL_REQUIRED = 5


def handle(request: SyncGroupRequest, call: Call) -> SyncGroupResponse | None:
    if call.version >= _PROTOCOL_REQUIRED and (request.protocol_type is None or request.protocol_name is None):
        return sync_error(Error.INCONSISTENT_GROUP_PROTOCOL)
    call.node.groups.coordinator.sync_group(request, call.reply)
    return None
