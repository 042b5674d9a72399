"""JoinGroup (11): versions 0-9, flexible from 6. A classic group's member joins, or says that it is still in.

1 a rebalance timeout of its own (KIP-62); 4 a first join is sent back with a member id (KIP-394); 5 static members (KIP-345); 7 the reply
names the protocol type (KIP-559); 8 a reason (KIP-800); 9 the leader may be told not to assign (KIP-814).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Bool, Bytes, Int16, Int32, String


class JoinGroupRequest(Message, key=11, versions="0-9", flexible="6+"):
    group_id: String
    session_timeout_ms: Int32
    rebalance_timeout_ms: Int32 = since(1, default=-1, ignorable=True)
    member_id: String
    group_instance_id: String | None = since(5, default=None)
    protocol_type: String
    protocols: Array[Protocol]
    reason: String | None = since(8, default=None, ignorable=True)

    class Protocol(Struct):
        name: String
        metadata: Bytes


class JoinGroupResponse(Message, key=11, versions="0-9", flexible="6+"):
    throttle_time_ms: Int32 = since(2, default=0, ignorable=True)
    error_code: Int16
    generation_id: Int32 = always(default=-1)
    protocol_type: String | None = since(7, default=None, ignorable=True)
    protocol_name: String | None = always(default="", nullable=7)
    leader: String
    skip_assignment: Bool = since(9, default=False)
    member_id: String
    members: Array[Member]

    class Member(Struct):
        member_id: String
        group_instance_id: String | None = since(5, default=None, ignorable=True)
        metadata: Bytes
