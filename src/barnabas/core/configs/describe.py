"""What DescribeConfigs says of a resource: every config with its value, where it comes from, and what stands behind it in order of precedence.

Pure: layers come in as texts, entries go out. Unknown keys count as secrets, as in Kafka; so do passwords: their values are never shown.
Source: Apache's ConfigHelper; KIP-133, KIP-226, KIP-1142.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from . import resolution
from .definitions.broker import BROKER, DYNAMIC_QUOTAS, update_mode
from .definitions.client_metrics import CLIENT_METRICS
from .definitions.group import GROUP
from .definitions.row import FLAG, TYPE, Row, index
from .error import ConfigError
from .resolution import default_text, overlay
from .synonyms import GROUP as GROUP_SYNONYMS
from .synonyms import TOPIC as TOPIC_SYNONYMS
from .synonyms import broker_synonyms
from .topic_settings import ROWS as TOPIC_ROWS
from .topic_settings import topic_defaults, topic_values, valid_overrides
from .values import Values, parse, to_text

CLIENT_METRICS_ROWS: dict[str, Row] = index(CLIENT_METRICS)
GROUP_ROWS: dict[str, Row] = index(GROUP)

KINDS = {"boolean": 1, "string": 2, "int": 3, "short": 4, "long": 5, "double": 6, "list": 7, "class": 8, "password": 9}
"""Types as replies number them; 0 is unknown."""


class Synonym(NamedTuple):
    name: str
    value: str | None
    source: int


class Described(NamedTuple):
    """One config. `value` is None when there is none, or when it is a secret; `kind` is one of `KINDS`, or 0."""

    name: str
    value: str | None
    source: int
    kind: int
    synonyms: tuple[Synonym, ...] = ()
    is_sensitive: bool = False
    read_only: bool = False


class BrokerLayers(NamedTuple):
    """A broker's configs by where they come from, as texts, and parsed in force. Dynamic ones without those that don't apply."""

    static: Mapping[str, str]
    cluster: Mapping[str, str]
    broker: Mapping[str, str]
    values: Values


def describe_topic(layers: BrokerLayers, overrides: Mapping[str, str], names: Iterable[str] | None = None) -> list[Described]:
    """A topic whose own configs are `overrides`. `names` None or empty: all."""
    values = topic_values(topic_defaults(layers.values), valid_overrides(overrides))
    shown = [name for name, row in TOPIC_ROWS.items() if row[FLAG] != "internal" or name in overrides]
    found = []
    for name in _wanted(shown, names):
        text = to_text(values[name])
        synonyms = _behind(layers, TOPIC_SYNONYMS[name][0][0]) if name in TOPIC_SYNONYMS else ()
        if name in overrides:
            synonyms = (Synonym(name, text, resolution.DYNAMIC_TOPIC_CONFIG), *synonyms)
        found.append(_described(name, text, TOPIC_ROWS[name], synonyms))
    return found


def describe_broker(layers: BrokerLayers, names: Iterable[str] | None = None) -> list[Described]:
    """A broker as it runs. Keys that no broker has are listed when they are given: a plug-in's, or a listener's own."""
    texts = overlay(layers.static, layers.cluster, layers.broker)
    known = [name for name, row in BROKER.items() if row[FLAG] != "internal"]
    given = [name for name in texts if name not in BROKER or BROKER[name][FLAG] == "internal"]
    return [_described_broker(layers, name, texts) for name in _wanted(given + known, names)]


def describe_cluster_default(layers: BrokerLayers, names: Iterable[str] | None = None) -> list[Described]:
    """What is set for all brokers, and nothing else."""
    found = []
    for name in _wanted(layers.cluster, names):
        one = _described_broker(layers, name, layers.cluster)
        synonyms = tuple(synonym for synonym in one.synonyms if synonym.source == resolution.DYNAMIC_DEFAULT_BROKER_CONFIG)
        value = None if one.is_sensitive else layers.cluster[name]
        found.append(one._replace(value=value, synonyms=synonyms, source=_source(synonyms)))
    return found


def describe_group(layers: BrokerLayers, overrides: Mapping[str, str], names: Iterable[str] | None = None) -> list[Described]:
    """A group whose own configs are `overrides`: what it sets, else what its coordinator has."""
    found = []
    for name in _wanted(GROUP_ROWS, names):
        row, broker_name = GROUP_ROWS[name], GROUP_SYNONYMS.get(name)
        if broker_name is None:
            text = default_text(row)
            synonyms: tuple[Synonym, ...] = (Synonym(name, text, resolution.DEFAULT_CONFIG),)
        else:
            text, synonyms = to_text(layers.values[broker_name]), _behind(layers, broker_name)
        if name in overrides:
            text = _as_parsed(row, overrides[name])
            synonyms = (Synonym(name, text, resolution.DYNAMIC_GROUP_CONFIG), *synonyms)
        found.append(_described(name, text, row, synonyms))
    return found


def describe_client_metrics(overrides: Mapping[str, str], names: Iterable[str] | None = None) -> list[Described]:
    """A subscription of clients' metrics."""
    found = []
    for name in _wanted(CLIENT_METRICS_ROWS, names):
        row = CLIENT_METRICS_ROWS[name]
        text = _as_parsed(row, overrides[name]) if name in overrides else default_text(row)
        synonyms = (Synonym(name, text, resolution.DYNAMIC_CLIENT_METRICS_CONFIG),) if name in overrides else ()
        found.append(_described(name, text, row, synonyms))
    return found


