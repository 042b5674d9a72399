"""BrokerHeartbeat (63), versions 0-2. Needs ClusterAction. KIP-631.

1 has offline log directories, 2 cordoned ones. As Apache Kafka, but a broker that is told to go may register again at once (O3), and the end of the
connection is looked into (O1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.broker_life import HeartbeatReply, process_broker_heartbeat
from barnabas.node.call import InnerCall
from barnabas.wire.messages.broker_heartbeat import BrokerHeartbeatResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.broker_heartbeat import BrokerHeartbeatRequest


def handle(request: BrokerHeartbeatRequest, call: Call) -> None:
    def beat(controller: Controller, now_ms: int) -> Result:
        return process_broker_heartbeat(controller, request, now_ms)

    def answer(reply: HeartbeatReply) -> None:
        if not isinstance(call, InnerCall) and call.node.broker_deaths is not None:  # this node's own come by no connection
            call.node.broker_deaths.heard(request.broker_id, request.broker_epoch, call.connection)
        call.reply(
            BrokerHeartbeatResponse(
                throttle_time_ms=0,
                error_code=0,
                is_caught_up=reply.is_caught_up,
                is_fenced=reply.is_fenced,
                should_shut_down=reply.should_shut_down,
            )
        )

    def refuse(error: Error, message: str | None) -> None:
        call.reply(BrokerHeartbeatResponse(throttle_time_ms=0, error_code=error, is_caught_up=False, should_shut_down=False))

    call.submit(beat, answer, refuse, at_commit=True)
