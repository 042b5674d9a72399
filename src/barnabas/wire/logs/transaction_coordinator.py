"""Records of __transaction_state (G35, G36) and the value of a transaction marker (G39). KIP-98, KIP-890."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, tagged
from barnabas.wire.types import Array, Int8, Int16, Int32, Int64, String


class TransactionLogKey(Message, key=0, versions="0"):
    transactional_id: String


class TransactionLogValue(Message, key=0, versions="0-1", flexible="1+"):
    producer_id: Int64
    previous_producer_id: Int64 = tagged(0, first=1, default=-1)
    next_producer_id: Int64 = tagged(1, first=1, default=-1)
    producer_epoch: Int16
    next_producer_epoch: Int16 = tagged(3, first=1, default=-1)
    transaction_timeout_ms: Int32
    transaction_status: Int8
    transaction_partitions: Array[PartitionsSchema] | None
    transaction_last_update_timestamp_ms: Int64
    transaction_start_timestamp_ms: Int64
    client_transaction_version: Int16 = tagged(2, first=1, default=0)

    class PartitionsSchema(Struct):
        topic: String
        partition_ids: Array[Int32]


class EndTxnMarker(Message, versions="0"):
    coordinator_epoch: Int32
