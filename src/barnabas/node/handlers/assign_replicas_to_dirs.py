"""AssignReplicasToDirs (73), version 0. Needs ClusterAction. KIP-858. As Apache Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.broker_life import assign_replicas_to_dirs
from barnabas.wire.messages.assign_replicas_to_dirs import AssignReplicasToDirsResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest


def handle(request: AssignReplicasToDirsRequest, call: Call) -> None:
    def assign(controller: Controller, now_ms: int) -> Result:
        return assign_replicas_to_dirs(controller, request)

    def refuse(error: Error, message: str | None) -> None:
        call.reply(AssignReplicasToDirsResponse(throttle_time_ms=0, error_code=error, directories=[]))

    call.submit(assign, call.reply, refuse, at_commit=True)
