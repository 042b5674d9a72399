"""SyncGroup (14): versions 0-5, flexible from 4. The leader hands in the assignment, each member takes its own.

3 static members (KIP-345); 5 protocol type and name on both sides, which must agree (KIP-559).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, since
from barnabas.wire.types import Array, Bytes, Int16, Int32, String


class SyncGroupRequest(Message, key=14, versions="0-5", flexible="4+"):
    group_id: String
    generation_id: Int32
    member_id: String
    group_instance_id: String | None = since(3, default=None)
    protocol_type: String | None = since(5, default=None, ignorable=True)
    protocol_name: String | None = since(5, default=None, ignorable=True)
    assignments: Array[Assignment]

    class Assignment(Struct):
        member_id: String
        assignment: Bytes


class SyncGroupResponse(Message, key=14, versions="0-5", flexible="4+"):
    throttle_time_ms: Int32 = since(1, default=0, ignorable=True)
    error_code: Int16
    protocol_type: String | None = since(5, default=None, ignorable=True)
    protocol_name: String | None = since(5, default=None, ignorable=True)
    assignment: Bytes
