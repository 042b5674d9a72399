"""DescribeShareGroupOffsets (90): versions 0-1."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Int16, Int32, Int64, String, Uuid


class DescribeShareGroupOffsetsRequest(Message, key=90, versions="0-1", flexible="0+"):
    groups: Array[Group]

    class Group(Struct):
        group_id: String
        topics: Array[Topic] | None

        class Topic(Struct):
            topic_name: String
            partitions: Array[Int32]


class DescribeShareGroupOffsetsResponse(Message, key=90, versions="0-1", flexible="0+"):
    throttle_time_ms: Int32
    groups: Array[Group]

    class Group(Struct):
        group_id: String
        topics: Array[Topic]
        error_code: Int16
        error_message: String | None = always(default=None)

        class Topic(Struct):
            topic_name: String
            topic_id: Uuid
            partitions: Array[Partition]

            class Partition(Struct):
                partition_index: Int32
                start_offset: Int64
                leader_epoch: Int32
                lag: Int64 = since(1, default=-1, ignorable=True)
                error_code: Int16
                error_message: String | None = always(default=None)
