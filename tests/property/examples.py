"""How many examples a property is tried on: a number for every run of the tests; EXAMPLES=10 pytest tests/property: ten times as many."""

from __future__ import annotations

import os

TIMES = int(os.environ.get("EXAMPLES", "1"))


def examples(count: int) -> int:
    return count * TIMES
