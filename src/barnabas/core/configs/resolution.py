"""How configs override one another: topic over broker over cluster default over server.properties over default (KIP-226).

Works on texts as they were given; `values` parses them. Nothing here raises for a bad value that is already stored: it is left out, as a
running broker must go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .definitions.broker import BROKER, DYNAMIC_QUOTAS, update_mode
from .definitions.broker_security import DYNAMIC_SECURITY
from .definitions.row import DEFAULT, FLAG, NAME, TYPE, Row, Value
from .error import ConfigError
from .synonyms import TOPIC as TOPIC_SYNONYMS
from .synonyms import broker_family, listener_base
from .topic_settings import ROWS as TOPIC_ROWS
from .values import parse, to_text

# sources, as DescribeConfigs and CreateTopics carry them
UNKNOWN = 0
DYNAMIC_TOPIC_CONFIG = 1
DYNAMIC_BROKER_CONFIG = 2
DYNAMIC_DEFAULT_BROKER_CONFIG = 3
STATIC_BROKER_CONFIG = 4
DEFAULT_CONFIG = 5
DYNAMIC_BROKER_LOGGER_CONFIG = 6
DYNAMIC_CLIENT_METRICS_CONFIG = 7
DYNAMIC_GROUP_CONFIG = 8

# what only a listener may have, per cluster too
_CLUSTER_LEVEL_OF_LISTENERS = ("max.connections", "max.connection.creation.rate", "num.network.threads")


class Effective(NamedTuple):
    """A config that applies, with where it comes from."""

    name: str
    value: str | None
    source: int
    kind: str
    is_sensitive: bool


def overlay(static: Mapping[str, str], cluster: Mapping[str, str], broker: Mapping[str, str]) -> dict[str, str]:
    """The texts a broker runs with. A later key removes its family: log.retention.hours set dynamically beats log.retention.ms in the file."""
    texts = dict(static)
    for layer in (cluster, broker):
        for name, text in layer.items():
            for synonym in broker_family(name):
                texts.pop(synonym, None)
            texts[name] = text
    return texts


def usable_dynamic(texts: Mapping[str, str], *, per_broker: bool) -> dict[str, str]:
    """Stored dynamic broker configs that apply: no bad values, read-only keys, security keys of no listener, per-broker keys as default."""
    return {name: text for name, text in texts.items() if why_not_dynamic(name, text, per_broker=per_broker) is None}


def why_not_dynamic(name: str, text: str, *, per_broker: bool) -> str | None:
    base = listener_base(name)
    key = base if base is not None else name
    if name in BROKER and update_mode(name) == "read-only":
        return "Cannot update these configs dynamically"
    if name in DYNAMIC_SECURITY:
        return "These security configs can be dynamically updated only per-listener using the listener prefix"
    row = DYNAMIC_QUOTAS.get(key) or (BROKER.get(key) if update_mode(key) != "read-only" else None)
    if row is not None:
        try:
            parse(row, text)
        except ConfigError as error:
            return error.message
    if not per_broker and is_per_broker(name):
        return "Cannot update these configs at default cluster level, broker id must be specified"
    return None


def is_per_broker(name: str) -> bool:
    base = listener_base(name)
    return update_mode(name) == "per-broker" or (base is not None and base not in _CLUSTER_LEVEL_OF_LISTENERS)


def effective_topic_configs(
    static: Mapping[str, str], cluster: Mapping[str, str], broker: Mapping[str, str], topic: Mapping[str, str]
) -> list[Effective]:
    """Every config of a topic as the controller states it in a CreateTopics reply, by name."""
    return [
        effective_topic_config(row, static, cluster, broker, topic)
        for name, row in sorted(TOPIC_ROWS.items())
        if row[FLAG] != "internal" or name in topic
    ]


def effective_topic_config(
    row: Row, static: Mapping[str, str], cluster: Mapping[str, str], broker: Mapping[str, str], topic: Mapping[str, str]
) -> Effective:
    name = row[NAME]
    if name in topic:
        return _effective(row, topic[name], DYNAMIC_TOPIC_CONFIG)
    for texts, source in ((broker, DYNAMIC_BROKER_CONFIG), (cluster, DYNAMIC_DEFAULT_BROKER_CONFIG), (static, STATIC_BROKER_CONFIG)):
        for synonym, factor in TOPIC_SYNONYMS.get(name, ()):
            if synonym in texts:
                return _effective(row, texts[synonym] if factor == 1 else _scaled(texts[synonym], factor), source)
    return _effective(row, default_text(row), DEFAULT_CONFIG)


def default_text(row: Row) -> str | None:
    default: Value = None if row[DEFAULT] is ... else row[DEFAULT]
    return to_text(default)


def _effective(row: Row, text: str | None, source: int) -> Effective:
    return Effective(row[NAME], text, source, row[TYPE], row[TYPE] == "password")


def _scaled(text: str, factor: int) -> str:
    """Hours or minutes to ms; what is no number counts as 0."""
    digits = text.strip()
    return str(int(digits) * factor) if digits.lstrip("+-").isdecimal() else "0"
