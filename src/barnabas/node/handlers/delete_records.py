"""DeleteRecords (21), versions 0-2. Needs Delete on each topic. KIP-107: moves the log's start, at most to the high watermark (-1: to it) (D112).

As Apache Kafka: a topic that may not be deleted from (cleanup.policy without delete) answers POLICY_VIOLATION. Differs: Apache Kafka answers, and writes
the new start into its checkpoint within a minute; here it is written first. Should that fail, the answer is Apache Kafka's all the same: the records are
deleted, until a crash. With other replicas the answer waits until all that live begin there too (R33), or for the request's time: REQUEST_TIMED_OUT.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from barnabas.node.coordinators.gathering import Gathering
from barnabas.node.topic_views import INTERNAL_TOPICS
from barnabas.storage.errors import StorageError
from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_records import DeleteRecordsResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.call import Call
    from barnabas.node.partition import Partition
    from barnabas.wire.messages.delete_records import DeleteRecordsRequest

Result = DeleteRecordsResponse.TopicResult
Row = Result.PartitionResult

TO_HIGH_WATERMARK = -1


def handle(request: DeleteRecordsRequest, call: Call) -> None:
    asked = [(topic.name, found) for topic in request.topics for found in topic.partitions]

    def done(rows: list[Row]) -> None:
        left = iter(rows)
        topics = [Result(name=topic.name, partitions=[next(left) for _ in topic.partitions]) for topic in request.topics if topic.partitions]
        response = DeleteRecordsResponse(throttle_time_ms=0, topics=topics)
        call.node.disk.checkpoint_log_starts(lambda: call.reply(response))

    loop = call.connection.network
    gathering: Gathering[Row] = Gathering(len(asked), done)
    late: list[Callable[[], None]] = []
    for place, (topic, found) in enumerate(asked):
        put = gathering.part(place)
        outcome = _delete(call, topic, found.partition_index, found.offset)
        if isinstance(outcome, Row):
            put(outcome)
            continue
        partition, target = outcome
        partition.await_low_watermark(target, partial(loop.call, _reached, put, partition.index))
        late.append(partial(_reached, put, partition.index, -1, Error.REQUEST_TIMED_OUT))
    if late:
        loop.call_later(request.timeout_ms, lambda: [give_up() for give_up in late])  # who was answered meanwhile doesn't listen


def _reached(put: Callable[[Row], None], index: int, low_watermark: int, error: Error) -> None:
    put(Row(partition_index=index, low_watermark=low_watermark, error_code=error))


def _delete(call: Call, topic: str, index: int, offset: int) -> Row | tuple[Partition, int]:
    """The outcome, or what must be waited for: that all replicas of the partition begin at an offset."""
    partition = call.node.partition_by_name(topic, index)
    if topic in INTERNAL_TOPICS and partition != Error.UNKNOWN_TOPIC_OR_PARTITION:
        return Row(partition_index=index, low_watermark=-1, error_code=Error.INVALID_TOPIC_EXCEPTION)
    if isinstance(partition, Error):
        return Row(partition_index=index, low_watermark=-1, error_code=partition)
    if not call.node.topic_settings(topic).delete:
        return Row(partition_index=index, low_watermark=-1, error_code=Error.POLICY_VIOLATION)
    with partition.lock:
        if partition.retired or partition.leader_epoch < 0:  # just now: a follower's log begins where its leader's does
            return Row(partition_index=index, low_watermark=-1, error_code=Error.NOT_LEADER_OR_FOLLOWER)
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
    if partition.leading is not None:
        return partition, target
    return Row(partition_index=index, low_watermark=partition.log.start_offset, error_code=0)
