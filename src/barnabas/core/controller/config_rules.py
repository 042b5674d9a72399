"""The controller's questions about configs, answered by `core.configs` for a node's static configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.configs import MIN_INSYNC_REPLICAS, UNCLEAN_LEADER_ELECTION
from barnabas.core.controller.result import ApiError
from barnabas.core.metadata.image import BROKER, CLIENT_METRICS, GROUP, TOPIC
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from barnabas.core.configs.definitions.row import Row
    from barnabas.core.configs.resolution import Effective
    from barnabas.core.configs.values import Values
    from barnabas.core.metadata.image import ConfigResource

_NONE: dict[str, str] = {}
_DEFAULTS = {MIN_INSYNC_REPLICAS: "1", UNCLEAN_LEADER_ELECTION: "false"}


class KafkaConfigRules:
    """Implements `configs.ConfigRules`. `static`: the node's server.properties as texts."""

    __slots__ = ("_parsed", "_static")

    def __init__(self, static: Mapping[str, str]) -> None:
        self._static = static
        self._parsed: Values | None = None

    def topic_value(self, name: str, topic: Mapping[str, str], node: Mapping[str, str], cluster: Mapping[str, str]) -> str:
        given = topic.get(name)
        if given is not None:
            return given
        for layer in (node, cluster, self._static):  # neither of the two names that the controller needs has a synonym of another name
            if name in layer:
                return layer[name]
        return _DEFAULTS[name]

    def topic_values(self, topic: Mapping[str, str], node: Mapping[str, str], cluster: Mapping[str, str]) -> Sequence[Effective]:
        from barnabas.core.configs.resolution import effective_topic_configs

        return effective_topic_configs(self._static, cluster, node, topic)

    def static_min_insync_replicas(self) -> int:
        return int(self.topic_value(MIN_INSYNC_REPLICAS, _NONE, _NONE, _NONE))

    def validate(self, resource: ConfigResource, configs: Mapping[str, str], existing: Mapping[str, str]) -> None:
        from barnabas.core.configs.error import ConfigError

        resource_type, name = resource
        _check_name(resource_type, name)
        try:
            if resource_type == TOPIC:
                from barnabas.core.configs.topic_rules import validate_topic
                from barnabas.core.configs.topic_settings import topic_defaults

                validate_topic(configs, existing, topic_defaults(self._values()))
            elif resource_type == GROUP:
                from barnabas.core.configs.group_rules import validate_group

                validate_group(configs, self._values())
            elif resource_type == CLIENT_METRICS:
                from barnabas.core.configs.client_metrics_rules import validate_client_metrics

                validate_client_metrics(name, configs)
            # a broker checks its own before it passes the request on
        except ConfigError as error:
            raise ApiError(error.error, error.message) from None

    def _values(self) -> Values:
        """What the node's file comes to; read at the first change of a config."""
        if self._parsed is None:
            from barnabas.core.configs.definitions.broker import BROKER as BROKER_ROWS
            from barnabas.core.configs.values import Values, parse

            self._parsed = Values(BROKER_ROWS, {name: parse(BROKER_ROWS[name], text) for name, text in self._static.items() if name in BROKER_ROWS})
        return self._parsed

    def is_list(self, resource_type: int, name: str) -> bool:
        from barnabas.core.configs.definitions.row import TYPE

        if resource_type not in (TOPIC, BROKER):
            return False  # as Apache Kafka, which knows no types of the others' configs here
        row = _rows(resource_type).get(name)
        return row is not None and row[TYPE] == "list"

    def default(self, resource_type: int, name: str) -> str | None:
        from barnabas.core.configs.resolution import default_text

        row = _rows(resource_type).get(name)
        return None if row is None else default_text(row)


def _check_name(resource_type: int, name: str) -> None:
    if resource_type == TOPIC:
        from barnabas.core.controller.topic_names import problem

        if not name:
            raise ApiError(Error.INVALID_REQUEST, "Default topic resources are not allowed.")
        why = problem(name)
        if why is not None:
            raise ApiError(Error.INVALID_TOPIC_EXCEPTION, why)
    elif resource_type == BROKER:
        if name and not name.removeprefix("-").isdecimal():
            raise ApiError(Error.INVALID_REQUEST, "Unable to parse broker name as a base 10 number.")
        if name and int(name) < 0:
            raise ApiError(Error.INVALID_REQUEST, "Invalid negative broker ID.")
    elif resource_type == GROUP:
        if not name:
            raise ApiError(Error.INVALID_REQUEST, "Default group resources are not allowed.")
    elif resource_type != CLIENT_METRICS:
        raise ApiError(Error.INVALID_REQUEST, f"Unknown resource type {resource_type}")


def _rows(resource_type: int) -> Mapping[str, Row]:
    from barnabas.core.configs.definitions.row import index

    if resource_type == TOPIC:
        from barnabas.core.configs.topic_settings import ROWS

        return ROWS
    if resource_type == BROKER:
        from barnabas.core.configs.definitions.broker import BROKER as BROKER_ROWS

        return BROKER_ROWS
    if resource_type == GROUP:
        from barnabas.core.configs.definitions.group import GROUP as GROUP_ROWS

        return index(GROUP_ROWS)
    if resource_type == CLIENT_METRICS:
        from barnabas.core.configs.definitions.client_metrics import CLIENT_METRICS as CLIENT_METRICS_ROWS

        return index(CLIENT_METRICS_ROWS)
    return {}
