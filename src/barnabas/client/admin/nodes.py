"""The nodes of a cluster: which there are, what each serves, and forgetting one that is gone. KIP-430, KIP-919, KIP-1073."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.cluster import CONTROLLER_ENDPOINT
from barnabas.client.errors import check
from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_cluster import DescribeClusterRequest
from barnabas.wire.messages.unregister_broker import UnregisterBrokerRequest

if TYPE_CHECKING:
    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.describe_cluster import DescribeClusterResponse

BROKER_ENDPOINT = 1


class Node(NamedTuple):
    node_id: int
    host: str
    port: int
    rack: str | None
    fenced: bool


class Description(NamedTuple):
    cluster_id: str
    controller_id: int
    nodes: list[Node]


async def describe(cluster: Cluster, *, fenced: bool = False, call: str = "describeCluster") -> Description:
    """The cluster's brokers, or its controllers where it is reached through them. `fenced`: brokers that are fenced too."""
    request = DescribeClusterRequest(
        include_cluster_authorized_operations=False,
        endpoint_type=CONTROLLER_ENDPOINT if cluster.controllers else BROKER_ENDPOINT,
        include_fenced_brokers=fenced,
    )
    reply: DescribeClusterResponse = await cluster.call(request, name=call)
    check(reply.error_code, reply.error_message)
    nodes = [Node(broker.broker_id, broker.host, broker.port, broker.rack, broker.is_fenced) for broker in reply.brokers]
    return Description(reply.cluster_id, reply.controller_id, nodes)


async def broker_ids(cluster: Cluster) -> list[int]:
    """The brokers that aren't fenced."""
    return [node.node_id for node in (await describe(cluster, call="listNodes")).nodes]


async def unregister(cluster: Cluster, broker_id: int) -> None:
    """The cluster forgets a broker. Raises its error."""
    reply = await cluster.call_controller(
        UnregisterBrokerRequest(broker_id=broker_id), name="unregisterBroker", retry_on=lambda r: r.error_code == Error.NOT_CONTROLLER
    )
    check(reply.error_code, reply.error_message)
