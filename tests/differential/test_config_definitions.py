"""Every configuration key against the release's own definitions: names, types, defaults, checks, importance, update modes, and what values are taken."""

from __future__ import annotations

import re
import subprocess

import pytest

from barnabas.core.configs.definitions.broker import BROKER, DYNAMIC_QUOTAS
from barnabas.core.configs.definitions.client_metrics import CLIENT_METRICS
from barnabas.core.configs.definitions.clients import CONSUMER, PRODUCER
from barnabas.core.configs.definitions.group import GROUP
from barnabas.core.configs.definitions.row import CHECK, DEFAULT, FLAG, IMPORTANCE, NAME, TYPE, Row, index
from barnabas.core.configs.error import ConfigError
from barnabas.core.configs.resolution import default_text
from barnabas.core.configs.topic_settings import ROWS as TOPIC
from barnabas.core.configs.values import parse, to_text
from tests.apache import release

pytestmark = [pytest.mark.apache]

SCOPES: dict[str, dict[str, Row]] = {
    "topic": TOPIC,
    "broker": BROKER,
    "broker quota": DYNAMIC_QUOTAS,
    "group": index(GROUP),
    "client metrics": index(CLIENT_METRICS),
    "producer": PRODUCER,
    "consumer": CONSUMER,
}
# Of clients, these are other tables' or nobody's yet.
ELSEWHERE = re.compile(r"(ssl|sasl|security|share)\.")
TEXTS = (
    "", " ", "0", "1", "-1", "-2", "-3", "+5", "7 ", "007", "1.5", "1e3", "1e400", "0x10", "0x1p3", "NaN", "Infinity", "-Infinity", "infinity", "1_000", "1f", "2d",
    "٣", "22", "23", "100", "1000", "1048576", "1048575", "2147483647", "2147483648", "-2147483649", "32767", "32768", "9223372036854775807", "9223372036854775808",
    "true", "TRUE", " False ", "yes", "null", "a", "a,b", "a , b", "a,,b", ",", "a,", "compact", "compact,delete", "delete,delete", "Compact", "gzip", "zstd",
    "none", "CreateTime", "createtime", "LogAppendTime", "*", "1:2", "1:2,3:4", "1:2,", "1:x", "*,1:2", "earliest", "LATEST",
    "by_duration:PT1H", "by_duration:P1DT2H3M4.5S",
    "by_duration:-PT1H", "by_duration:PT", "by_duration:P", "by_duration:", "none", "read_committed", "1@a:1", "1@a:1,2@b:2", "1@a", "a:1", "a:b:1", "[::1]:9092",
    "x@a:1", "1@0.0.0.0:1", "@a:1", "1@a:1@b", "a:99999", "PLAINTEXT", "ssl", "required", "Upgrade", "broker,controller", "consumer,classic", "classic",
    "group.version", "RS256", "es256", "uniform", "a\x0bb", "\x00x",
)  # fmt: skip


def test_definitions() -> None:
    printed = _run("DescribeDefinitions", "")
    theirs = {}
    for line in printed.splitlines():
        scope, name, kind, default, check, importance, internal, mode = line.split("\t")
        if scope in ("producer", "consumer") and ELSEWHERE.match(name):
            continue
        flag = "internal" if internal == "true" else "" if mode == "read-only" else mode
        theirs[scope, name] = (kind.lower(), _default(name, default), _check(check), importance.lower(), flag)
    ours = {
        (scope, name): (row[TYPE], _default(name, _shown_default(row)), _check(_shown_check(row)), row[IMPORTANCE], row[FLAG])
        for scope, rows in SCOPES.items()
        for name, row in rows.items()
    }
    assert sorted(theirs) == sorted(ours)
    assert {key: (ours[key], theirs[key]) for key in ours if ours[key] != theirs[key]} == {}


def test_values() -> None:
    """Each key with each text: taken as the same value, or refused in the same words."""
    asked = [
        (scope, row, text)
        for scope, rows in SCOPES.items()
        if scope != "broker quota"
        for row in rows.values()
        if row[TYPE] != "class"  # there, a class must exist
        for text in TEXTS
    ]
    lines = "".join(f"parse\t{scope}\t{row[NAME]}\t{text}\n" for scope, row, text in asked)
    theirs = _run("CheckConfigs", lines).split("\n")[:-1]
    different = []
    for (scope, row, text), said in zip(asked, theirs, strict=True):
        said = said.replace("error\tConfigException\t", "error\t")
        if row[TYPE] == "password" and said.startswith("ok"):
            continue  # "[hidden]"
        try:
            value = parse(row, text)
            ours = f"ok\t{'null' if value is None else to_text(value)}"
        except ConfigError as error:
            ours = f"error\t{error.message}"
        if _wording(ours) != _wording(said):
            different.append((scope, row[NAME], text, ours, said))
    assert different == [], "\n".join(map(str, different))


def _wording(said: str) -> str:
    """The set of values that a message lists has no order in Java, and ports out of range are refused by a class of the JDK."""
    said = said.replace("error\tIllegalArgumentException\t", "error\t")
    head, found, values = said.partition(" (case insensitive): ")
    return f"{head}{found}{sorted(values.split(', '))}" if found else said


def _run(program: str, stdin: str) -> str:
    command = release.java_command(str(release.HERE / "java" / f"{program}.java"))
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


def _shown_default(row: Row) -> str:
    return "\\R" if row[DEFAULT] is ... else default_text(row) or ("\\N" if row[DEFAULT] is None else "")


def _default(name: str, text: str) -> object:
    return sorted(text.split(",")) if name == "listener.security.protocol.map" else text


def _check(text: str) -> object:
    """`KIND|OPERANDS`; a set of values in no order."""
    kind, bar, operands = text.partition("|")
    return (kind, sorted(operands.partition("[")[2].rstrip("]").split(", "))) if kind == "CaseInsensitiveValidString" else (kind, bar, operands)


_NAMED = {
    "voters": "ControllerQuorumVotersValidator|non-empty list",
    "servers": "ControllerQuorumBootstrapServersValidator|non-empty list",
    "gzip level": "LambdaValidator|[1,...,9] or -1",
    "throttled replicas": "ThrottledReplicaListValidator|[partitionId]:[brokerId],[partitionId]:[brokerId],...",
    "offset reset": "Validator|[latest, earliest, by_duration:PnDTnHnMn.nS]",
    "consumer offset reset": "Validator|[latest, earliest, none, by_duration:PnDTnHnMn.nS]",
    "non-empty": "NonEmptyString|non-empty string",
    "non-null": "NonNullValidator|non-null string",
}


def _shown_check(row: Row) -> str:
    check = row[CHECK]
    if check is None:
        return ""
    kind, *operands = check
    if kind == "at least":
        return f"Range|[{operands[0]},...]"
    if kind == "between":
        return f"Range|[{operands[0]},...,{operands[1]}]"
    if kind == "list":
        empty, null, *valid = operands
        allowed = f"[{', '.join(map(str, valid))}]" if valid else ""
        return f"ValidList,{str(empty).lower()},{str(null).lower()}|{allowed}"
    if kind == "one of":
        return f"ValidString|[{', '.join(map(str, operands))}]"
    if kind == "one of in any case":
        return f"CaseInsensitiveValidString|(case insensitive) [{', '.join(map(str, operands))}]"
    return _NAMED[str(kind)]
