"""Every row of the catalogue stands in exactly one place: walked, bound to tests that are there, owed nothing, or waiting for a capability that is explained."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from tests.seeds import commands, configs, rows
from tests.seeds.counts import KINDS, stands
from tests.seeds.rows import HERE

ROOT = HERE.parents[1]
# What one node without security owes to the documents: these may only wait for what one node cannot have.
BEYOND_ONE_NODE = {"security", "mirroring", "metrics"}


def test_no_row_is_missing() -> None:
    assert len(rows.rows()) == 1076
    assert {row.kind for row in rows.rows().values()} == set(KINDS)


def test_each_row_stands_in_one_place() -> None:
    assert {row: how for row, how in stands().items() if len(how) != 1} == {}


def test_no_row_is_unknown() -> None:
    assert [row for row in stands() if row not in rows.rows()] == []
    named = rows.read(HERE / "expected.yaml")
    walked = {row.id for row in (*commands.walked(), *configs.walked())}
    assert [row for section in named.values() for row in section if row not in walked] == []


def test_each_capability_is_explained_and_waited_for() -> None:
    explained = rows.capabilities()
    assert list(explained) == list(rows.read(HERE / "waiting.yaml")["rows"])
    assert set(rows.waiting().values()) == set(explained)
    assert all(isinstance(text, str) and len(text) > 10 and "\n" not in text for text in explained.values())


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of a module's tests, as pytest collects them."""
    assert path.startswith("tests/"), path
    assert (ROOT / path).name.startswith("test_"), path
    assert "soak" not in path.split("/"), f"{path} isn't in `make test`"
    return frozenset(node.name for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("test", sorted(rows.read(HERE / "bound.yaml")))
def test_bound_tests_are_there(test: str) -> None:
    path, _, name = test.partition("::")
    assert name.startswith("test_")
    assert name in names_in(path)


def test_what_one_node_owes() -> None:
    keys = [row for row in configs.walked() if row["scope"] in ("broker", "topic")]
    owed = [row for row in rows.of("commands") if row["verdict"] in ("accept", "refuse")] + keys
    assert {row.id: rows.waiting()[row.id] for row in owed if rows.waiting().get(row.id, "security") not in BEYOND_ONE_NODE} == {}
    assert [row.id for row in keys if row.id in rows.waiting() and configs.definition(row)] == []
