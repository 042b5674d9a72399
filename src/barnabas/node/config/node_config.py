"""server.properties, with overrides, as a checked and typed `NodeConfig`.

Owns reading, the checks across keys, and messages that name file, line, key, value and what would be right. Keys and rules are
`barnabas.core.configs`, what this node cannot do is `unsupported`, keys that mean nothing any more are `gone`. The same file starts Apache Kafka (M4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.configs.addresses import servers, voters
from barnabas.core.configs.broker_rules import check_broker, log_dirs
from barnabas.core.configs.definitions.broker import BROKER, DYNAMIC_QUOTAS
from barnabas.core.configs.definitions.row import DEFAULT, TYPE
from barnabas.core.configs.error import ConfigError
from barnabas.core.configs.listener_changes import check_listeners
from barnabas.core.configs.listeners import resolve
from barnabas.core.configs.resolution import overlay, usable_dynamic
from barnabas.core.configs.synonyms import listener_base
from barnabas.core.configs.topic_settings import topic_defaults, topic_settings
from barnabas.core.configs.values import Values, parse
from barnabas.storage.properties_file import PropertiesError, read_properties

from .gone import why_gone
from .sections import Compaction, Groups, Logs, Network, Quorum, Replication, Throttling, Topics, Transactions
from .unsupported import ignored, refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from barnabas.core.configs.definitions.row import Value
    from barnabas.core.configs.topic_settings import TopicSettings

OVERRIDE = "--override"
_NO_TEXTS: dict[str, str] = {}


class InvalidNodeConfig(ValueError):
    """The node must not start. `problems` holds one line each, ready to print."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Given(NamedTuple):
    """One key as someone wrote it. `where` is `FILE:LINE` or `--override`; `written` is what a provider's value came from."""

    key: str
    text: str
    where: str
    written: str | None = None


class NodeConfig:
    """What a node was told, in force now. Immutable by agreement: `reconfigured` makes another when dynamic configs change."""

    __slots__ = (
        "bootstrap_servers",
        "broker",
        "cluster",
        "compaction",
        "groups",
        "listeners",
        "logs",
        "network",
        "node_id",
        "quorum",
        "rack",
        "replication",
        "roles",
        "static",
        "throttling",
        "topic_defaults",
        "topics",
        "transactions",
        "values",
        "voters",
        "warnings",
    )

    def __init__(
        self,
        static: Mapping[str, str],
        values: Values,
        warnings: Iterable[str] = (),
        cluster: Mapping[str, str] = _NO_TEXTS,
        broker: Mapping[str, str] = _NO_TEXTS,
    ) -> None:
        self.static = dict(static)
        """Texts as given, broker.id and node.id filled from one another: what DescribeConfigs calls STATIC_BROKER_CONFIG."""
        self.cluster = cluster
        """Dynamic configs of all brokers that apply here; `broker`: those of this one."""
        self.broker = broker
        self.values = values
        self.warnings = tuple(warnings)
        self.node_id = values.integer("node.id")
        self.roles = frozenset(values.items_of("process.roles"))
        self.rack = values.optional_text("broker.rack")
        self.listeners = resolve(values)
        self.voters = voters("controller.quorum.voters", values.items_of("controller.quorum.voters"))
        """The static voters, id -> (host, port); empty when the voters are in the log."""
        self.bootstrap_servers = servers("controller.quorum.bootstrap.servers", values.items_of("controller.quorum.bootstrap.servers"))
        self.network = Network(values, overlay(self.static, cluster, broker))
        self.quorum = Quorum(values)
        self.logs = Logs(values)
        self.compaction = Compaction(values)
        self.topics = Topics(values)
        self.replication = Replication(values)
        quotas = {name: parse(DYNAMIC_QUOTAS[name], text) for name, text in (*cluster.items(), *broker.items()) if name in DYNAMIC_QUOTAS}
        self.throttling = Throttling(values, Values(DYNAMIC_QUOTAS, quotas))
        self.groups = Groups(values)
        self.transactions = Transactions(values)
        self.topic_defaults: dict[str, Value] = topic_defaults(values)
        """What a topic has that sets nothing itself."""

    def topic_settings(self, overrides: Mapping[str, str]) -> TopicSettings:
        """A topic's settings on this node, `overrides` being the topic's own configs."""
        return topic_settings(self.topic_defaults, overrides)

    def reconfigured(self, cluster: Mapping[str, str], broker: Mapping[str, str], present: NodeConfig | None = None) -> NodeConfig:
        """This node under these stored dynamic configs (the cluster's default and its own); what does not apply is left out.

        It stays as it is at `present` (without that, as here) when they contradict one another, or a running broker can't take them."""
        present = present or self
        if not cluster and not broker and not self.cluster and not self.broker:
            return self
        cluster, broker = usable_dynamic(cluster, per_broker=False), usable_dynamic(broker, per_broker=True)
        texts = overlay(self.static, cluster, broker)
        try:
            values = Values(BROKER, {name: parse(BROKER[name], text) for name, text in texts.items() if name in BROKER})
            check_broker(values)
            check_listeners(values, texts, present.values, overlay(self.static, present.cluster, present.broker))
            return NodeConfig(self.static, values, self.warnings, cluster, broker)
        except ConfigError:
            return present


