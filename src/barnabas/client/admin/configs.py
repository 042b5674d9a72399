"""Configurations of topics, brokers, groups and the rest: describe, alter by increments, list what has any. KIP-133, 339, 1142."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import check
from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_configs import DescribeConfigsRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.list_config_resources import ListConfigResourcesRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.describe_configs import DescribeConfigsResponse

TOPIC = 2
BROKER = 4
BROKER_LOGGER = 8
CLIENT_METRICS = 16
GROUP = 32

DYNAMIC_TOPIC_CONFIG = 1
DYNAMIC_BROKER_CONFIG = 2
DYNAMIC_DEFAULT_BROKER_CONFIG = 3
STATIC_BROKER_CONFIG = 4
DEFAULT_CONFIG = 5
DYNAMIC_BROKER_LOGGER_CONFIG = 6
DYNAMIC_CLIENT_METRICS_CONFIG = 7
DYNAMIC_GROUP_CONFIG = 8
SOURCES = {
    1: "DYNAMIC_TOPIC_CONFIG",
    2: "DYNAMIC_BROKER_CONFIG",
    3: "DYNAMIC_DEFAULT_BROKER_CONFIG",
    4: "STATIC_BROKER_CONFIG",
    5: "DEFAULT_CONFIG",
    6: "DYNAMIC_BROKER_LOGGER_CONFIG",
    7: "DYNAMIC_CLIENT_METRICS_CONFIG",
    8: "DYNAMIC_GROUP_CONFIG",
}
"""Source of a value as replies number it -> Kafka's name."""

SET = 0
DELETE = 1


class Entry(NamedTuple):
    """A key's value in force. `synonyms` are (name, value, source) in the order in which they apply."""

    name: str
    value: str | None
    source: int
    sensitive: bool
    read_only: bool
    synonyms: tuple[tuple[str, str | None, int], ...]

    @property
    def is_default(self) -> bool:
        return self.source == DEFAULT_CONFIG


def _node_of(kind: int, name: str) -> int | None:
    """A broker's own values are asked of that broker."""
    return int(name) if kind in (BROKER, BROKER_LOGGER) and name else None


async def describe(cluster: Cluster, kind: int, names: Iterable[str], *, synonyms: bool = False) -> dict[str, list[Entry]]:
    """All keys of each resource of one kind. Raises the first resource's error."""
    found: dict[str, list[Entry]] = {}
    nodes: dict[int | None, list[str]] = {}
    for name in names:
        nodes.setdefault(_node_of(kind, name), []).append(name)
    for node_id, listed in nodes.items():
        if node_id is not None:
            await cluster.locate(node_id)
        resources = [DescribeConfigsRequest.Resource(resource_type=kind, resource_name=name, configuration_keys=None) for name in listed]
        reply: DescribeConfigsResponse = await cluster.call(
            DescribeConfigsRequest(resources=resources, include_synonyms=synonyms), name="describeConfigs", node_id=node_id
        )
        for result in reply.results:
            check(result.error_code, result.error_message)
            found[result.resource_name] = [
                Entry(c.name, c.value, c.config_source, c.is_sensitive, c.read_only, tuple((s.name, s.value, s.source) for s in c.synonyms))
                for c in result.configs
            ]
    return found


async def alter(
    cluster: Cluster, kind: int, name: str, to_set: Mapping[str, str], to_delete: Iterable[str] = (), *, validate_only: bool = False
) -> None:
    """Sets and removes keys of one resource. Raises its error."""
    Resource = IncrementalAlterConfigsRequest.AlterConfigsResource
    changes = [Resource.AlterableConfig(name=key, config_operation=DELETE, value="") for key in to_delete]
    changes += [Resource.AlterableConfig(name=key, config_operation=SET, value=value) for key, value in to_set.items()]
    request = IncrementalAlterConfigsRequest(
        resources=[Resource(resource_type=kind, resource_name=name, configs=changes)], validate_only=validate_only
    )
    node_id = _node_of(kind, name)
    if node_id is None or cluster.controllers:
        reply = await cluster.call_controller(
            request, name="incrementalAlterConfigs", retry_on=lambda r: any(x.error_code == Error.NOT_CONTROLLER for x in r.responses)
        )
    else:
        await cluster.locate(node_id)
        reply = await cluster.call(request, name="incrementalAlterConfigs", node_id=node_id)
    for result in reply.responses:
        check(result.error_code, result.error_message)


async def resources(cluster: Cluster, kinds: Iterable[int]) -> list[tuple[int, str]]:
    """Resources of these kinds that have a configuration of their own: (kind, name)."""
    reply = await cluster.call(ListConfigResourcesRequest(resource_types=list(kinds)), name="listConfigResources")
    check(reply.error_code)
    return [(resource.resource_type, resource.resource_name) for resource in reply.config_resources]
