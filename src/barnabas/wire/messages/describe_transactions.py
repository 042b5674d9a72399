"""DescribeTransactions (65): version 0. State of transactions, asked of their coordinator (KIP-664)."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import Array, Int16, Int32, Int64, String


class DescribeTransactionsRequest(Message, key=65, versions="0", flexible="0+"):
    transactional_ids: Array[String]


class DescribeTransactionsResponse(Message, key=65, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    transaction_states: Array[TransactionState]

    class TransactionState(Struct):
        error_code: Int16
        transactional_id: String
        transaction_state: String
        transaction_timeout_ms: Int32
        transaction_start_time_ms: Int64
        producer_id: Int64
        producer_epoch: Int16
        topics: Array[TopicData]

        class TopicData(Struct):
            topic: String
            partitions: Array[Int32]
