"""DescribeCluster (60), versions 0-2. Needs Describe on the cluster for the authorised operations; Alter on a controller's listener. KIP-700.

1 tells brokers from controllers (KIP-919), 2 has fenced brokers. As Apache Kafka: brokers name a live broker as the controller, controllers the quorum's leader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.topic_views import CLUSTER_OPERATIONS
from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_cluster import DescribeClusterResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.describe_cluster import DescribeClusterRequest

_BROKERS = 1
_CONTROLLERS = 2
_NAMES = {_BROKERS: "BROKER", _CONTROLLERS: "CONTROLLER"}


def handle(request: DescribeClusterRequest, call: Call) -> DescribeClusterResponse:
    served = _CONTROLLERS if call.on_controller_listener else _BROKERS
    if request.endpoint_type != served:
        return _mismatch(request.endpoint_type, served, call.version)
    nodes = _controllers(call) if served == _CONTROLLERS else _brokers(request, call)
    leader = call.node.controller.leader_id if served == _CONTROLLERS else call.node.any_broker_id(call.node.image)
    response = DescribeClusterResponse(
        throttle_time_ms=0,
        error_code=0,
        endpoint_type=served,
        cluster_id=call.node.cluster_id,
        controller_id=leader if any(node.broker_id == leader for node in nodes) else -1,
        brokers=nodes,
    )
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = CLUSTER_OPERATIONS
    return response


def _mismatch(asked: int, served: int, version: int) -> DescribeClusterResponse:
    if asked in _NAMES:
        error = Error.MISMATCHED_ENDPOINT_TYPE
        message = f"The request was sent to an endpoint of type {_NAMES[served]}, but we wanted an endpoint of type {_NAMES[asked]}"
    else:
        error, message = Error.UNSUPPORTED_ENDPOINT_TYPE, f"Unsupported endpoint type {asked}"
    if version == 0:
        error = Error.INVALID_REQUEST
    return DescribeClusterResponse(throttle_time_ms=0, error_code=error, error_message=message, cluster_id="", brokers=[])


def _brokers(request: DescribeClusterRequest, call: Call) -> list[DescribeClusterResponse.Broker]:
    return [
        DescribeClusterResponse.Broker(broker_id=broker.id, host=endpoint.host, port=endpoint.port, rack=broker.rack, is_fenced=broker.fenced)
        for broker in call.node.image.cluster.brokers.values()
        if (endpoint := broker.listeners.get(call.listener)) is not None and (request.include_fenced_brokers or not broker.fenced)
    ]


def _controllers(call: Call) -> list[DescribeClusterResponse.Broker]:
    return [
        DescribeClusterResponse.Broker(broker_id=controller.id, host=endpoint.host, port=endpoint.port)
        for controller in call.node.image.cluster.controllers.values()
        if (endpoint := controller.listeners.get(call.listener)) is not None
    ]
