"""ListOffsets (2): versions 1-11, flexible from 6. The offset at a time, or at a named place, of each partition.

1 one offset a partition, with its timestamp (KIP-79); 2 isolation level (KIP-98); 4 leader epochs (KIP-320); 5 OFFSET_NOT_AVAILABLE
(KIP-207); then further names for places: 7 -3 the largest timestamp (KIP-734), 8 -4 the earliest local offset (KIP-405), 9 -5 the last
tiered one (KIP-1005), 11 -6 the earliest that waits for upload (KIP-1023). 10 brings a timeout, for lookups in remote storage (KIP-1075).
"""

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
