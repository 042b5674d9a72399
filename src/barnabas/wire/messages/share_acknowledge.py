"""ShareAcknowledge (79): versions 1-2."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Bool, Int8, Int16, Int32, Int64, String, Uuid


class ShareAcknowledgeRequest(Message, key=79, versions="1-2", flexible="0+"):
    group_id: String | None = always(default=None)
    member_id: String | None
    share_session_epoch: Int32
    is_renew_ack: Bool = since(2, default=False)
    topics: Array[AcknowledgeTopic]

    class AcknowledgeTopic(Struct):
        topic_id: Uuid
        partitions: Array[AcknowledgePartition]

        class AcknowledgePartition(Struct):
            partition_index: Int32
            acknowledgement_batches: Array[AcknowledgementBatch]

            class AcknowledgementBatch(Struct):
                first_offset: Int64
                last_offset: Int64
                acknowledge_types: Array[Int8]


class ShareAcknowledgeResponse(Message, key=79, versions="1-2", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    error_message: String | None = always(default=None)
    acquisition_lock_timeout_ms: Int32 = since(2, default=0, ignorable=True)
    responses: Array[Topic]
    node_endpoints: Array[NodeEndpoint]

    class Topic(Struct):
        topic_id: Uuid
        partitions: Array[PartitionData]

        class PartitionData(Struct):
            partition_index: Int32
            error_code: Int16
            error_message: String | None = always(default=None)
            current_leader: LeaderIdAndEpoch

            class LeaderIdAndEpoch(Struct):
                leader_id: Int32
                leader_epoch: Int32

    class NodeEndpoint(Struct):
        node_id: Int32
        host: String
        port: Int32
        rack: String | None = always(default=None)
