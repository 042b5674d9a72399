"""OffsetDelete (47): version 0, never flexible. Deletes a group's offsets of topics that it doesn't subscribe to (KIP-496)."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Int16, Int32, String


class OffsetDeleteRequest(Message, key=47, versions="0"):
    group_id: String
    topics: Array[Topic]

    class Topic(Struct):
        name: String
        partitions: Array[Partition]

        class Partition(Struct):
            partition_index: Int32


class OffsetDeleteResponse(Message, key=47, versions="0"):
    error_code: Int16
    throttle_time_ms: Int32 = always(default=0, ignorable=True)
    topics: Array[Topic]

    class Topic(Struct):
        name: String
        partitions: Array[Partition]

        class Partition(Struct):
            partition_index: Int32
            error_code: Int16