def read_node_config(path: str, overrides: Iterable[str] = ()) -> NodeConfig:
    """The configuration in the file at `path` under `overrides` (`key=value` each). Raises InvalidNodeConfig."""
    try:
        given = [Given(key, text, f"{path}:{line}") for key, text, line in read_properties(path)]
    except PropertiesError as error:
        raise InvalidNodeConfig([str(error)]) from None
    except OSError as error:
        raise InvalidNodeConfig([f"{path}: {error.strerror or error}"]) from None
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise InvalidNodeConfig([f"{OVERRIDE} {override}: it should read key=value"])
        given.append(Given(key.strip(), text, OVERRIDE))
    return node_config(given, path)


def node_config(given: Iterable[Given], path: str = "server.properties") -> NodeConfig:
    """As `read_node_config`, of keys already read, the last of a key counting. `path` names the file in messages about what is missing."""
    settings = {one.key: one for one in given}
    unfilled = _fill_in(settings) if "config.providers" in settings else []
    values, problems = parse_given(settings.values(), path)
    if not problems:
        try:
            listeners = resolve(values)
            check_broker(values)
            Network(values, _static(settings))
            problems = [_line(settings, path, key, why) for key, why in refused(values, listeners)] + _directories(settings, values, path)
        except ConfigError as error:
            problems = [_line(settings, path, error.key, _said_once(error))]
    if problems:
        raise InvalidNodeConfig(problems)
    return NodeConfig(_static(settings), values, unfilled + _warnings(settings, values, path))


def _fill_in(settings: dict[str, Given]) -> list[str]:
    """Put in what config.providers have for `${...}`; warnings about what they don't have. Raises InvalidNodeConfig."""
    from barnabas.storage.config_providers import ProviderError, fill_in

    try:
        texts, missing = fill_in({key: one.text for key, one in settings.items()})
    except ProviderError as error:
        raise InvalidNodeConfig([_line(settings, "", error.key, str(error))]) from None
    for key, text in texts.items():
        if text != settings[key].text:
            settings[key] = settings[key]._replace(text=text, written=settings[key].text)
    return [
        f"{settings[key].where}: {key}: {variable} stays as it is written: its provider has no such value, or may not read it"
        for key, variable in missing
    ]


def parse_given(given: Iterable[Given], path: str = "server.properties") -> tuple[Values, list[str]]:
    """The values of keys read (each once), and what is wrong with single ones or missing."""
    settings = {one.key: one for one in given}
    parsed: dict[str, Value] = {}
    problems = []
    for one in settings.values():
        if one.key in BROKER:
            try:
                parsed[one.key] = parse(BROKER[one.key], one.text)
            except ConfigError as error:
                problems.append(_line(settings, path, one.key, _said_once(error)))
    if "node.id" not in settings and "broker.id" in parsed:
        parsed["node.id"] = parsed["broker.id"]
    elif "broker.id" not in settings and "node.id" in parsed:
        parsed["broker.id"] = parsed["node.id"]
    for name, row in BROKER.items():
        if row[DEFAULT] is ... and name not in parsed and name not in settings:
            problems.append(f"{path}: {name} is missing: {_REQUIRED[name]}")
    return Values(BROKER, parsed), problems


_REQUIRED = {
    "node.id": "each node needs a number of its own, such as node.id=1",
    "process.roles": "write process.roles=broker,controller",
    "controller.listener.names": "name the listener for controllers, such as controller.listener.names=CONTROLLER",
}


