"""OffsetForLeaderEpoch (23): versions 2-4, flexible from 4. Where an epoch ends in the leader's log (KIP-101).

2 the caller's own leader epoch (KIP-320); 3 replica id, -2 for a debugging consumer that sees beyond the high watermark.
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Int16, Int32, Int64, String


class OffsetForLeaderEpochRequest(Message, key=23, versions="2-4", flexible="4+"):
    replica_id: Int32 = since(3, default=-2, ignorable=True)
    topics: Array[OffsetForLeaderTopic]

    class OffsetForLeaderTopic(Struct):
        topic: String
        partitions: Array[OffsetForLeaderPartition]

        class OffsetForLeaderPartition(Struct):
            partition: Int32
            current_leader_epoch: Int32 = always(default=-1, ignorable=True)
            leader_epoch: Int32


class OffsetForLeaderEpochResponse(Message, key=23, versions="2-4", flexible="4+"):
    throttle_time_ms: Int32 = always(default=0, ignorable=True)
    topics: Array[OffsetForLeaderTopicResult]

    class OffsetForLeaderTopicResult(Struct):
        topic: String
        partitions: Array[EpochEndOffset]

        class EpochEndOffset(Struct):
            error_code: Int16
            partition: Int32
            leader_epoch: Int32 = always(default=-1, ignorable=True)
            end_offset: Int64 = always(default=-1)
