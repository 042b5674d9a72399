"""AddOffsetsToTxn (25): versions 0-4, flexible from 3. A group whose offsets a transaction is going to commit (KIP-98).

2 PRODUCER_FENCED (KIP-588); 4 TRANSACTION_ABORTABLE (KIP-890).
"""

from __future__ import annotations

from barnabas.wire.schema import Message
from barnabas.wire.types import Int16, Int32, Int64, String


class AddOffsetsToTxnRequest(Message, key=25, versions="0-4", flexible="3+"):
    transactional_id: String
    producer_id: Int64
    producer_epoch: Int16
    group_id: String


class AddOffsetsToTxnResponse(Message, key=25, versions="0-4", flexible="3+"):
    throttle_time_ms: Int32
    error_code: Int16
