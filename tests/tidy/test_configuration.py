"""docs/configuration.md names every key and says of each what is so: a key that is said to act is read by the code, and a test sees what it does."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from barnabas.core.configs.definitions.broker import BROKER, DYNAMIC_QUOTAS
from barnabas.core.configs.describe import CLIENT_METRICS_ROWS, GROUP_ROWS
from barnabas.core.configs.topic_settings import ROWS as TOPIC
from barnabas.node.config.document import acting_keys, page
from barnabas.node.config.standing import BUILT_AHEAD, ROWS
from tests.tidy.config_effects import EFFECTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"
AGAIN = "write it anew: python -m barnabas.node.config.document > docs/configuration.md"
KEYS = {*BROKER, *DYNAMIC_QUOTAS, *TOPIC, *GROUP_ROWS, *CLIENT_METRICS_ROWS}


def rows(pattern: str) -> set[str]:
    return set(re.findall(pattern, PAGE.read_text(), re.MULTILINE))


def test_the_page_is_current() -> None:
    assert rows(r"^\| `([^`]+)`") == KEYS, AGAIN
    assert PAGE.read_text() == page(acting_keys()), AGAIN


def test_what_is_said_to_act_is_read_and_seen() -> None:
    said = rows(r"^\| `([^`]+)`.*\*\*acts\*\* \|$")
    seen = [key for keys in EFFECTS.values() for key in keys]
    assert len(seen) == len(set(seen)), "each key once"
    assert said - acting_keys() == set(), f"no code reads these; {AGAIN}"
    assert said - set(seen) == set(), "no test sees what these do: write one, and bind it in config_effects.py"
    assert set(seen) - said == set(), "bound, but not said to act: take it out of config_effects.py, or see that it is read"


def test_whoever_doesnt_act_says_why() -> None:
    assert "its reader" not in PAGE.read_text(), "no row of node/config/standing.py fits this key"
    assert BUILT_AHEAD <= KEYS
    idle = KEYS - acting_keys()
    assert [prefix for prefix, _, _ in ROWS if not any(key.startswith(prefix) for key in idle)] == [], "rows that fit no key any more"


@cache
def functions(path: str) -> tuple[str, frozenset[str]]:
    """A test module's text, `_` and `__` (as in names of arguments) being dots, and its tests' names."""
    text = (ROOT / path).read_text()
    names = (node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return re.sub("_+", ".", text), frozenset(names)


@pytest.mark.parametrize("test", EFFECTS)
def test_the_tests_are_there_and_name_the_keys(test: str) -> None:
    path, _, name = test.partition("::")
    text, names = functions(path)
    assert name in names
    assert [key for key in EFFECTS[test] if key not in text] == []
