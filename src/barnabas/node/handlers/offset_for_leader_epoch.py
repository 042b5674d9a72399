"""OffsetForLeaderEpoch (23), versions 2-4. Needs Describe on each topic. KIP-101, 279, 320: where an epoch ended, so that a reader can truncate (R11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.messages.offset_for_leader_epoch import OffsetForLeaderEpochResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.offset_for_leader_epoch import OffsetForLeaderEpochRequest

Result = OffsetForLeaderEpochResponse.OffsetForLeaderTopicResult
Row = Result.EpochEndOffset


def handle(request: OffsetForLeaderEpochRequest, call: Call) -> OffsetForLeaderEpochResponse:
    return OffsetForLeaderEpochResponse(
        topics=[
            Result(
                topic=topic.topic,
                partitions=[_find(call, topic.topic, p.partition, p.current_leader_epoch, p.leader_epoch) for p in topic.partitions],
            )
            for topic in request.topics
        ]
    )


def _find(call: Call, topic: str, index: int, current_leader_epoch: int, leader_epoch: int) -> Row:
    partition = call.node.partition_by_name(topic, index)
    error = partition if isinstance(partition, Error) else partition.check_epoch(current_leader_epoch)
    if isinstance(partition, Error) or error:
        return Row(partition=index, error_code=error)
    epoch, end_offset = partition.epochs.end_offset_for(leader_epoch, partition.log.end_offset)
    return Row(partition=index, error_code=0, leader_epoch=epoch, end_offset=end_offset)
