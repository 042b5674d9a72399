"""Configuration rows against the real tables of keys and against server.properties as a node reads it.

Owns: what a row says about a key, in the terms of our tables; which file shows a value; what our node says to it. What the tools say to it on a running
node is test_configs.py's. What a key *does* is seen by the tests that tests/tidy/config_effects.py binds to it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from barnabas.cli.kafka.console_consumer import consumer_settings
from barnabas.cli.kafka.console_producer import producer_settings
from barnabas.cli.kafka.session import ConfigException
from barnabas.core.configs.definitions.broker import BROKER, update_mode
from barnabas.core.configs.definitions.clients import CONSUMER, PRODUCER
from barnabas.core.configs.definitions.row import CHECK, DEFAULT, TYPE
from barnabas.core.configs.synonyms import listener_base
from barnabas.core.configs.topic_settings import ROWS as TOPIC
from barnabas.core.configs.values import shown
from barnabas.node.config.node_config import Given, InvalidNodeConfig, node_config
from tests.seeds.rows import HERE, Row, of, read

if TYPE_CHECKING:
    from barnabas.core.configs.definitions.clients import CONSUMER, PRODUCER
from barnabas.core.configs.definitions.row import Row as Definition

# Keys that aren't in the table of a broker, because something else of the broker reads them.
READ_BY_THE_AUTHORIZER = "super.users"
NAMED_BY_A_PROPERTY_OF_THE_JVM = "jaas-section-KafkaServer"

# Of what a key allows, forms that the documents don't use.
ALSO = {"auto.offset.reset": ("latest", "none", "by_duration:PT1H")}
_MECHANISM = re.compile(r"^(?:plain|gssapi|oauthbearer|scram-sha-\d+)\.")

BASE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.bootstrap.servers": "localhost:9093",
    "listeners": "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
    "controller.listener.names": "CONTROLLER",
    "log.dirs": "/data",
}


def walked() -> list[Row]:
    """The rows that this walker answers for: keys of nodes and topics, and those of clients that our tools act by."""
    return [row for row in of("configs") if row["scope"] in ("broker", "topic") or row["key"] in tools_keys().get(row["scope"], ())]


@cache
def tools_keys() -> dict[str, set[str]]:
    """Kind of client -> the keys that docs/tools.md says its tools act by."""
    text = (HERE.parents[1] / "docs" / "tools.md").read_text()
    named = {kind: set(keys.split()) for kind, keys in re.findall(r"^- (everywhere|producer|consumer): `([^`]+)`", text, re.MULTILINE)}
    everywhere = {key for key in named.pop("everywhere") if key in CONSUMER and not key.startswith("security.")}
    return {kind: keys | everywhere for kind, keys in named.items()}


def values(row: Row) -> list[str]:
    """What the documents write behind the key, as text. Left out: words in brackets, which only describe a value, and values cut short."""
    found = []
    for given in row["given"]:
        text = as_text(given["value"])
        if not text.startswith("(") and not text.endswith("…"):
            found += text.split(", ") if row["key"] == "node.id" else [text]
    return list(dict.fromkeys(found))


def as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def definition(row: Row) -> Definition | None:
    table = {"broker": BROKER, "topic": TOPIC, "producer": PRODUCER, "consumer": CONSUMER}[row["scope"]]
    return table.get(listener_base(row["key"]) or row["key"])


def disagreements(row: Row) -> list[str]:
    """Where our table of keys says something else than the row."""
    ours = definition(row)
    if row["status"] not in ("valid", "deprecated"):
        return [f"{row['key']} is {row['status']}, and a key here"] if ours else []
    if listener_base(row["key"]) or row["key"] in (READ_BY_THE_AUTHORIZER, NAMED_BY_A_PROPERTY_OF_THE_JVM):
        return []
    if ours is None:
        return [f"{row['key']} is no key here"]
    pairs = [("type", row["type"], ours[TYPE]), ("required", bool(row["required"]), ours[DEFAULT] is ...)]
    if not row["required"]:
        pairs.append(("default", _default(row), "null" if ours[DEFAULT] is None else shown(ours[DEFAULT])))  # type: ignore[arg-type]
    if row["allowed"]:
        pairs.append(("allowed", row["allowed"].replace(",...]", "]"), _allowed(ours)))
    if row["scope"] == "broker":
        pairs.append(("update", row["update"], update_mode(row["key"])))
    return [f"{row['key']}: {what} is {theirs}, here {here}" for what, theirs, here in pairs if theirs != here]


def _default(row: Row) -> str:
    default = row["default"]
    if isinstance(default, list):
        return f"[{', '.join(map(str, default))}]"
    return "null" if default is None else as_text(default)


def _allowed(ours: Definition) -> str:
    """A key's check in the catalogue's words."""
    check = ours[CHECK]
    if check is None:
        return ""
    kind, *operands = check
    if kind == "at least":
        return f"[{operands[0]}]"
    if kind == "between":
        return f"[{operands[0]},...,{operands[1]}]"
    if kind == "list":
        return f"[{', '.join(map(str, operands[2:]))}]" if operands[2:] else "non-empty list"
    if kind == "one of":
        return f"[{', '.join(map(str, operands))}]"
    return {
        "non-null": "non-null string",
        "non-empty": "non-empty string",
        "voters": "non-empty list",
        "consumer offset reset": "[latest, earliest, none, by_duration:PnDTnHnMn.nS]",
    }.get(str(kind), str(kind))


class Reading:
    """What a node says to a file: `problems` keep it from starting, `warnings` don't."""

    def __init__(self, key: str, value: str) -> None:
        lines = BASE | {key: value} | _around(key, value)
        self.problems: tuple[str, ...] = ()
        self.warnings: tuple[str, ...] = ()
        try:
            self.warnings = node_config([Given(name, text, f"server.properties:{n}") for n, (name, text) in enumerate(lines.items(), 1)]).warnings
        except InvalidNodeConfig as refused:
            self.problems = refused.problems


