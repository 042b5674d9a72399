"""AlterPartitionReassignments (45): versions 0-1. Starts, changes or cancels moves of replicas (KIP-455).

1 may forbid a change of the replication factor (KIP-860).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Bool, Int16, Int32, String


class AlterPartitionReassignmentsRequest(Message, key=45, versions="0-1", flexible="0+"):
    timeout_ms: Int32 = always(default=60000)
    allow_replication_factor_change: Bool = since(1, default=True)
    topics: Array[ReassignableTopic]

    class ReassignableTopic(Struct):
        name: String
        partitions: Array[ReassignablePartition]

        class ReassignablePartition(Struct):
            partition_index: Int32
            replicas: Array[Int32] | None = always(default=None)


class AlterPartitionReassignmentsResponse(Message, key=45, versions="0-1", flexible="0+"):
    throttle_time_ms: Int32
    allow_replication_factor_change: Bool = since(1, default=True, ignorable=True)
    error_code: Int16
    error_message: String | None
    responses: Array[ReassignableTopic]

    class ReassignableTopic(Struct):
        name: String
        partitions: Array[ReassignablePartition]

        class ReassignablePartition(Struct):
            partition_index: Int32
            error_code: Int16
            error_message: String | None
