"""OffsetFetch (9): versions 1-10, flexible from 6. A group's kept positions.

2 null asks for all topics, and an error for the whole group; 5 leader epochs (KIP-320); 7 waits for open transactions if asked to
(KIP-447); 8 several groups at once (KIP-709); 9 a consumer group's member and its epoch, 10 topics by id (both KIP-848).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, between, since
from barnabas.wire.types import ZERO_UUID, Array, Bool, Int16, Int32, Int64, String, Uuid


class OffsetFetchRequest(Message, key=9, versions="1-10", flexible="6+"):
    group_id: String = between(0, 7, default="")
    topics: Array[Topic] | None = between(0, 7, default=[], nullable=2)
    groups: Array[Group] = since(8, default=[])
    require_stable: Bool = since(7, default=False)

    class Topic(Struct):
        name: String = between(0, 7, default="")
        partition_indexes: Array[Int32] = between(0, 7, default=[])

    class Group(Struct):
        group_id: String = since(8, default="")
        member_id: String | None = since(9, default=None, ignorable=True)
        member_epoch: Int32 = since(9, default=-1, ignorable=True)
        topics: Array[Topics] | None = since(8, default=[])

        class Topics(Struct):
            name: String = between(8, 9, default="", ignorable=True)
            topic_id: Uuid = since(10, default=ZERO_UUID, ignorable=True)
            partition_indexes: Array[Int32] = since(8, default=[])


class OffsetFetchResponse(Message, key=9, versions="1-10", flexible="6+"):
    throttle_time_ms: Int32 = since(3, default=0, ignorable=True)
    topics: Array[Topic] = between(0, 7, default=[])
    error_code: Int16 = between(2, 7, default=0, ignorable=True)
    groups: Array[Group] = since(8, default=[])

    class Topic(Struct):
        name: String = between(0, 7, default="")
        partitions: Array[Partition] = between(0, 7, default=[])

        class Partition(Struct):
            partition_index: Int32 = between(0, 7, default=0)
            committed_offset: Int64 = between(0, 7, default=0)
            committed_leader_epoch: Int32 = between(5, 7, default=-1, ignorable=True)
            metadata: String | None = between(0, 7, default="")
            error_code: Int16 = between(0, 7, default=0)

    class Group(Struct):
        group_id: String = since(8, default="")
        topics: Array[Topics] = since(8, default=[])
        error_code: Int16 = since(8, default=0)

        class Topics(Struct):
            name: String = between(8, 9, default="", ignorable=True)
            topic_id: Uuid = since(10, default=ZERO_UUID, ignorable=True)
            partitions: Array[Partitions] = since(8, default=[])

            class Partitions(Struct):
                partition_index: Int32 = since(8, default=0)
                committed_offset: Int64 = since(8, default=0)
                committed_leader_epoch: Int32 = since(8, default=-1, ignorable=True)
                metadata: String | None = since(8, default="")
                error_code: Int16 = since(8, default=0)
