"""LeaveGroup (13): versions 0-5, flexible from 4. Members leave a classic group.

3 several members at once, by member or instance id (KIP-345); 5 a reason (KIP-800).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, between, since
from barnabas.wire.types import Array, Int16, Int32, String


class LeaveGroupRequest(Message, key=13, versions="0-5", flexible="4+"):
    group_id: String
    member_id: String = between(0, 2, default="")
    members: Array[MemberIdentity] = since(3, default=[])

    class MemberIdentity(Struct):
        member_id: String = since(3, default="")
        group_instance_id: String | None = since(3, default=None)
        reason: String | None = since(5, default=None, ignorable=True)


class LeaveGroupResponse(Message, key=13, versions="0-5", flexible="4+"):
    throttle_time_ms: Int32 = since(1, default=0, ignorable=True)
    error_code: Int16
    members: Array[Member] = since(3, default=[])

    class Member(Struct):
        member_id: String = since(3, default="")
        group_instance_id: String | None = since(3, default="")
        error_code: Int16 = since(3, default=0)
