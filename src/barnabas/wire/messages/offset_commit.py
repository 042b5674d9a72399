"""OffsetCommit (8): versions 2-10, flexible from 8. A group's positions, to be kept.

2 the baseline, with a retention time until 4; 5 leaves retention to the broker (KIP-211); 6 leader epochs (KIP-320); 7 static members
(KIP-345); 9 consumer groups: the generation is a member epoch, STALE_MEMBER_EPOCH and GROUP_ID_NOT_FOUND; 10 topics by id (both KIP-848).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, between, since
from barnabas.wire.types import ZERO_UUID, Array, Int16, Int32, Int64, String, Uuid


class OffsetCommitRequest(Message, key=8, versions="2-10", flexible="8+"):
    group_id: String
    generation_id_or_member_epoch: Int32 = always(default=-1, ignorable=True)
    member_id: String = always(default="", ignorable=True)
    group_instance_id: String | None = since(7, default=None)
    retention_time_ms: Int64 = between(0, 4, default=-1, ignorable=True)
    topics: Array[Topic]

    class Topic(Struct):
        name: String = between(0, 9, default="", ignorable=True)
        topic_id: Uuid = since(10, default=ZERO_UUID, ignorable=True)
        partitions: Array[Partition]

        class Partition(Struct):
            partition_index: Int32
            committed_offset: Int64
            committed_leader_epoch: Int32 = since(6, default=-1, ignorable=True)
            committed_metadata: String | None


class OffsetCommitResponse(Message, key=8, versions="2-10", flexible="8+"):
    throttle_time_ms: Int32 = since(3, default=0, ignorable=True)
    topics: Array[Topic]

    class Topic(Struct):
        name: String = between(0, 9, default="", ignorable=True)
        topic_id: Uuid = since(10, default=ZERO_UUID, ignorable=True)
        partitions: Array[Partition]

        class Partition(Struct):
            partition_index: Int32
            error_code: Int16
