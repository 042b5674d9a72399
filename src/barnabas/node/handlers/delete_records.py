"""DeleteRecords (21), versions 0-2. Needs Delete on each topic. KIP-107: moves the log's start, at most to the high watermark (-1: to it) (D112).

As Apache Kafka: a topic that may not be deleted from (cleanup.policy without delete) answers POLICY_VIOLATION. Differs: Apache Kafka answers, and writes
the new start into its checkpoint within a minute; here it is written first. Should that fail, the answer is Apache Kafka's all the same: the records are
deleted, until a crash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.topic_views import INTERNAL_TOPICS
from barnabas.storage.errors import StorageError
from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_records import DeleteRecordsResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.delete_records import DeleteRecordsRequest

Result = DeleteRecordsResponse.TopicResult
Row = Result.PartitionResult

TO_HIGH_WATERMARK = -1


def handle(request: DeleteRecordsRequest, call: Call) -> None:
    response = DeleteRecordsResponse(
        throttle_time_ms=0,
        topics=[
            Result(name=topic.name, partitions=[_delete(call, topic.name, asked.partition_index, asked.offset) for asked in topic.partitions])
            for topic in request.topics
        ],
    )
    call.node.disk.checkpoint_log_starts(lambda: call.reply(response))


def _delete(call: Call, topic: str, index: int, offset: int) -> Row:
    if topic in INTERNAL_TOPICS and call.node.topic_exists(topic):
        return Row(partition_index=index, low_watermark=-1, error_code=Error.INVALID_TOPIC_EXCEPTION)
    partition = call.node.partition_by_name(topic, index)
    if isinstance(partition, Error):
        return Row(partition_index=index, low_watermark=-1, error_code=partition)
    if not call.node.topic_settings(topic).delete:
        return Row(partition_index=index, low_watermark=-1, error_code=Error.POLICY_VIOLATION)
    with partition.lock:
        target = partition.high_watermark if offset == TO_HIGH_WATERMARK else offset
        if not 0 <= target <= partition.high_watermark:
            return Row(partition_index=index, low_watermark=-1, error_code=Error.OFFSET_OUT_OF_RANGE)
        failure: StorageError | None = None
        try:
            partition.log.set_start_offset(target)
        except StorageError as error:
            failure = error
    if failure is not None:  # without the lock: giving up the disk takes it
        call.node.on_storage_error(partition, failure)
        return Row(partition_index=index, low_watermark=-1, error_code=Error.KAFKA_STORAGE_ERROR)
    return Row(partition_index=index, low_watermark=partition.log.start_offset, error_code=0)
