"""What a cluster wants to know of its clients: the id that it gives a client, the metrics that it subscribes to, and telling them (KIP-714)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import check
from barnabas.wire.messages.get_telemetry_subscriptions import GetTelemetrySubscriptionsRequest
from barnabas.wire.messages.push_telemetry import PushTelemetryRequest
from barnabas.wire.types import ZERO_UUID

if TYPE_CHECKING:
    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.get_telemetry_subscriptions import GetTelemetrySubscriptionsResponse
    from barnabas.wire.messages.push_telemetry import PushTelemetryResponse


class Subscription(NamedTuple):
    """`metrics` are prefixes of names; none: nothing is wanted; an empty one: everything is. `compression` by Kafka's numbers, the best first."""

    client_instance_id: bytes
    subscription_id: int
    metrics: tuple[str, ...]
    push_interval_ms: int
    max_bytes: int
    delta_temporality: bool
    compression: tuple[int, ...]


async def subscription(cluster: Cluster, client_instance_id: bytes = ZERO_UUID) -> Subscription:
    """For a client with this id; zeros: one that has none yet gets one. Raises UNSUPPORTED_VERSION where the cluster collects nothing."""
    reply: GetTelemetrySubscriptionsResponse = await cluster.call(
        GetTelemetrySubscriptionsRequest(client_instance_id=client_instance_id), name="getTelemetrySubscriptions"
    )
    check(reply.error_code)
    return Subscription(
        client_instance_id if client_instance_id != ZERO_UUID else reply.client_instance_id,
        reply.subscription_id,
        tuple(reply.requested_metrics),
        reply.push_interval_ms,
        reply.telemetry_max_bytes,
        reply.delta_temporality,
        tuple(reply.accepted_compression_types),
    )


async def push(cluster: Cluster, to: Subscription, metrics: bytes, *, codec: int = 0, terminating: bool = False) -> None:
    """OpenTelemetry's MetricsData, compressed by `codec`; `terminating` is a client's last word. Raises UNKNOWN_SUBSCRIPTION_ID: ask anew; and others."""
    request = PushTelemetryRequest(
        client_instance_id=to.client_instance_id,
        subscription_id=to.subscription_id,
        terminating=terminating,
        compression_type=codec,
        metrics=metrics,
    )
    reply: PushTelemetryResponse = await cluster.call(request, name="pushTelemetry")
    check(reply.error_code)
