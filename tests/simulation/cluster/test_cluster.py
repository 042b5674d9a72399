"""A hundred simulated clusters of three to seven nodes, clients included, in which everything goes wrong."""

from __future__ import annotations

import pytest

from tests.simulation.failures import Failure, shrink
from tests.simulation.quorum.mutants import planted

from .cluster import simulate
from .mutants import commit_without_who_is_joining

SEEDS = 100  # make simulate goes on with others


@pytest.mark.parametrize("seeds", [range(first, first + 20) for first in range(0, SEEDS, 20)], ids=str)
def test_clusters_hold(seeds: range) -> None:
    acknowledgements, elections, generations, voter_changes = 0, 0, 0, 0
    for seed in seeds:
        try:
            invariants = simulate(seed).invariants
        except Failure as failure:
            raise shrink(failure, simulate) from failure
        acknowledgements += invariants.acknowledgements
        elections += invariants.elections
        generations += invariants.generations
        voter_changes += invariants.voter_changes
    assert min(acknowledgements // 20, elections // 2, generations) > len(seeds), "too little happened"
    assert voter_changes, "no voter came or went"


def test_a_seed_is_the_whole_story() -> None:
    first, again = simulate(3), simulate(3)
    assert (first.steps, first.now_ms, first.faults) == (again.steps, again.now_ms, again.faults)


def test_a_failure_is_shrunk_and_says_how_to_see_it_again() -> None:
    with planted(commit_without_who_is_joining):
        failure = _failure()
        shrunk = shrink(failure, simulate)
        assert len(shrunk.run.faults) < len(failure.run.faults)
        with pytest.raises(Failure) as again:
            simulate(shrunk.run.seed, shrunk.run.without, shrunk.run.until_ms)
    assert str(again.value) == str(shrunk)
    assert str(shrunk).splitlines()[-1].startswith(f"replay: make simulate CLUSTERS={failure.run.seed} WITHOUT=")


def _failure() -> Failure:
    for seed in range(60):
        try:
            simulate(seed)
        except Failure as failure:
            if len(failure.run.faults) > 3:
                return failure
    raise AssertionError("60 seeds find nothing that can be shrunk")
