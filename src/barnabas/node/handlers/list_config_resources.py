"""ListConfigResources (74), versions 0-1. Needs DescribeConfigs on the cluster. KIP-1142.

0 (ListClientMetricsResources) has client metrics only; 1 any of the types asked for, all of them if none is. As Apache Kafka: groups and client metrics that have
configs; every broker, as itself and its loggers; every topic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.metadata.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from barnabas.wire.errors import Error
from barnabas.wire.messages.list_config_resources import ListConfigResourcesResponse

if TYPE_CHECKING:
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.call import Call
    from barnabas.wire.messages.list_config_resources import ListConfigResourcesRequest

_ORDER = (GROUP, CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC)


def handle(request: ListConfigResourcesRequest, call: Call) -> ListConfigResourcesResponse:
    supported = _ORDER if call.version >= 1 else (CLIENT_METRICS,)
    wanted = request.resource_types or supported
    if not set(wanted) <= set(supported):
        return ListConfigResourcesResponse(throttle_time_ms=0, error_code=Error.UNSUPPORTED_VERSION, config_resources=[])
    image = call.node.image
    return ListConfigResourcesResponse(
        throttle_time_ms=0,
        error_code=0,
        config_resources=[
            ListConfigResourcesResponse.ConfigResource(resource_name=name, resource_type=kind)
            for kind in _ORDER
            if kind in wanted
            for name in _names(image, kind, call.listener)
        ],
    )


def _names(image: MetadataImage, kind: int, listener: str) -> list[str]:
    if kind == TOPIC:
        return list(image.topics.by_name)
    if kind in (BROKER, BROKER_LOGGER):
        return [str(broker.id) for broker in image.cluster.brokers.values() if listener in broker.listeners]
    return [name for resource_type, name in image.configs if resource_type == kind]
