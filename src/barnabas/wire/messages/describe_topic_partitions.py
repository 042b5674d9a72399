"""DescribeTopicPartitions (75): version 0. Topics a page at a time, with eligible leader replicas (KIP-966)."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import ZERO_UUID, Array, Bool, Int16, Int32, String, Uuid


class DescribeTopicPartitionsRequest(Message, key=75, versions="0", flexible="0+"):
    topics: Array[Topic]
    response_partition_limit: Int32 = always(default=2000)
    cursor: Cursor | None

    class Topic(Struct):
        name: String

    class Cursor(Struct):
        topic_name: String
        partition_index: Int32


class DescribeTopicPartitionsResponse(Message, key=75, versions="0", flexible="0+"):
    throttle_time_ms: Int32 = always(default=0, ignorable=True)
    topics: Array[Topic]
    next_cursor: Cursor | None

    class Topic(Struct):
        error_code: Int16
        name: String | None
        topic_id: Uuid = always(default=ZERO_UUID, ignorable=True)
        is_internal: Bool = always(default=False, ignorable=True)
        partitions: Array[Partition]
        topic_authorized_operations: Int32 = always(default=-2147483648)

        class Partition(Struct):
            error_code: Int16
            partition_index: Int32
            leader_id: Int32
            leader_epoch: Int32 = always(default=-1, ignorable=True)
            replica_nodes: Array[Int32]
            isr_nodes: Array[Int32]
            eligible_leader_replicas: Array[Int32] | None = always(default=None)
            last_known_elr: Array[Int32] | None = always(default=None)
            offline_replicas: Array[Int32] = always(default=[], ignorable=True)

    class Cursor(Struct):
        topic_name: String
        partition_index: Int32
