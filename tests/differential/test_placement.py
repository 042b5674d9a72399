"""Random clusters to Apache's StripedReplicaPlacer and to ours, with the same loaded dice: the same placements (C39)."""

from __future__ import annotations

import json
import subprocess
from random import Random
from typing import Any

import pytest

from barnabas.core.controller.placement import Dice, UsableBroker, place
from barnabas.core.controller.result import ApiError
from tests.apache import release

pytestmark = [pytest.mark.apache]

SOURCE = release.HERE / "java" / "PlaceReplicas.java"


def case(random: Random) -> dict[str, Any]:
    racks = random.choice([[None], ["a"], ["a", "b"], ["a", "b", "c", None]])
    return {
        "brokers": [[broker, random.choice(racks), random.random() < 0.3] for broker in random.sample(range(20), random.randint(0, 8))],
        "dice": random.randrange(1000),
        "partitions": random.randint(1, 30),
        "factor": random.randint(1, 4),
    }


def ours(given: dict[str, Any]) -> list[list[int]] | None:
    dice = Dice(lambda size: given["dice"].to_bytes(size, "big"))
    try:
        return place(dice, [UsableBroker(*each) for each in given["brokers"]], given["partitions"], given["factor"])
    except ApiError:
        return None


def test_same_placements() -> None:
    random = Random(39)
    cases = [case(random) for _ in range(3_000)]
    done = subprocess.run(
        release.java_command(str(SOURCE)), input="".join(json.dumps(each) + "\n" for each in cases), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(theirs) == len(cases)
    for given, placed in zip(cases, theirs, strict=True):
        assert ours(given) == placed, given
