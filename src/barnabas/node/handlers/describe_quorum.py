"""DescribeQuorum (55), versions 0-2. Needs Describe on the cluster. KIP-595, KIP-836, KIP-853.

1 has the times of fetches, 2 directories, the voters' endpoints and messages. As Apache Kafka: of __cluster_metadata-0 only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.result import ApiError, Result
from barnabas.wire.error_messages import MESSAGES
from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_quorum import DescribeQuorumResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.quorum.leader import ReplicaProgress
    from barnabas.core.quorum.quorum import QuorumDescription
    from barnabas.node.call import Call
    from barnabas.wire.messages.describe_quorum import DescribeQuorumRequest

METADATA_TOPIC = "__cluster_metadata"
Row = DescribeQuorumResponse.TopicData.PartitionData


def handle(request: DescribeQuorumRequest, call: Call) -> DescribeQuorumResponse | None:
    asked = [(topic.topic_name, partition.partition_index) for topic in request.topics for partition in topic.partitions]
    if asked != [(METADATA_TOPIC, 0)]:
        return DescribeQuorumResponse(
            error_code=0,
            topics=[
                DescribeQuorumResponse.TopicData(
                    topic_name=topic.topic_name,
                    partitions=[_refusal(each.partition_index, Error.UNKNOWN_TOPIC_OR_PARTITION) for each in topic.partitions],
                )
                for topic in request.topics
            ],
        )

    def describe(controller: Controller, now_ms: int) -> Result:
        found = call.node.controller.quorum.describe()
        if found is None:  # a broker that forwards this looks for the leader then
            raise ApiError(Error.NOT_CONTROLLER)
        return Result([], found)

    def answer(quorum: QuorumDescription) -> None:
        call.reply(_response(quorum, call.version))

    def refuse(error: Error, message: str | None) -> None:
        if error == Error.NOT_CONTROLLER:
            call.reply(_response(None, call.version))
        else:
            call.reply(DescribeQuorumResponse(error_code=error, error_message=message, topics=[]))

    call.submit(describe, answer, refuse)
    return None


def _response(quorum: QuorumDescription | None, version: int) -> DescribeQuorumResponse:
    partition = _refusal(0, Error.NOT_LEADER_OR_FOLLOWER) if quorum is None else _partition(quorum, version)
    response = DescribeQuorumResponse(error_code=0, topics=[DescribeQuorumResponse.TopicData(topic_name=METADATA_TOPIC, partitions=[partition])])
    if quorum is not None and version >= 2:
        response.nodes = [
            DescribeQuorumResponse.Node(
                node_id=voter.id,
                listeners=[
                    DescribeQuorumResponse.Node.Listener(name=endpoint.listener, host=endpoint.host, port=endpoint.port)
                    for endpoint in voter.endpoints
                ],
            )
            for voter in quorum.nodes
        ]
    return response


def _partition(quorum: QuorumDescription, version: int) -> Row:
    return Row(
        partition_index=0,
        error_code=0,
        leader_id=quorum.leader_id,
        leader_epoch=quorum.leader_epoch,
        high_watermark=quorum.high_watermark,
        current_voters=[_replica(voter, version) for voter in quorum.voters],
        observers=[_replica(observer, version) for observer in quorum.observers],
    )


def _replica(replica: ReplicaProgress, version: int) -> DescribeQuorumResponse.ReplicaState:
    state = DescribeQuorumResponse.ReplicaState(
        replica_id=replica.id,
        log_end_offset=replica.log_end_offset,
        last_fetch_timestamp=replica.last_fetch_ms,
        last_caught_up_timestamp=replica.last_caught_up_ms,
    )
    if version >= 2:
        state.replica_directory_id = replica.directory_id
    return state


def _refusal(index: int, error: Error) -> Row:
    return Row(
        partition_index=index,
        error_code=error,
        error_message=MESSAGES[error],
        leader_id=0,
        leader_epoch=0,
        high_watermark=0,
        current_voters=[],
        observers=[],
    )
