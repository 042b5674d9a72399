"""InitializeShareGroupState (83): version 0."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Int16, Int32, Int64, String, Uuid


class InitializeShareGroupStateRequest(Message, key=83, versions="0", flexible="0+"):
    group_id: String
    topics: Array[InitializeStateData]

    class InitializeStateData(Struct):
        topic_id: Uuid
        partitions: Array[PartitionData]

        class PartitionData(Struct):
            partition: Int32
            state_epoch: Int32
            start_offset: Int64


class InitializeShareGroupStateResponse(Message, key=83, versions="0", flexible="0+"):
    results: Array[InitializeStateResult]

    class InitializeStateResult(Struct):
        topic_id: Uuid
        partitions: Array[PartitionResult]

        class PartitionResult(Struct):
            partition: Int32
            error_code: Int16
            error_message: String | None = always(default=None)
