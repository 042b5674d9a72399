"""Three hundred simulated clusters of three to seven nodes, clients included, in which everything goes wrong."""

from __future__ import annotations

import pytest

from tests.simulation.quorum.mutants import planted

from .cluster import Failure, shrink, simulate
from .mutants import commit_without_who_is_joining

SEEDS = 300


@pytest.mark.parametrize("seeds", [range(first, first + 20) for first in range(0, SEEDS, 20)], ids=str)
def test_clusters_hold(seeds: range) -> None:
    acknowledgements, elections, generations = 0, 0, 0
    for seed in seeds:
        try:
            invariants = simulate(seed).invariants
        except Failure as failure:
            raise shrink(failure) from failure
        acknowledgements += invariants.acknowledgements
        elections += invariants.elections
        generations += invariants.generations
    assert min(acknowledgements // 20, elections // 2, generations) > len(seeds), "too little happened"


def test_a_seed_is_the_whole_story() -> None:
    first, again = simulate(3), simulate(3)
    assert (first.steps, first.now_ms, first.faults) == (again.steps, again.now_ms, again.faults)


def test_a_failure_is_shrunk_and_says_how_to_see_it_again() -> None:
    with planted(commit_without_who_is_joining):
        failure = _first_failure()
        shrunk = shrink(failure)
        assert len(shrunk.cluster.faults) < len(failure.cluster.faults)
        with pytest.raises(Failure) as again:
            simulate(shrunk.cluster.seed, shrunk.cluster.without, shrunk.cluster.until_ms)
    assert str(again.value) == str(shrunk)
    assert str(shrunk).splitlines()[-1].startswith(f"replay: make simulate CLUSTERS={failure.cluster.seed} WITHOUT=")


def _first_failure() -> Failure:
    for seed in range(60):
        try:
            simulate(seed)
        except Failure as failure:
            return failure
    raise AssertionError("60 seeds find nothing")
