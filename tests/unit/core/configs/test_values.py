"""Parsing and checking of values as ConfigDef does (the wording is compared with the release by tests/differential/test_config_definitions.py)."""

from __future__ import annotations

import pytest

from barnabas.core.configs.definitions.broker import BROKER
from barnabas.core.configs.error import ConfigError
from barnabas.core.configs.topic_settings import ROWS as TOPIC
from barnabas.core.configs.values import parse, parse_all, parse_type, to_text


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("boolean", " TRUE ", True),
        ("int", " +7\t", 7),
        ("int", "-2147483648", -(2**31)),
        ("short", "32767", 32767),
        ("long", "9223372036854775807", 2**63 - 1),
        ("double", "1e-3f", 0.001),
        ("double", "0x1p3", 8.0),
        ("double", "-Infinity", float("-inf")),
        ("list", " a , b,,c ", ("a", "b", "", "c")),
        ("list", "  ", ()),
        ("string", "\x00 a b ", "a b"),
    ],
)
def test_parses(kind: str, text: str, value: object) -> None:
    assert parse_type("k", kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("boolean", "yes"),
        ("int", "2147483648"),
        ("int", "1_0"),
        ("int", ""),
        ("int", "0x1"),
        ("short", "40000"),
        ("double", "1_0"),
        ("double", "nan"),
    ],
)
def test_refuses(kind: str, text: str) -> None:
    with pytest.raises(ConfigError, match=r"Invalid value .* for configuration k: "):
        parse_type("k", kind, text)


def test_messages_name_key_value_and_rule() -> None:
    with pytest.raises(ConfigError) as refused:
        parse(TOPIC["segment.bytes"], "14")
    assert refused.value.message == "Invalid value 14 for configuration segment.bytes: Value must be at least 1048576"
    assert refused.value.key == "segment.bytes"


def test_a_list_keeps_one_of_each() -> None:
    assert parse(TOPIC["cleanup.policy"], "compact,delete,compact") == ("compact", "delete")


@pytest.mark.parametrize(("value", "text"), [(0.5, "0.5"), (1.0, "1.0"), (1e7, "1.0E7"), (1.25e-5, "1.25E-5"), (12345678.5, "1.23456785E7")])
def test_doubles_are_written_as_java_does(value: float, text: str) -> None:
    assert to_text(value) == text


def test_the_largest_double() -> None:
    assert to_text(BROKER["log.cleaner.io.max.bytes.per.second"][2]) == "1.7976931348623157E308"  # type: ignore[arg-type]


def test_a_required_key() -> None:
    with pytest.raises(ConfigError, match=r'"node.id" which has no default'):
        parse_all({"node.id": BROKER["node.id"]}, {})


def test_every_default_passes_its_own_check() -> None:
    from barnabas.core.configs.values import check

    for row in (*BROKER.values(), *TOPIC.values()):
        if row[2] is not ... and row[2] is not None:
            check(row, row[2])
