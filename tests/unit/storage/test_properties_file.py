"""Java properties text (D11). The expectations were taken from java.util.Properties 17."""

from __future__ import annotations

import pytest

from barnabas.storage.properties_file import PropertiesError, format_properties, parse_properties


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", [("a", "b", 1)]),
        ("a = b ", [("a", "b ", 1)]),
        ("a:b\nc d\ne", [("a", "b", 1), ("c", "d", 2), ("e", "", 3)]),
        ("  # x\n! y\n\n a=1", [("a", "1", 4)]),
        ("a=1,\\\n   2,\\\n   3\nb=2", [("a", "1,2,3", 1), ("b", "2", 4)]),
        ("a=1\\\n\nb=2", [("a", "1", 1), ("b", "2", 3)]),
        ("a=1\\\\\nb=2", [("a", "1\\", 1), ("b", "2", 2)]),
        ("a\\ b\\=c = \\tx\\u0041\\q", [("a b=c", "\txAq", 1)]),
        ("a==b", [("a", "=b", 1)]),
        ("a = = b", [("a", "= b", 1)]),
        ("a  : b", [("a", "b", 1)]),
        ("a=\\ud83d\\ude00", [("a", "\U0001f600", 1)]),
        ("a=1\\", [("a", "1", 1)]),
        ("\\\n#x\na=1", [("a", "1", 3)]),
        ("a=\\\n#x", [("a", "#x", 1)]),
        ("a=1\ra=2\r\na=3", [("a", "1", 1), ("a", "2", 2), ("a", "3", 3)]),
        ("=v", [("", "v", 1)]),
        ("\\", [("", "", 1)]),
    ],
)
def test_java_rules(text: str, expected: list[tuple[str, str, int]]) -> None:
    assert [tuple(entry) for entry in parse_properties(text)] == expected


def test_a_bad_escape_names_its_line() -> None:
    with pytest.raises(PropertiesError, match=r"^2: "):
        parse_properties("a=1\nb=\\u12x4")


def test_what_is_written_is_read() -> None:
    entries = [("a b", " x=:#!\\\t\n"), ("k", "plain value ")]
    assert [(entry.key, entry.value) for entry in parse_properties(format_properties(entries, ["", "c"]))] == entries
