"""Each key has its sentences, and nobody loads them but who shows them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from barnabas.core.configs.definitions.broker import BROKER, DYNAMIC_QUOTAS
from barnabas.core.configs.describe import CLIENT_METRICS_ROWS, GROUP_ROWS
from barnabas.core.configs.documentation import lookup
from barnabas.core.configs.documentation.texts import texts
from barnabas.core.configs.topic_settings import ROWS as TOPIC


@pytest.mark.parametrize(
    ("written", "rows"),
    [
        (lookup.BROKER, {**BROKER, **DYNAMIC_QUOTAS}),
        (lookup.TOPIC, TOPIC),
        (lookup.GROUP, GROUP_ROWS),
        (lookup.CLIENT_METRICS, CLIENT_METRICS_ROWS),
    ],
    ids=["broker", "topic", "group", "client metrics"],
)
def test_each_key_has_a_text_of_its_own(written: dict[str, str], rows: dict[str, object]) -> None:
    assert set(written) == set(rows)
    for key, text in written.items():
        assert text[:1].isupper() or text.startswith(("host:port", "min.insync", "segment.bytes")), key
        assert text.endswith("."), key
        assert 15 < len(text) < 400, key
        assert "|" not in text, f"{key}: it stands in a table"
        assert not text.lower().startswith(("todo", "the " + key)), key


def test_a_key_is_written_once() -> None:
    assert texts("a\n    One\n    two.\nb\n    Three.\n") == {"a": "One two.", "b": "Three."}
    with pytest.raises(ValueError, match="a is documented twice"):
        texts("a\n    One.\na\n    Two.\n")


def test_a_node_does_not_load_them() -> None:
    program = "import sys, barnabas.node.lifecycle, barnabas.node.handlers.describe_configs; print([n for n in sys.modules if 'configs.documentation' in n])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
