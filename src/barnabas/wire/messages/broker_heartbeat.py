"""BrokerHeartbeat (63): versions 0-2."""

from __future__ import annotations

from barnabas.wire.schema import Message, always, tagged
from barnabas.wire.types import Array, Bool, Int16, Int32, Int64, Uuid


class BrokerHeartbeatRequest(Message, key=63, versions="0-2", flexible="0+"):
    broker_id: Int32
    broker_epoch: Int64 = always(default=-1)
    current_metadata_offset: Int64
    want_fence: Bool
    want_shut_down: Bool
    offline_log_dirs: Array[Uuid] = tagged(0, first=1, default=[])
    cordoned_log_dirs: Array[Uuid] | None = tagged(1, first=2, default=None)


class BrokerHeartbeatResponse(Message, key=63, versions="0-2", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    is_caught_up: Bool
    is_fenced: Bool = always(default=True)
    should_shut_down: Bool
