"""DeleteRecords (21): versions 0-2, flexible from 2. Moves the start of partitions forward (KIP-107).

1 the reply comes before its throttling (KIP-219).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import Array, Int16, Int32, Int64, String


class DeleteRecordsRequest(Message, key=21, versions="0-2", flexible="2+"):
    topics: Array[Topic]
    timeout_ms: Int32

    class Topic(Struct):
        name: String
        partitions: Array[Partition]

        class Partition(Struct):
            partition_index: Int32
            offset: Int64


class DeleteRecordsResponse(Message, key=21, versions="0-2", flexible="2+"):
    throttle_time_ms: Int32
    topics: Array[TopicResult]

    class TopicResult(Struct):
        name: String
        partitions: Array[PartitionResult]

        class PartitionResult(Struct):
            partition_index: Int32
            low_watermark: Int64
            error_code: Int16
