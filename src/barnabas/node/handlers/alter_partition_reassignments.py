"""AlterPartitionReassignments (45), versions 0-1. Needs Alter on the cluster. KIP-455, KIP-860.

1 can forbid another number of replicas. As Apache Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.reassignments import alter_partition_reassignments
from barnabas.wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest

Answered = AlterPartitionReassignmentsResponse.ReassignableTopic


def handle(request: AlterPartitionReassignmentsRequest, call: Call) -> None:
    def alter(controller: Controller, now_ms: int) -> Result:
        return alter_partition_reassignments(controller, request)

    def refuse(error: Error, message: str | None) -> None:
        answers = [
            Answered(
                name=topic.name,
                partitions=[
                    Answered.ReassignablePartition(partition_index=each.partition_index, error_code=error, error_message=message)
                    for each in topic.partitions
                ],
            )
            for topic in request.topics
        ]
        call.reply(AlterPartitionReassignmentsResponse(throttle_time_ms=0, error_code=error, error_message=message, responses=answers))

    call.submit_within(request.timeout_ms if request.topics else 1, alter, call.reply, refuse)
