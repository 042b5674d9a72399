"""ListPartitionReassignments (46), version 0. Needs Describe on the cluster. KIP-455. As Apache Kafka: what is being moved, of all or of the partitions named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.reassignments import list_partition_reassignments
from barnabas.core.controller.result import Result
from barnabas.wire.messages.list_partition_reassignments import ListPartitionReassignmentsResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.list_partition_reassignments import ListPartitionReassignmentsRequest


def handle(request: ListPartitionReassignmentsRequest, call: Call) -> None:
    def list_(controller: Controller, now_ms: int) -> Result:
        return Result([], list_partition_reassignments(controller, request))

    def refuse(error: Error, message: str | None) -> None:
        call.reply(ListPartitionReassignmentsResponse(throttle_time_ms=0, error_code=error, error_message=message, topics=[]))

    call.submit(list_, call.reply, refuse)
