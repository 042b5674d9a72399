"""Heartbeat (12), versions 0-4. Needs Read on the group. 3 brought static members. As Apache Kafka (W31)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse


def handle(request: HeartbeatRequest, call: Call) -> HeartbeatResponse | None:
    call.node.groups.coordinator.heartbeat(request, call.reply)
    return None
