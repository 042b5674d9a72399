"""ShareFetch (78): versions 1-2."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Bool, Int8, Int16, Int32, Int64, Records, String, Uuid


class ShareFetchRequest(Message, key=78, versions="1-2", flexible="0+"):
    group_id: String | None = always(default=None)
    member_id: String | None
    share_session_epoch: Int32
    max_wait_ms: Int32
    min_bytes: Int32
    max_bytes: Int32 = always(default=2147483647)
    max_records: Int32
    batch_size: Int32
    share_acquire_mode: Int8 = since(2, default=0, ignorable=True)
    is_renew_ack: Bool = since(2, default=False)
    topics: Array[FetchTopic]
    forgotten_topics_data: Array[ForgottenTopic]

    class FetchTopic(Struct):
        topic_id: Uuid
        partitions: Array[FetchPartition]

        class FetchPartition(Struct):
            partition_index: Int32
            acknowledgement_batches: Array[AcknowledgementBatch]

            class AcknowledgementBatch(Struct):
                first_offset: Int64
                last_offset: Int64
                acknowledge_types: Array[Int8]

    class ForgottenTopic(Struct):
        topic_id: Uuid
        partitions: Array[Int32]


class ShareFetchResponse(Message, key=78, versions="1-2", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    error_message: String | None = always(default=None)
    acquisition_lock_timeout_ms: Int32
    responses: Array[ShareFetchableTopicResponse]
    node_endpoints: Array[NodeEndpoint]

    class ShareFetchableTopicResponse(Struct):
        topic_id: Uuid
        partitions: Array[PartitionData]

        class PartitionData(Struct):
            partition_index: Int32
            error_code: Int16
            error_message: String | None = always(default=None)
            acknowledge_error_code: Int16
            acknowledge_error_message: String | None = always(default=None)
            current_leader: LeaderIdAndEpoch
            records: Records
            acquired_records: Array[AcquiredRecords]

            class LeaderIdAndEpoch(Struct):
                leader_id: Int32
                leader_epoch: Int32

            class AcquiredRecords(Struct):
                first_offset: Int64
                last_offset: Int64
                delivery_count: Int16

    class NodeEndpoint(Struct):
        node_id: Int32
        host: String
        port: Int32
        rack: String | None = always(default=None)
