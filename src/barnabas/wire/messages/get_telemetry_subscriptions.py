"""GetTelemetrySubscriptions (71): version 0. Which metrics a client is to push (KIP-714)."""

from __future__ import annotations

from barnabas.wire.schema import Message
from barnabas.wire.types import Array, Bool, Int8, Int16, Int32, String, Uuid


class GetTelemetrySubscriptionsRequest(Message, key=71, versions="0", flexible="0+"):
    client_instance_id: Uuid


class GetTelemetrySubscriptionsResponse(Message, key=71, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    client_instance_id: Uuid
    subscription_id: Int32
    accepted_compression_types: Array[Int8]
    push_interval_ms: Int32
    telemetry_max_bytes: Int32
    delta_temporality: Bool
    requested_metrics: Array[String]
