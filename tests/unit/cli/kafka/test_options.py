"""joptsimple's grammar."""

from __future__ import annotations

import pytest

from barnabas.cli.kafka.options import OptionError, Options, Parser, key_values


@pytest.fixture
def parser() -> Parser:
    made = Parser()
    made.required("topic", "A topic.", "name")
    made.required("partitions", "How many.", "number", "Integer", "1")
    made.required("keys", "Some keys.", separator=",")
    made.optional("codec", "A codec.")
    made.flag("list", "List.")
    return made


def parse(parser: Parser, line: str) -> Options:
    return parser.parse(line.split())


@pytest.mark.parametrize(
    "line, topic",
    [
        ("--topic a", "a"),
        ("--topic=a", "a"),
        ("-topic a", "a"),
        ("-topic=a", "a"),
        ("--topic --list", "--list"),
        ("--topic= b", "b"),
        ("word --topic a more", "a"),
        ("--topic a=b", "a=b"),
    ],
)
def test_arguments(parser: Parser, line: str, topic: str) -> None:
    assert parse(parser, line).value(parser.options["topic"]) == topic


def test_defaults_and_flags(parser: Parser) -> None:
    given = parse(parser, "--list=ignored -- --topic a")
    assert given.has(parser.options["list"])
    assert not given.has(parser.options["topic"])
    assert not given.has(parser.options["partitions"])
    assert given.number(parser.options["partitions"]) == 1


def test_optional_arguments(parser: Parser) -> None:
    codec = parser.options["codec"]
    assert parse(parser, "--codec --list").value(codec) is None
    assert parse(parser, "--codec --list").has(codec)
    assert parse(parser, "--codec lz4 --list").value(codec) == "lz4"


def test_separated_values(parser: Parser) -> None:
    assert parse(parser, "--keys a,b --keys c").values(parser.options["keys"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "line, message",
    [
        ("--topics a", "topics is not a recognized option"),
        ("-tpic a", "t is not a recognized option"),
        ("--topic", "Option topic requires an argument"),
    ],
)
def test_refusals(parser: Parser, line: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse(parser, line)


def test_values_are_checked_when_they_are_asked_for(parser: Parser) -> None:
    given = parse(parser, "--partitions x --topic a --topic b")
    with pytest.raises(OptionError, match="Cannot parse argument 'x' of option partitions"):
        given.value(parser.options["partitions"])
    with pytest.raises(OptionError, match="Found multiple arguments for option topic"):
        given.value(parser.options["topic"])
    with pytest.raises(OptionError):
        parse(parser, f"--partitions {2**31}").value(parser.options["partitions"])


def test_help_page_is_two_columns_of_eighty(parser: Parser) -> None:
    lines = parser.help_page().splitlines()
    assert {len(line) for line in lines} == {80}
    assert lines[0].split() == ["Option", "Description"]
    assert any(line.startswith("--topic <String: name>") for line in lines)
    assert "(default: 1)" in parser.help_page()


def test_key_values() -> None:
    assert key_values(["a=b", "c", "d=e=f", "g="]) == {"a": "b", "c": "", "d": "e=f", "g": ""}
