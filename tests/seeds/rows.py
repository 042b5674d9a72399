"""The catalogue's rows, and the four ways in which a row may stand: met by a walker, bound to a test, waiting for a capability, or owed nothing.

Owns reading catalogue/*.yaml, bound.yaml and waiting.yaml. Which rows a walker meets is said by the walkers (configs.py, commands.py).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

HERE = Path(__file__).parent
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Row(NamedTuple):
    """One row; `kind` is the name of its file."""

    id: str
    kind: str
    fields: dict[str, Any]

    def __getitem__(self, name: str) -> Any:  # type: ignore[override]
        return self.fields.get(name)


def read(path: Path) -> Any:
    return yaml.load(path.read_text(), LOADER)


@cache
def rows() -> dict[str, Row]:
    """Every row by its id; an id that stands twice is an error."""
    found: dict[str, Row] = {}
    for path in sorted((HERE / "catalogue").glob("*.yaml")):
        for fields in read(path):
            row = Row(fields["id"], path.stem, fields)
            assert row.id not in found, f"{row.id} stands in {found[row.id].kind}.yaml and in {path.name}"
            found[row.id] = row
    return found


def of(kind: str) -> list[Row]:
    return [row for row in rows().values() if row.kind == kind]


@cache
def bound() -> dict[str, list[str]]:
    """Row id -> the tests (`path::name`) that meet it."""
    found: dict[str, list[str]] = {}
    for test, ids in read(HERE / "bound.yaml").items():
        for row in ids:
            found.setdefault(row, []).append(test)
    return found


@cache
def capabilities() -> dict[str, str]:
    """What rows may wait for -> what it is."""
    return dict(read(HERE / "waiting.yaml")["capabilities"])


@cache
def waiting() -> dict[str, str]:
    """Row id -> the capability that it waits for; one that waits for two things stands under the one that comes last."""
    found: dict[str, str] = {}
    for capability, ids in read(HERE / "waiting.yaml")["rows"].items():
        for row in ids:
            assert row not in found, f"{row} waits for {found[row]} and for {capability}"
            found[row] = capability
    return found


def owed_nothing() -> list[str]:
    """The rows for which the catalogue itself asks nothing of the product: plain commands of the host, and what only people can tell or read."""
    return [
        row.id
        for row in rows().values()
        if row["verdict"] == "host" or row["by"] in ("none", "manual") or row["expect"] in (["none"], ["another protocol: none"])
    ]
