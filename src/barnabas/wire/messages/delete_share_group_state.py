"""DeleteShareGroupState (86): version 0."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Int16, Int32, String, Uuid


class DeleteShareGroupStateRequest(Message, key=86, versions="0", flexible="0+"):
    group_id: String
    topics: Array[DeleteStateData]

    class DeleteStateData(Struct):
        topic_id: Uuid
        partitions: Array[PartitionData]

        class PartitionData(Struct):
            partition: Int32


class DeleteShareGroupStateResponse(Message, key=86, versions="0", flexible="0+"):
    results: Array[DeleteStateResult]

    class DeleteStateResult(Struct):
        topic_id: Uuid
        partitions: Array[PartitionResult]

        class PartitionResult(Struct):
            partition: Int32
            error_code: Int16
            error_message: String | None = always(default=None)
