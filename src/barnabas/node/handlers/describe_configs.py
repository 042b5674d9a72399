"""DescribeConfigs (32), versions 1-4. Needs DescribeConfigs on the topic or group, or on the cluster for the rest. KIP-133, KIP-226, KIP-569.

3 adds types and documentation (in our own words, as in docs/configuration.md). A broker tells of itself and of the cluster's default only. The reply
keeps the request's order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.configs.describe import (
    BrokerLayers,
    Described,
    describe_broker,
    describe_broker_logger,
    describe_client_metrics,
    describe_cluster_default,
    describe_group,
    describe_topic,
)
from barnabas.core.configs.resolution import DYNAMIC_BROKER_LOGGER_CONFIG
from barnabas.core.controller.config_screening import ROOT_LOGGER, node_id_of
from barnabas.core.controller.result import ApiError
from barnabas.core.controller.topic_names import problem
from barnabas.core.metadata.image import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from barnabas.node.console_log import NAMES
from barnabas.wire.error_messages import MESSAGES
from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_configs import DescribeConfigsResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.node.config.node_config import NodeConfig
    from barnabas.wire.messages.describe_configs import DescribeConfigsRequest

Result = DescribeConfigsResponse.Result
_TYPES = (TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP)
_MOST_ROWS = 200_000  # a kilobyte each
_UNNAMED = {
    BROKER_LOGGER: "Broker id must not be empty",
    CLIENT_METRICS: "Client metrics subscription name must not be empty",
    GROUP: "Group name must not be empty",
}


def handle(request: DescribeConfigsRequest, call: Call) -> DescribeConfigsResponse | None:
    unknown = next((asked for asked in request.resources if asked.resource_type not in _TYPES), None)  # spoils the others' answers too
    results = []
    answered: set[tuple[int, str, tuple[str, ...] | None]] = set()
    rows = 0
    for asked in request.resources:
        same = asked.resource_type, asked.resource_name, None if asked.configuration_keys is None else tuple(asked.configuration_keys)
        if same in answered:
            continue
        answered.add(same)
        result = Result(error_code=0, error_message="", resource_type=asked.resource_type, resource_name=asked.resource_name, configs=[])
        try:
            if unknown is not None:
                raise ApiError(Error.INVALID_REQUEST, MESSAGES[Error.INVALID_REQUEST])
            if rows > _MOST_ROWS:
                raise ApiError(Error.POLICY_VIOLATION, f"More than {_MOST_ROWS} configs are asked for at once; ask for fewer resources in a request.")
            found = _describe(call, asked.resource_type, asked.resource_name, asked.configuration_keys)
            documentation = _documentation(asked.resource_type) if request.include_documentation else {}
            rows += len(found)
            result.configs = [_row(one, request.include_synonyms, documentation) for one in found]
        except ApiError as error:
            result.error_code, result.error_message = error.error, error.message
        results.append(result)
    return DescribeConfigsResponse(throttle_time_ms=0, results=results)


def _describe(call: Call, resource_type: int, name: str, keys: list[str] | None) -> list[Described]:
    node, image = call.node, call.node.image
    if resource_type == TOPIC:
        why = problem(name)
        if why is not None:
            raise ApiError(Error.INVALID_TOPIC_EXCEPTION, why)
        if not node.topic_exists(name):
            raise ApiError(Error.UNKNOWN_TOPIC_OR_PARTITION, "")
        return describe_topic(layers(node.config), image.config(TOPIC, name), keys)
    if resource_type == BROKER:
        if not name:
            return describe_cluster_default(layers(node.config), keys)
        _check_is_this(name, node.config.node_id, " or empty string,")
        return describe_broker(layers(node.config), keys)
    if not name:
        raise ApiError(Error.INVALID_REQUEST, _UNNAMED[resource_type])
    if resource_type == BROKER_LOGGER:
        _check_is_this(name, node.config.node_id, "")
        return describe_broker_logger({ROOT_LOGGER: NAMES[node.log.level]}, keys)
    if resource_type == GROUP:
        return describe_group(layers(node.config), image.config(GROUP, name), keys)
    return describe_client_metrics(image.config(CLIENT_METRICS, name), keys)


def layers(config: NodeConfig) -> BrokerLayers:
    return BrokerLayers(config.static, config.cluster, config.broker, config.values)


def _check_is_this(name: str, node_id: int, or_what: str) -> None:
    found = node_id_of(name)
    if found is None:
        raise ApiError(Error.INVALID_REQUEST, f"Broker id must be an integer, but it is: {name}")
    if found != node_id:
        raise ApiError(Error.INVALID_REQUEST, f"Unexpected broker id, expected {node_id}{or_what} but received {name}")


def _documentation(resource_type: int) -> dict[str, str]:
    from barnabas.core.configs.documentation import lookup  # hundreds of texts that few ask for

    return {TOPIC: lookup.TOPIC, BROKER: lookup.BROKER, GROUP: lookup.GROUP, CLIENT_METRICS: lookup.CLIENT_METRICS}.get(resource_type, {})


def _row(one: Described, include_synonyms: bool, documentation: dict[str, str]) -> Result.ResourceResult:
    row = Result.ResourceResult
    synonyms = one.synonyms if include_synonyms else ()
    return row(
        name=one.name,
        value=one.value,
        read_only=one.read_only,
        config_source=one.source,
        is_sensitive=one.is_sensitive,
        synonyms=[row.Synonym(name=synonym.name, value=synonym.value, source=synonym.source) for synonym in synonyms],
        config_type=one.kind,
        documentation="" if one.source == DYNAMIC_BROKER_LOGGER_CONFIG else documentation.get(one.name),
    )
