"""Plays about classic groups (G13-G20, W31): each file in plays/ is run line by line against one shard."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.scenarios.groups.stage import Stage

PLAYS = Path(__file__).parent / "plays"
REWRITE = os.environ.get("BARNABAS_REWRITE_PLAYS") == "1"


@pytest.mark.parametrize("name", sorted(path.name for path in PLAYS.glob("*.txt")))
def test_play(name: str) -> None:
    path = PLAYS / name
    expected = path.read_text()
    performed = perform(expected)
    if REWRITE:
        path.write_text(performed)
    assert performed == expected


def perform(play: str) -> str:
    """The play with what really comes of each line."""
    lines = play.splitlines()
    settings = {}
    out = []
    stage = None
    for line in lines:
        if not line.strip() or line.startswith("#"):
            out.append(line)
        elif line.startswith("with "):
            settings = {key: int(value) for key, _, value in (word.partition("=") for word in line.split()[1:])}
            out.append(line)
        elif not line.startswith(" "):
            stage = stage or Stage(**settings)
            out.append(line)
            out += [f"    {told}" for told in stage.run(line)]
    return "\n".join(out) + "\n"