def _static(settings: dict[str, Given]) -> dict[str, str]:
    texts = {one.key: one.text for one in settings.values()}
    if "node.id" in texts:
        texts.setdefault("broker.id", texts["node.id"])
    elif "broker.id" in texts:
        texts["node.id"] = texts["broker.id"]
    return texts


def _line(settings: dict[str, Given], path: str, key: str, why: str) -> str:
    """One problem: where, what was written, why it is wrong."""
    one = settings.get(key)
    if one is None:
        return f"{path}: {key}: {why}" if key else f"{path}: {why}"
    return f"{one.where}: {key}={_shown(one)}: {why}{f'; {_COMMENT}' if _has_comment(one) else ''}"


_COMMENT = "a comment needs a line of its own, here it became part of the value"


def _shown(one: Given) -> str:
    """What may be told of a value: of a password nothing, of a provider's what asks for it."""
    is_secret = (one.key in BROKER and BROKER[one.key][TYPE] == "password") or "password" in one.key or "secret" in one.key
    if one.written is not None:
        return one.written
    return "[hidden]" if is_secret else one.text


def _has_comment(one: Given) -> bool:
    return " #" in one.text or "\t#" in one.text


def _said_once(error: ConfigError) -> str:
    """The message without the key and value that the line names already."""
    found = error.message.partition(f" for configuration {error.key}: ")
    return found[2] if found[1] and error.message.startswith("Invalid value ") else error.message


def _directories(settings: dict[str, Given], values: Values, path: str) -> list[str]:
    """Two spellings of one directory: a second node of the same disk, which its lock would refuse with less to say."""
    key = "log.dirs" if values["log.dirs"] is not None else "log.dir"
    seen: dict[str, str] = {}
    for directory in log_dirs(values):
        same = seen.setdefault(_plain(directory), directory)
        if same != directory:
            return [_line(settings, path, key, f"{same} and {directory} are one directory; give each disk its own")]
    return []


def _plain(directory: str) -> str:
    return "/".join(part for part in directory.split("/") if part not in ("", "."))


def _warnings(settings: dict[str, Given], values: Values, path: str) -> list[str]:
    found = [_line(settings, path, key, f"ignored: {why}") for key, why in ignored(values)]
    for one in settings.values():
        if one.key in BROKER:
            if BROKER[one.key][TYPE] == "list" and _repeats(one.text):
                what = "names one directory twice; give each disk its own" if one.key in ("log.dirs", "log.dir") else "says something twice"
                found.append(f"{one.where}: {one.key}={_shown(one)} {what}")
            if BROKER[one.key][TYPE] != "password" and _has_comment(one):
                found.append(f"{one.where}: {one.key}={_shown(one)}: {_COMMENT}")
        else:
            why = _why_unknown(one.key)
            if why is not None:
                found.append(f"{one.where}: {one.key} is ignored: {why}")
    if values.integer("broker.heartbeat.interval.ms") * 2 > values.integer("broker.session.timeout.ms"):
        why = "it should be at most half of broker.session.timeout.ms, or the broker loses its session between heartbeats"
        found.append(_line(settings, path, "broker.heartbeat.interval.ms", why))
    return found


def _repeats(text: str) -> bool:
    items = [item.strip() for item in text.split(",")]
    return len(set(items)) < len(items)


def _why_unknown(key: str) -> str | None:
    """Why a key that no broker has is of no use, or None when it may be meant for something (a listener's own key, a provider's)."""
    if key.startswith("config.providers."):
        return None
    base = listener_base(key)
    if base is not None and (base in BROKER or any(base.endswith(f".{name}") for name in ("sasl.jaas.config", *BROKER))):
        return None
    gone = why_gone(key)
    if gone is not None:
        return gone
    if key in DYNAMIC_QUOTAS:
        return "it can only be set while brokers run, with kafka-configs"
    from barnabas.core.configs.synonyms import TOPIC

    if key in TOPIC:
        return f"a topic's key; for all topics of this node write {TOPIC[key][0][0]}"
    import difflib

    close = difflib.get_close_matches(key, BROKER, n=1, cutoff=0.8)
    return f"no key of this name; did you mean {close[0]}?" if close else "no key of this name"
