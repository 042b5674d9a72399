"""UnregisterBroker (64): version 0."""

from __future__ import annotations

from barnabas.wire.schema import Message
from barnabas.wire.types import Int16, Int32, String


class UnregisterBrokerRequest(Message, key=64, versions="0", flexible="0+"):
    broker_id: Int32


class UnregisterBrokerResponse(Message, key=64, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    error_message: String | None
