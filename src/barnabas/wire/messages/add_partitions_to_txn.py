"""AddPartitionsToTxn (24): versions 0-5, flexible from 3. Partitions that a transaction is going to write to (KIP-98).

2 PRODUCER_FENCED (KIP-588); 4, between brokers, several transactions at once, also only to verify; 5 TRANSACTION_ABORTABLE (both KIP-890).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, between, since
from barnabas.wire.types import Array, Bool, Int16, Int32, Int64, String


class AddPartitionsToTxnRequest(Message, key=24, versions="0-5", flexible="3+"):
    transactions: Array[Transaction] = since(4, default=[])
    v3_and_below_transactional_id: String = between(0, 3, default="")
    v3_and_below_producer_id: Int64 = between(0, 3, default=0)
    v3_and_below_producer_epoch: Int16 = between(0, 3, default=0)
    v3_and_below_topics: Array[Topic] = between(0, 3, default=[])

    class Transaction(Struct):
        transactional_id: String = since(4, default="")
        producer_id: Int64 = since(4, default=0)
        producer_epoch: Int16 = since(4, default=0)
        verify_only: Bool = since(4, default=False)
        topics: Array[AddPartitionsToTxnRequest.Topic] = since(4, default=[])

    class Topic(Struct):
        name: String
        partitions: Array[Int32]


class AddPartitionsToTxnResponse(Message, key=24, versions="0-5", flexible="3+"):
    throttle_time_ms: Int32
    error_code: Int16 = since(4, default=0, ignorable=True)
    results_by_transaction: Array[Result] = since(4, default=[])
    results_by_topic_v3_and_below: Array[TopicResult] = between(0, 3, default=[])

    class Result(Struct):
        transactional_id: String = since(4, default="")
        topic_results: Array[AddPartitionsToTxnResponse.TopicResult] = since(4, default=[])

    class TopicResult(Struct):
        name: String
        results_by_partition: Array[AddPartitionsToTxnResponse.PartitionResult]

    class PartitionResult(Struct):
        partition_index: Int32
        partition_error_code: Int16
