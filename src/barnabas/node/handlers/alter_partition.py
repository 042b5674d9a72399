"""AlterPartition (56), versions 2-3. Needs ClusterAction. KIP-497, KIP-841, KIP-903.

3 tells the epoch of each member of the new ISR. As Apache Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.isr_changes import alter_partition
from barnabas.wire.messages.alter_partition import AlterPartitionResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.alter_partition import AlterPartitionRequest


def handle(request: AlterPartitionRequest, call: Call) -> None:
    def alter(controller: Controller, now_ms: int) -> Result:
        return alter_partition(controller, request, call.version)

    def refuse(error: Error, message: str | None) -> None:
        call.reply(AlterPartitionResponse(throttle_time_ms=0, error_code=error, topics=[]))

    call.submit(alter, call.reply, refuse, at_commit=True)
