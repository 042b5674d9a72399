"""Produce (0): versions 3-13, flexible from 9. Record batches to append, a partition at a time.

3 brings the transactional id and batches of format 2; 4 KAFKA_STORAGE_ERROR; 5 the log start offset in the reply; 7 zstd (KIP-110); 8 which
records were at fault (KIP-467); 10 the current leader and its address, tagged (KIP-951); 11 TRANSACTION_ABORTABLE and 12 partitions that
join the transaction by being written to (KIP-890); 13 topics by id (KIP-516). ApiVersions claims 0-13 for the sake of librdkafka.
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, between, since, tagged
from barnabas.wire.types import ZERO_UUID, Array, Int16, Int32, Int64, Records, String, Uuid


class ProduceRequest(Message, key=0, versions="3-13", flexible="9+"):
    transactional_id: String | None = always(default=None)
    acks: Int16
    timeout_ms: Int32
    topic_data: Array[TopicProduceData]

    class TopicProduceData(Struct):
        name: String = between(0, 12, default="", ignorable=True)
        topic_id: Uuid = since(13, default=ZERO_UUID, ignorable=True)
        partition_data: Array[PartitionProduceData]

        class PartitionProduceData(Struct):
            index: Int32
            records: Records | None


class ProduceResponse(Message, key=0, versions="3-13", flexible="9+"):
    responses: Array[TopicProduce]
    throttle_time_ms: Int32 = always(default=0, ignorable=True)
    node_endpoints: Array[NodeEndpoint] = tagged(0, first=10, default=[])

    class TopicProduce(Struct):
        name: String = between(0, 12, default="", ignorable=True)
        topic_id: Uuid = since(13, default=ZERO_UUID, ignorable=True)
        partition_responses: Array[PartitionProduce]

        class PartitionProduce(Struct):
            index: Int32
            error_code: Int16
            base_offset: Int64
            log_append_time_ms: Int64 = always(default=-1, ignorable=True)
            log_start_offset: Int64 = since(5, default=-1, ignorable=True)
            record_errors: Array[BatchIndexAndErrorMessage] = since(8, default=[], ignorable=True)
            error_message: String | None = since(8, default=None, ignorable=True)
            current_leader: LeaderIdAndEpoch = tagged(0, first=10, default=None)

            class BatchIndexAndErrorMessage(Struct):
                batch_index: Int32 = since(8, default=0)
                batch_index_error_message: String | None = since(8, default=None)

            class LeaderIdAndEpoch(Struct):
                leader_id: Int32 = since(10, default=-1)
                leader_epoch: Int32 = since(10, default=-1)

    class NodeEndpoint(Struct):
        node_id: Int32 = since(10, default=0)
        host: String = since(10, default="")
        port: Int32 = since(10, default=0)
        rack: String | None = since(10, default=None)
