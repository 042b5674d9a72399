"""ListTransactions (66): versions 0-2. Transactions that a broker coordinates (KIP-664).

1 only those older than a duration (KIP-994); 2 only ids that match a pattern (KIP-1152).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, since
from barnabas.wire.types import Array, Int16, Int32, Int64, String


class ListTransactionsRequest(Message, key=66, versions="0-2", flexible="0+"):
    state_filters: Array[String]
    producer_id_filters: Array[Int64]
    duration_filter: Int64 = since(1, default=-1)
    transactional_id_pattern: String | None = since(2, default=None)


class ListTransactionsResponse(Message, key=66, versions="0-2", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    unknown_state_filters: Array[String]
    transaction_states: Array[TransactionState]

    class TransactionState(Struct):
        transactional_id: String
        producer_id: Int64
        transaction_state: String