def _around(key: str, value: str) -> dict[str, str]:
    """What must stand beside a key for its value to make sense: listeners of the same names, the voter's own number."""
    names = re.findall(r"([A-Z_]+)://", value)
    more = {}
    if names:
        more["listener.security.protocol.map"] = ",".join(f"{name}:{'PLAINTEXT' if name == 'CONTROLLER' else name}" for name in names)
        others = [] if "CONTROLLER" in names else ["CONTROLLER://localhost:9099"]
        if others:
            more["listener.security.protocol.map"] += ",CONTROLLER:PLAINTEXT"
        if key == "listeners":
            if others:
                more["listeners"] = ",".join([value, *others])
            more["inter.broker.listener.name"] = names[0]
        else:
            more["listeners"] = ",".join([f"{name}://localhost:{9100 + n}" for n, name in enumerate(names)] + others)
            more["inter.broker.listener.name"] = names[0]
    elif key == "listener.security.protocol.map":
        names = re.findall(r"([A-Z_]+):", value)
        more["listeners"] = ",".join(f"{name}://localhost:{9100 + n}" for n, name in enumerate(names))
        more["inter.broker.listener.name"] = next(name for name in names if name != "CONTROLLER")
    elif key == "security.inter.broker.protocol":
        more["listeners"] = f"{value}://localhost:9092,CONTROLLER://localhost:9093"
        more["listener.security.protocol.map"] = f"{value}:{value},CONTROLLER:PLAINTEXT"
    return more


def unmet(row: Row) -> list[str]:
    """Why a row isn't met: where the tables differ, what a node says to the documents' values, and what the documentation leaves open."""
    found = disagreements(row)
    if row["scope"] in ("producer", "consumer"):
        return found + [problem for value in (*values(row), *ALSO.get(row["key"], ())) for problem in refused_by_tools(row, value)]
    if row["scope"] == "topic":
        return found + undocumented(row)
    if row["verdict"] == "warn":
        warnings = [" ".join(Reading(row["key"], value).warnings) for value in values(row) or ["anything"]]
        return found + [f"{said or 'nothing'}: doesn't say {word}" for said in warnings for word in words(row) if not re.search(word, said)]
    if row["key"] in (READ_BY_THE_AUTHORIZER, NAMED_BY_A_PROPERTY_OF_THE_JVM):
        return [*found, "nobody reads it"]
    for value in values(row):
        problems = Reading(row["key"], value).problems
        wanted = refused_yet(row, value)
        if wanted is None:
            found += problems
        elif not problems or not all(re.search(wanted, problem) for problem in problems):
            found.append(f"{value} is said to be refused with {wanted}, and is answered with {problems or 'nothing'}: take it out of refused_yet")
    return found + undocumented(row)


def refused_by_tools(row: Row, value: str) -> list[str]:
    properties = {row["key"]: value}
    try:
        if row["scope"] == "producer":
            producer_settings(properties)
        else:
            consumer_settings(properties, "a-group")
    except ConfigException as refused:
        return [str(refused)]
    return []


def refused_yet(row: Row, value: str) -> str | None:
    """What a node must say to a value that this node can't serve yet; None when it can."""
    for pattern, says in read(HERE / "expected.yaml")["refused_yet"].get(row.id, {}).items():
        if re.search(pattern, value):
            return str(says)
    return None


@cache
def documented() -> dict[str, str]:
    """Key -> what docs/configuration.md says of it: **acts**, *later* and for what, or *none* and why. tests/tidy holds the page to the code."""
    text = (HERE.parents[1] / "docs" / "configuration.md").read_text()
    return dict(re.findall(r"^\| `([^`]+)` \|.* \| ([^|]+) \|$", text, re.MULTILINE))


def undocumented(row: Row) -> list[str]:
    if row["status"] not in ("valid", "deprecated"):
        return []
    base = _MECHANISM.sub("", listener_base(row["key"]) or row["key"])
    said = documented().get(base, "")
    return [] if said.startswith(("**acts**", "*later*: ", "*none*: ")) else [f"docs/configuration.md says nothing of {base}: {said}"]


def words(row: Row) -> list[str]:
    """What a warning or a refusal must say so that its reader knows what to type instead."""
    return list(read(HERE / "expected.yaml")["configs"].get(row.id, ()))
