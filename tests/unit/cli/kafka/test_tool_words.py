"""Small grammars of the tools: assignments, configs, rules for partitions, names of topics."""

from __future__ import annotations

import pytest

from barnabas.cli.kafka.config_entities import Refused, parse_added
from barnabas.cli.kafka.get_offsets import is_bootstrap, parse_rule, parse_time
from barnabas.cli.kafka.topic_names import InvalidTopic, check_name, include
from barnabas.cli.kafka.topic_options import CommandFailed, parse_assignment, parse_configs


def test_assignment() -> None:
    assert parse_assignment("0:1,1:0") == {0: [0, 1], 1: [1, 0]}
    for text in ("0:0", "0,1:2", "x"):
        with pytest.raises(CommandFailed):
            parse_assignment(text)


def test_topic_configs() -> None:
    assert parse_configs(["retention.ms = 5"]) == {"retention.ms": "5"}
    with pytest.raises(CommandFailed, match="Unknown topic config name: nonsense"):
        parse_configs(["nonsense=1"])


def test_added_configs() -> None:
    assert parse_added("a=1,b=[x,y],c=") == {"a": "1", "b": "x,y", "c": ""}
    assert parse_added("SCRAM-SHA-512=[iterations=5000,password=p=q]") == {"SCRAM-SHA-512": "iterations=5000,password=p=q"}
    with pytest.raises(Refused):
        parse_added("a")


@pytest.mark.parametrize("rule, inside, outside", [("t:1", 1, 2), ("t:1-3", 2, 3), ("t:2-", 9, 1), ("t:-2", 1, 2), ("t", 7, -1)])
def test_rules(rule: str, inside: int, outside: int) -> None:
    topic, partition = parse_rule(rule)
    assert topic("t")
    assert not topic("tt")
    assert partition(inside)
    assert not partition(outside)


def test_times_and_addresses() -> None:
    assert [parse_time(text) for text in ("latest", "-2", "1700000000000")] == [-1, -2, 1700000000000]
    assert is_bootstrap("a:1,b:2")
    assert not is_bootstrap("a")


def test_topic_filter_and_names() -> None:
    assert [name for name in ("a", "b", "ab") if include(" 'a, b' ")(name)] == ["a", "b"]
    check_name("a.b_c-D9")
    for name in ("", ".", "..", "a/b", "a" * 250):
        with pytest.raises(InvalidTopic):
            check_name(name)
