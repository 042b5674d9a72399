"""InitProducerId (22): versions 0-6, flexible from 2. An id and an epoch for an idempotent or transactional producer (KIP-98).

3 a producer may bring its id to have the epoch bumped (KIP-360); 4 PRODUCER_FENCED (KIP-588); 5 TRANSACTION_ABORTABLE (KIP-890); 6,
unstable, two-phase commit (KIP-939).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, always, since
from barnabas.wire.types import Bool, Int16, Int32, Int64, String


class InitProducerIdRequest(Message, key=22, versions="0-6", flexible="2+", unstable=True):
    transactional_id: String | None
    transaction_timeout_ms: Int32
    producer_id: Int64 = since(3, default=-1)
    producer_epoch: Int16 = since(3, default=-1)
    enable2_pc: Bool = since(6, default=False)
    keep_prepared_txn: Bool = since(6, default=False)


class InitProducerIdResponse(Message, key=22, versions="0-6", flexible="2+"):
    throttle_time_ms: Int32 = always(default=0, ignorable=True)
    error_code: Int16
    producer_id: Int64 = always(default=-1)
    producer_epoch: Int16
    ongoing_txn_producer_id: Int64 = since(6, default=-1)
    ongoing_txn_producer_epoch: Int16 = since(6, default=-1)
