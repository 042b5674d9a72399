"""ReadShareGroupState (84): version 0."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Int8, Int16, Int32, Int64, String, Uuid


class ReadShareGroupStateRequest(Message, key=84, versions="0", flexible="0+"):
    group_id: String
    topics: Array[ReadStateData]

    class ReadStateData(Struct):
        topic_id: Uuid
        partitions: Array[PartitionData]

        class PartitionData(Struct):
            partition: Int32
            leader_epoch: Int32


class ReadShareGroupStateResponse(Message, key=84, versions="0", flexible="0+"):
    results: Array[ReadStateResult]

    class ReadStateResult(Struct):
        topic_id: Uuid
        partitions: Array[PartitionResult]

        class PartitionResult(Struct):
            partition: Int32
            error_code: Int16
            error_message: String | None = always(default=None)
            state_epoch: Int32
            start_offset: Int64
            state_batches: Array[StateBatch]

            class StateBatch(Struct):
                first_offset: Int64
                last_offset: Int64
                delivery_state: Int8
                delivery_count: Int16
