"""The quorum in fifty simulated clusters of three to seven voters, in which everything goes wrong (Q15-Q52, T16-T19)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .cluster import simulate
from .invariants import Violation
from .mutants import MUTANTS, Mutant, planted

SEEDS = 50
SEEDS_FOR_A_MUTANT = 30


@pytest.mark.parametrize("seed", range(SEEDS))
def test_consensus_holds(seed: int) -> None:
    assert simulate(seed).invariants.committed_end > 0


def test_a_seed_is_the_whole_story() -> None:
    first, again = simulate(3), simulate(3)
    assert (first.steps, first.now_ms, first.states()) == (again.steps, again.now_ms, again.states())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_simulator_finds(mutant: Callable[[], Mutant]) -> None:
    """A planted bug, within a few seeds; the message says how to see it again."""
    with planted(mutant), pytest.raises(Violation, match="replay: make simulate SEEDS="):
        for seed in range(SEEDS_FOR_A_MUTANT):
            simulate(seed)
