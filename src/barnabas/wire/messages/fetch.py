"""Fetch (1): versions 4-18, flexible from 12. Records from an offset on, for consumers and followers alike.

4 isolation level and aborted transactions (KIP-98); 5 log start offset; 6 KAFKA_STORAGE_ERROR; 7 sessions, which send only what changed
(KIP-227); 8 the reply comes before its throttling; 9 leader epochs (KIP-320); 10 zstd (KIP-110); 11 the consumer's rack and a nearer
replica (KIP-392); 12 diverging epochs and the current leader (KIP-595); 13 topics by id (KIP-516); 14 OFFSET_MOVED_TO_TIERED_STORAGE
(KIP-405); 15 a follower's broker epoch (KIP-903); 16 addresses of new leaders (KIP-951); 17 a voter's directory (KIP-853); 18 a follower's
high watermark (KIP-1166).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, between, since, tagged
from barnabas.wire.types import ZERO_UUID, Array, Int8, Int16, Int32, Int64, Records, String, Uuid


class FetchRequest(Message, key=1, versions="4-18", flexible="12+"):
    cluster_id: String | None = tagged(0, first=12, default=None, ignorable=True)
    replica_id: Int32 = between(0, 14, default=-1)
    replica_state: ReplicaState = tagged(1, first=15, default=None)
    max_wait_ms: Int32
    min_bytes: Int32
    max_bytes: Int32 = always(default=2147483647, ignorable=True)
    isolation_level: Int8 = always(default=0, ignorable=True)
    session_id: Int32 = since(7, default=0, ignorable=True)
    session_epoch: Int32 = since(7, default=-1, ignorable=True)
    topics: Array[Topic]
    forgotten_topics_data: Array[ForgottenTopic] = since(7, default=[])
    rack_id: String = since(11, default="", ignorable=True)

    class ReplicaState(Struct):
        replica_id: Int32 = since(15, default=-1)
        replica_epoch: Int64 = since(15, default=-1)

    class Topic(Struct):
        topic: String = between(0, 12, default="", ignorable=True)
        topic_id: Uuid = since(13, default=ZERO_UUID, ignorable=True)
        partitions: Array[Partition]

        class Partition(Struct):
            partition: Int32
            current_leader_epoch: Int32 = since(9, default=-1, ignorable=True)
            fetch_offset: Int64
            last_fetched_epoch: Int32 = since(12, default=-1)
            log_start_offset: Int64 = since(5, default=-1, ignorable=True)
            partition_max_bytes: Int32
            replica_directory_id: Uuid = tagged(0, first=17, default=ZERO_UUID, ignorable=True)
            high_watermark: Int64 = tagged(1, first=18, default=9223372036854775807, ignorable=True)

    class ForgottenTopic(Struct):
        topic: String = between(7, 12, default="", ignorable=True)
        topic_id: Uuid = since(13, default=ZERO_UUID, ignorable=True)
        partitions: Array[Int32] = since(7, default=[])


class FetchResponse(Message, key=1, versions="4-18", flexible="12+"):
    throttle_time_ms: Int32 = always(default=0, ignorable=True)
    error_code: Int16 = since(7, default=0, ignorable=True)
    session_id: Int32 = since(7, default=0)
    responses: Array[FetchableTopicResponse]
    node_endpoints: Array[NodeEndpoint] = tagged(0, first=16, default=[])

    class FetchableTopicResponse(Struct):
        topic: String = between(0, 12, default="", ignorable=True)
        topic_id: Uuid = since(13, default=ZERO_UUID, ignorable=True)
        partitions: Array[PartitionData]

        class PartitionData(Struct):
            partition_index: Int32
            error_code: Int16
            high_watermark: Int64
            last_stable_offset: Int64 = always(default=-1, ignorable=True)
            log_start_offset: Int64 = since(5, default=-1, ignorable=True)
            diverging_epoch: EpochEndOffset = tagged(0, first=12, default=None)
            current_leader: LeaderIdAndEpoch = tagged(1, first=12, default=None)
            snapshot_id: SnapshotId = tagged(2, first=12, default=None)
            aborted_transactions: Array[AbortedTransaction] | None = always(default=[], ignorable=True)
            preferred_read_replica: Int32 = since(11, default=-1)
            records: Records | None

            class EpochEndOffset(Struct):
                epoch: Int32 = since(12, default=-1)
                end_offset: Int64 = since(12, default=-1)

            class LeaderIdAndEpoch(Struct):
                leader_id: Int32 = since(12, default=-1)
                leader_epoch: Int32 = since(12, default=-1)

            class SnapshotId(Struct):
                end_offset: Int64 = always(default=-1)
                epoch: Int32 = always(default=-1)

            class AbortedTransaction(Struct):
                producer_id: Int64
                first_offset: Int64

    class NodeEndpoint(Struct):
        node_id: Int32 = since(16, default=0)
        host: String = since(16, default="")
        port: Int32 = since(16, default=0)
        rack: String | None = since(16, default=None)
