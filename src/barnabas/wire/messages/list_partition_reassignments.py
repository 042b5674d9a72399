"""ListPartitionReassignments (46): version 0. Moves of replicas under way (KIP-455)."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Int16, Int32, String


class ListPartitionReassignmentsRequest(Message, key=46, versions="0", flexible="0+"):
    timeout_ms: Int32 = always(default=60000)
    topics: Array[Topics] | None = always(default=None)

    class Topics(Struct):
        name: String
        partition_indexes: Array[Int32]


class ListPartitionReassignmentsResponse(Message, key=46, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    error_message: String | None
    topics: Array[OngoingTopicReassignment]

    class OngoingTopicReassignment(Struct):
        name: String
        partitions: Array[OngoingPartitionReassignment]

        class OngoingPartitionReassignment(Struct):
            partition_index: Int32
            replicas: Array[Int32]
            adding_replicas: Array[Int32]
            removing_replicas: Array[Int32]
