"""InitProducerId (22): versions 0-6, flexible from 2."""

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
