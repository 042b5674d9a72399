"""ExpireDelegationToken (40): versions 1-2, flexible from 2."""

from __future__ import annotations

from barnabas.wire.schema import Message
from barnabas.wire.types import Bytes, Int16, Int32, Int64


class ExpireDelegationTokenRequest(Message, key=40, versions="1-2", flexible="2+"):
    hmac: Bytes
    expiry_time_period_ms: Int64


class ExpireDelegationTokenResponse(Message, key=40, versions="1-2", flexible="2+"):
    error_code: Int16
    expiry_timestamp_ms: Int64
    throttle_time_ms: Int32
