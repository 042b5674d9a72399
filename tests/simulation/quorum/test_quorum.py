"""The quorum in fifty simulated clusters of three to seven voters, in which everything goes wrong (Q15-Q52, T16-T19)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulation.failures import Failure, shrink

from .cluster import simulate
from .mutants import MUTANTS, Mutant, lead_the_same_epoch_again, planted

SEEDS = 50
SEEDS_FOR_A_MUTANT = 30


@pytest.mark.parametrize("seed", range(SEEDS))
def test_consensus_holds(seed: int) -> None:
    try:
        cluster = simulate(seed)
    except Failure as failure:
        raise shrink(failure, simulate) from failure
    assert cluster.invariants.committed_end > 0


def test_a_seed_is_the_whole_story() -> None:
    first, again = simulate(3), simulate(3)
    assert (first.steps, first.now_ms, first.states()) == (again.steps, again.now_ms, again.states())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_simulator_finds(mutant: Callable[[], Mutant]) -> None:
    """A planted bug, within a few seeds; the message says how to see it again."""
    with planted(mutant), pytest.raises(Failure, match="replay: make simulate SEEDS="):
        for seed in range(SEEDS_FOR_A_MUTANT):
            simulate(seed)


def test_a_failure_is_shrunk_and_says_how_to_see_it_again() -> None:
    with planted(lead_the_same_epoch_again):
        failure = _failure()
        shrunk = shrink(failure, simulate)
        assert len(shrunk.run.faults) < len(failure.run.faults)
        with pytest.raises(Failure) as again:
            simulate(shrunk.run.seed, shrunk.run.without, shrunk.run.until_ms)
    assert str(again.value) == str(shrunk)
    assert str(shrunk).splitlines()[-1].startswith(f"replay: make simulate SEEDS={failure.run.seed} WITHOUT=")


def _failure() -> Failure:
    for seed in range(SEEDS_FOR_A_MUTANT):
        try:
            simulate(seed)
        except Failure as failure:
            if len(failure.run.faults) > 3:
                return failure
    raise AssertionError(f"{SEEDS_FOR_A_MUTANT} seeds find nothing that can be shrunk")
