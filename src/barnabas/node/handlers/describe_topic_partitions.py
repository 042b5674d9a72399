"""DescribeTopicPartitions (75), version 0. Needs Describe on each topic. KIP-966: partitions with eligible leaders, page by page.

As Apache Kafka: topics in order of names, at most max.request.partition.size.limit partitions a response, the cursor names the next one (W33).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.topic_views import INTERNAL_TOPICS, TOPIC_OPERATIONS, describe_partition, is_topic_name
from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_topic_partitions import DescribeTopicPartitionsResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.describe_topic_partitions import DescribeTopicPartitionsRequest

Topic = DescribeTopicPartitionsResponse.Topic


def handle(request: DescribeTopicPartitionsRequest, call: Call) -> DescribeTopicPartitionsResponse:
    image, cursor = call.node.image, request.cursor
    names = sorted({topic.name for topic in request.topics} or set(image.topics.by_name))
    if cursor is not None:
        if cursor.partition_index < 0 or (request.topics and cursor.topic_name not in names):
            return _invalid(request)
        names = [name for name in names if name >= cursor.topic_name]
    left = min(max(request.response_partition_limit, 1), call.node.config.replication.max_partitions_per_request)
    response = DescribeTopicPartitionsResponse(topics=[], next_cursor=None)
    for name in names:
        if not left:
            response.next_cursor = DescribeTopicPartitionsResponse.Cursor(topic_name=name, partition_index=0)
            break
        found = image.topics.by_name.get(name)
        if found is None:
            if request.topics:
                error = Error.UNKNOWN_TOPIC_OR_PARTITION if is_topic_name(name) else Error.INVALID_TOPIC_EXCEPTION
                response.topics.append(
                    Topic(
                        error_code=error, name=name, is_internal=name in INTERNAL_TOPICS, partitions=[], topic_authorized_operations=TOPIC_OPERATIONS
                    )
                )
            continue
        start = cursor.partition_index if cursor is not None and cursor.topic_name == name else 0
        indexes = [index for index in sorted(found.partitions) if index >= start]
        shown = indexes[:left]
        left -= len(shown)
        response.topics.append(
            Topic(
                error_code=0,
                name=name,
                topic_id=found.id,
                is_internal=name in INTERNAL_TOPICS,
                partitions=[describe_partition(image, index, found.partitions[index], call.listener) for index in shown],
                topic_authorized_operations=TOPIC_OPERATIONS,
            )
        )
        if len(shown) < len(indexes):
            response.next_cursor = DescribeTopicPartitionsResponse.Cursor(topic_name=name, partition_index=indexes[len(shown)])
            break
    return response


def _invalid(request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse:
    """The cursor names no partition that there could be, or none of the topics asked for."""
    return DescribeTopicPartitionsResponse(
        topics=[Topic(error_code=Error.INVALID_REQUEST, name=topic.name, partitions=[]) for topic in request.topics], next_cursor=None
    )
