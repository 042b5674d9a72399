"""Writes docs/configuration.md: every key of the release, with what it does in this node.

    python -m barnabas.node.config.document > docs/configuration.md

A key acts when something outside of this package uses the setting that it is read into; that is looked up in the sources, so the page can't promise more.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.configs import topic_settings
from barnabas.core.configs.definitions import (
    broker_groups,
    broker_log,
    broker_network,
    broker_quorum,
    broker_quotas,
    broker_remote,
    broker_replication,
    broker_security,
    broker_transactions,
    client_metrics,
    group,
    topic,
)
from barnabas.core.configs.definitions.broker import BROKER, DYNAMIC_QUOTAS
from barnabas.core.configs.definitions.row import CHECK, DEFAULT, FLAG, IMPORTANCE, NAME, TYPE
from barnabas.core.configs.documentation import lookup
from barnabas.core.configs.resolution import default_text
from barnabas.core.configs.synonyms import TOPIC as SYNONYMS
from barnabas.node.config import sections
from barnabas.node.config.standing import BUILT_AHEAD, NONE, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from barnabas.core.configs.definitions.row import Row

SOURCES = Path(__file__).parents[2]
# Read through `core.configs.listeners` and by NodeConfig itself: the node can't be without them.
_BASIC = frozenset(
    {
        "process.roles",
        "node.id",
        "broker.id",
        "listeners",
        "advertised.listeners",
        "listener.security.protocol.map",
        "controller.listener.names",
        "inter.broker.listener.name",
        "security.inter.broker.protocol",
        "controller.quorum.bootstrap.servers",
        "controller.quorum.voters",
        "config.providers",
    }
)
# Asked for by name in the controller.
_BY_NAME = frozenset({"min.insync.replicas", "unclean.leader.election.enable"})
_BEHIND = {"directories": ("log.dirs", "log.dir"), "metadata_directory": ("metadata.log.dir",)}
_LONG = 60


class Chapter(NamedTuple):
    title: str
    rows: tuple[Row, ...]
    texts: dict[str, str] = lookup.BROKER


CHAPTERS = (
    Chapter("Topics", topic.TOPIC, lookup.TOPIC),
    Chapter("The node and its quorum", broker_quorum.QUORUM),
    Chapter("Network", broker_network.NETWORK),
    Chapter("Logs", broker_log.LOG),
    Chapter("Replication", broker_replication.REPLICATION),
    Chapter("Group coordinators", broker_groups.GROUPS),
    Chapter("Transactions and producer ids", broker_transactions.TRANSACTIONS),
    Chapter("Security", broker_security.SECURITY),
    Chapter("Quotas and metrics", broker_quotas.QUOTAS),
    Chapter("Quotas that exist as dynamic configs only", broker_quotas.DYNAMIC_ONLY),
    Chapter("Tiered storage", broker_remote.REMOTE),
    Chapter("Groups", group.GROUP, lookup.GROUP),
    Chapter("Client metrics subscriptions", client_metrics.CLIENT_METRICS, lookup.CLIENT_METRICS),
)

_INTRODUCTION = """\
# Configuration

Every configuration key of Apache Kafka 4.3.1. Barnabas reads the same `server.properties`, takes the same values, refuses the same ones and tells of them
by the same tools. What a key does in a cluster of Kafka stands behind its name; what it does *here* is in the last column: **acts**; *later*, and what it
waits for; or *none*, and why. Keys that would be dangerous to ignore are refused at the start, with the line of the file. Unknown ones are named with what
was probably meant.

*Set* says where: `file` is server.properties alone (a change needs a restart), `cluster` also all brokers at once while they run, `broker` also each by itself.
A topic's key overrides the broker's key behind it. Defaults are Kafka's. Written by `python -m barnabas.node.config.document`.
"""


def acting_keys() -> frozenset[str]:
    """The keys whose settings are used outside of the configuration's own packages, and not only by parts that wait for others."""
    used = {pair for path in _readers() for pair in _used_in(path.read_text())}
    found = set(_BASIC | _BY_NAME)
    for section, attribute, keys in _read_into(Path(str(sections.__file__)), {**BROKER, **DYNAMIC_QUOTAS}):
        if (section.lower(), attribute) in used:
            found.update(keys)
    for _, attribute, keys in _read_into(Path(str(topic_settings.__file__)), topic_settings.ROWS):
        if ("settings", attribute) in used or ("topic_settings", attribute) in used:
            found.update(keys)
    if ("config", "rack") in used:
        found.add("broker.rack")
    for name, synonyms in SYNONYMS.items():
        if name in found:
            found.update(key for key, _ in synonyms)
    return frozenset(found - BUILT_AHEAD)


