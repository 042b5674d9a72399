"""EndTxn (26): versions 0-5, flexible from 3. Commits or aborts a transaction (KIP-98).

2 PRODUCER_FENCED (KIP-588); 4 TRANSACTION_ABORTABLE; 5 each transaction has an epoch of its own, so the reply brings id and epoch for the
next one (both KIP-890).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, since
from barnabas.wire.types import Bool, Int16, Int32, Int64, String


class EndTxnRequest(Message, key=26, versions="0-5", flexible="3+"):
    transactional_id: String
    producer_id: Int64
    producer_epoch: Int16
    committed: Bool


class EndTxnResponse(Message, key=26, versions="0-5", flexible="3+"):
    throttle_time_ms: Int32
    error_code: Int16
    producer_id: Int64 = since(5, default=-1, ignorable=True)
    producer_epoch: Int16 = since(5, default=-1, ignorable=True)
