"""docs/configuration.md names every key, and promises nothing that the sources don't keep."""

from __future__ import annotations

import re
from pathlib import Path

from barnabas.core.configs.definitions.broker import BROKER, DYNAMIC_QUOTAS
from barnabas.core.configs.topic_settings import ROWS as TOPIC
from barnabas.node.config.document import acting_keys, page

PAGE = Path(__file__).parents[4] / "docs" / "configuration.md"
AGAIN = "write it anew: python -m barnabas.node.config.document > docs/configuration.md"


def test_every_key_stands_there() -> None:
    written = set(re.findall(r"^\| `([^`]+)`", PAGE.read_text(), re.MULTILINE))
    assert set(BROKER) | set(TOPIC) | set(DYNAMIC_QUOTAS) <= written, AGAIN


def test_what_is_said_to_act_acts() -> None:
    said = set(re.findall(r"^\| `([^`]+)`.*\*\*acts\*\* \|$", PAGE.read_text(), re.MULTILINE))
    assert said - acting_keys() == set(), AGAIN


def test_the_facts_are_current() -> None:
    def facts(text: str) -> list[str]:
        return [line.rpartition(" | ")[0] for line in text.splitlines() if line.startswith("| `")]

    assert facts(PAGE.read_text()) == facts(page(frozenset())), AGAIN
