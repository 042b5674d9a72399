"""TxnOffsetCommit (28): versions 0-5, flexible from 3. Offsets of a group that become visible when the transaction commits (KIP-98).

2 leader epochs (KIP-320); 3 member, instance and generation, which fence as in OffsetCommit (KIP-447); 4 TRANSACTION_ABORTABLE; 5 the group
joins the transaction by this request (both KIP-890).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, since
from barnabas.wire.types import Array, Int16, Int32, Int64, String


class TxnOffsetCommitRequest(Message, key=28, versions="0-5", flexible="3+"):
    transactional_id: String
    group_id: String
    producer_id: Int64
    producer_epoch: Int16
    generation_id: Int32 = since(3, default=-1)
    member_id: String = since(3, default="")
    group_instance_id: String | None = since(3, default=None)
    topics: Array[Topic]

    class Topic(Struct):
        name: String
        partitions: Array[Partition]

        class Partition(Struct):
            partition_index: Int32
            committed_offset: Int64
            committed_leader_epoch: Int32 = since(2, default=-1, ignorable=True)
            committed_metadata: String | None


class TxnOffsetCommitResponse(Message, key=28, versions="0-5", flexible="3+"):
    throttle_time_ms: Int32
    topics: Array[Topic]

    class Topic(Struct):
        name: String
        partitions: Array[Partition]

        class Partition(Struct):
            partition_index: Int32
            error_code: Int16
