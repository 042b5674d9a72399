"""The same as the short test of this name, longer, from a seed of the day: a failure names it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.system.hostile import fuzz

if TYPE_CHECKING:
    from tests.conftest import NodeFactory


@pytest.mark.node
@pytest.mark.slow
@pytest.mark.parametrize("damaged", [False, True])
def test_long_fuzz(barnabas_nodes: NodeFactory, damaged: bool) -> None:
    fuzz(barnabas_nodes({"group.min.session.timeout.ms": "1"}), seed=time.time_ns(), count=200_000, damaged=damaged)