def describe_broker_logger(levels: Mapping[str, str], names: Iterable[str] | None = None) -> list[Described]:
    """Loggers by name with the level in force."""
    return [Described(name, levels[name], resolution.DYNAMIC_BROKER_LOGGER_CONFIG, 0) for name in _wanted(levels, names)]


def _wanted(present: Iterable[str], names: Iterable[str] | None) -> list[str]:
    asked = set(names or ())
    return [name for name in present if not asked or name in asked]


def _as_parsed(row: Row, text: str) -> str | None:
    try:
        return to_text(parse(row, text))
    except ConfigError:  # stored by another release
        return text


def _described(name: str, text: str | None, row: Row, synonyms: tuple[Synonym, ...]) -> Described:
    return Described(name, text, _source(synonyms), KINDS[row[TYPE]], synonyms)


def _described_broker(layers: BrokerLayers, name: str, texts: Mapping[str, str]) -> Described:
    row = _broker_row(name)
    is_sensitive = row is None or row[TYPE] == "password"
    value = None if is_sensitive else to_text(layers.values[name]) if name in BROKER else texts.get(name)
    synonyms = _behind(layers, name)
    return Described(name, value, _source(synonyms), 0 if row is None else KINDS[row[TYPE]], synonyms, is_sensitive, update_mode(name) == "read-only")


def _broker_row(name: str) -> Row | None:
    """The row that tells a broker config's type; a listener's own config has the plain one's."""
    return BROKER.get(name) or DYNAMIC_QUOTAS.get(name) or next((BROKER[key] for key in broker_synonyms(name) if key in BROKER), None)


def _behind(layers: BrokerLayers, name: str) -> tuple[Synonym, ...]:
    """Where a broker config comes from, first what counts. What precedes the config's own name is another config's and left out."""
    row = _broker_row(name)
    is_sensitive = row is None or row[TYPE] == "password"
    family = broker_synonyms(name)
    found = []
    for texts, source in (
        (layers.broker, resolution.DYNAMIC_BROKER_CONFIG),
        (layers.cluster, resolution.DYNAMIC_DEFAULT_BROKER_CONFIG),
        (layers.static, resolution.STATIC_BROKER_CONFIG),
    ):
        found += [Synonym(key, None if is_sensitive else texts[key], source) for key in family if key in texts]
    for key in family:
        text = default_text(BROKER[key]) if key in BROKER else None
        if text is not None:
            found.append(Synonym(key, None if is_sensitive else text, resolution.DEFAULT_CONFIG))
    start = next((position for position, synonym in enumerate(found) if synonym.name == name), len(found))
    return tuple(found[start:])


def _source(synonyms: tuple[Synonym, ...]) -> int:
    return synonyms[0].source if synonyms else resolution.DEFAULT_CONFIG
