"""DescribeProducers (61), version 0. Needs Read on each topic. KIP-664: who writes to a partition, and which transaction holds its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.topic_names import problem
from barnabas.wire.error_messages import MESSAGES
from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_producers import DescribeProducersResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.describe_producers import DescribeProducersRequest

Topic = DescribeProducersResponse.Topic
Row = Topic.Partition


def handle(request: DescribeProducersRequest, call: Call) -> DescribeProducersResponse:
    return DescribeProducersResponse(
        throttle_time_ms=0,
        topics=[
            Topic(name=topic.name, partitions=[_describe(call, topic.name, index) for index in topic.partition_indexes]) for topic in request.topics
        ],
    )


def _describe(call: Call, topic: str, index: int) -> Row:
    why = problem(topic)
    if why is not None:
        return Row(partition_index=index, error_code=Error.INVALID_TOPIC_EXCEPTION, error_message=why, active_producers=[])
    partition = call.node.partition_by_name(topic, index)
    if isinstance(partition, Error):
        why = None if call.node.topic_exists(topic) else MESSAGES[Error.UNKNOWN_TOPIC_OR_PARTITION]
        return Row(partition_index=index, error_code=partition, error_message=why, active_producers=[])
    with partition.lock:
        active = [
            Row.ProducerState(
                producer_id=entry.producer_id,
                producer_epoch=entry.producer_epoch,
                last_sequence=entry.last_sequence,
                last_timestamp=entry.timestamp,
                coordinator_epoch=entry.coordinator_epoch,
                current_txn_start_offset=entry.first_offset,
            )
            for entry in partition.producers.entries()
        ]
    return Row(partition_index=index, error_code=0, active_producers=active)
