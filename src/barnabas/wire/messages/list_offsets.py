"""ListOffsets (2): versions 1-11, flexible from 6."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Int8, Int16, Int32, Int64, String


class ListOffsetsRequest(Message, key=2, versions="1-11", flexible="6+"):
    replica_id: Int32
    isolation_level: Int8 = since(2, default=0)
    topics: Array[Topic]
    timeout_ms: Int32 = since(10, default=0, ignorable=True)

    class Topic(Struct):
        name: String
        partitions: Array[Partition]

        class Partition(Struct):
            partition_index: Int32
            current_leader_epoch: Int32 = since(4, default=-1, ignorable=True)
            timestamp: Int64


class ListOffsetsResponse(Message, key=2, versions="1-11", flexible="6+"):
    throttle_time_ms: Int32 = since(2, default=0, ignorable=True)
    topics: Array[Topic]

    class Topic(Struct):
        name: String
        partitions: Array[Partition]

        class Partition(Struct):
            partition_index: Int32
            error_code: Int16
            timestamp: Int64 = always(default=-1)
            offset: Int64 = always(default=-1)
            leader_epoch: Int32 = since(4, default=-1)
