"""PushTelemetry (72): version 0. A client's metrics (KIP-714)."""

from __future__ import annotations

from barnabas.wire.schema import Message
from barnabas.wire.types import Bool, Bytes, Int8, Int16, Int32, Uuid


class PushTelemetryRequest(Message, key=72, versions="0", flexible="0+"):
    client_instance_id: Uuid
    subscription_id: Int32
    terminating: Bool
    compression_type: Int8
    metrics: Bytes


class PushTelemetryResponse(Message, key=72, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
