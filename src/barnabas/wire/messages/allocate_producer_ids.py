"""AllocateProducerIds (67): version 0."""

from __future__ import annotations

from barnabas.wire.schema import Message, always
from barnabas.wire.types import Int16, Int32, Int64


class AllocateProducerIdsRequest(Message, key=67, versions="0", flexible="0+"):
    broker_id: Int32
    broker_epoch: Int64 = always(default=-1)


class AllocateProducerIdsResponse(Message, key=67, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    producer_id_start: Int64
    producer_id_len: Int32
