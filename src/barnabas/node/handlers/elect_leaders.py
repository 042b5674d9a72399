"""ElectLeaders (43), versions 0-2. Needs Alter on the cluster. KIP-183, KIP-460.

1 has unclean elections. As Apache Kafka: without a list, all partitions are tried, and those that need no election aren't in the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.elections import elect_leaders
from barnabas.wire.messages.elect_leaders import ElectLeadersResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.elect_leaders import ElectLeadersRequest

Row = ElectLeadersResponse.ReplicaElectionResult


def handle(request: ElectLeadersRequest, call: Call) -> ElectLeadersResponse | None:
    if request.topic_partitions is not None and not request.topic_partitions:
        return ElectLeadersResponse(throttle_time_ms=0, replica_election_results=[])  # whatever else it says

    def elect(controller: Controller, now_ms: int) -> Result:
        return elect_leaders(controller, request)

    def refuse(error: Error, message: str | None) -> None:
        results = [
            Row(
                topic=topic.topic,
                partition_result=[Row.PartitionResult(partition_id=each, error_code=error, error_message=message) for each in topic.partitions],
            )
            for topic in request.topic_partitions or ()
        ]
        call.reply(ElectLeadersResponse(throttle_time_ms=0, error_code=error if call.version >= 1 else 0, replica_election_results=results))

    call.submit_within(request.timeout_ms, elect, call.reply, refuse)
    return None
