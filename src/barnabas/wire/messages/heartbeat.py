"""Heartbeat (12): versions 0-4, flexible from 4. A classic group's member is alive.

3 static members (KIP-345).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, since
from barnabas.wire.types import Int16, Int32, String


class HeartbeatRequest(Message, key=12, versions="0-4", flexible="4+"):
    group_id: String
    generation_id: Int32
    member_id: String
    group_instance_id: String | None = since(3, default=None)


class HeartbeatResponse(Message, key=12, versions="0-4", flexible="4+"):
    throttle_time_ms: Int32 = since(1, default=0, ignorable=True)
    error_code: Int16