def _readers() -> Iterator[Path]:
    for folder in ("node", "core", "storage"):
        for path in sorted((SOURCES / folder).rglob("*.py")):
            if "configs" not in path.parts and path.parent != Path(__file__).parent:
                yield path


def _used_in(text: str) -> Iterator[tuple[str, str]]:
    """Each `section.attribute`, the section under its own name also where it has another (`config = node.config.network`)."""
    names = dict(re.findall(r"\b(\w+) = [\w.]*\bconfig(?:\(\))?\.(\w+)$", text, re.MULTILINE))
    for section, attribute in re.findall(r"(\w+)(?:\([^()]*\))?(?=\.(\w+))", text):
        yield section.lstrip("_"), attribute
        if section in names:
            yield names[section], attribute


def _read_into(path: Path, known: dict[str, Row]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each `self.attribute = ...` of a module's classes (class, attribute) with the keys that stand on its right, or behind a name that does."""
    for owner in ast.parse(path.read_text()).body:
        if not isinstance(owner, ast.ClassDef):
            continue
        locals_: dict[str, tuple[str, ...]] = {}
        for node in ast.walk(owner):
            if not isinstance(node, ast.Assign):
                continue
            target, keys = node.targets[0], tuple(_keys_in(node.value, known, locals_))
            if isinstance(target, ast.Name):
                locals_[target.id] = keys
            elif isinstance(target, ast.Attribute):
                yield owner.name, target.attr, keys or _BEHIND.get(target.attr, ())


def _keys_in(value: ast.expr, known: dict[str, Row], locals_: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for part in ast.walk(value):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value in known:
            yield part.value
        elif isinstance(part, ast.Name):
            yield from locals_.get(part.id, ())


def page(acting: frozenset[str]) -> str:
    parts = [_INTRODUCTION]
    for title, rows, written in CHAPTERS:
        parts.append(
            f"\n## {title}\n\n| key | what it does | type | default | allowed | importance | set | here |\n|---|---|---|---|---|---|---|---|\n"
        )
        parts += [_line(row, written[row[NAME]], acting) for row in rows]
    return "".join(parts)


def _line(row: Row, what: str, acting: frozenset[str]) -> str:
    kind, why = standing(row[NAME])
    here = "**acts**" if row[NAME] in acting else f"*none*: {why}" if kind == NONE else f"*later*: {why}"
    where = {"": "file", "cluster-wide": "cluster", "per-broker": "broker", "internal": "file, internal"}[row[FLAG]]
    behind = SYNONYMS.get(row[NAME]) if row in topic.TOPIC else None
    if row in topic.TOPIC:
        where = f"topic, else `{behind[0][0]}`" if behind else "topic"
    elif row in group.GROUP:
        where = "group"
    elif row in client_metrics.CLIENT_METRICS:
        where = "subscription"
    return f"| `{row[NAME]}` | {what} | {row[TYPE]} | {_default(row)} | {_allowed(row)} | {row[IMPORTANCE]} | {where} | {here} |\n"


def _default(row: Row) -> str:
    text = default_text(row)
    if row[DEFAULT] is ...:
        return "must be given"
    return f"`{text if len(text) <= _LONG else text[: _LONG - 1] + '…'}`" if text else "" if text is None else "empty"


def _allowed(row: Row) -> str:
    check = row[CHECK]
    if check is None:
        return ""
    kind, *operands = check
    shown = [str(operand) for operand in operands]
    if kind == "at least":
        return f"{shown[0]} or more"
    if kind == "between":
        return f"{shown[0]} to {shown[1]}"
    if kind == "list":
        return ", ".join(shown[2:])
    if kind in ("one of", "one of in any case"):
        return ", ".join(shown)
    return {
        "voters": "id@host:port",
        "servers": "host:port",
        "gzip level": "-1, 1 to 9",
        "throttled replicas": "`*` or partition:broker",
        "offset reset": "earliest, latest, by_duration:PnDTnHnMn.nS",
        "non-empty": "not empty",
        "non-null": "",
    }[str(kind)]


if __name__ == "__main__":
    print(page(acting_keys()), end="")
