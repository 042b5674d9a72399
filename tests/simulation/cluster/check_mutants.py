"""`make simulate-mutants`: each planted bug must be found within a few seeds. Apart from the tests that always run: it takes as long as they all do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulation.failures import Failure
from tests.simulation.quorum.mutants import Mutant, planted

from .cluster import simulate
from .mutants import MUTANTS

SEEDS_FOR_A_MUTANT = 120


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_simulator_finds(mutant: Callable[[], Mutant]) -> None:
    with planted(mutant), pytest.raises(Failure, match="replay: make simulate CLUSTERS="):
        for seed in range(SEEDS_FOR_A_MUTANT):
            simulate(seed)
