"""Six thousand requests with plausible and absurd fields, whole and damaged: the node answers or closes, in order, and goes on. `make soak`: a million."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from barnabas.wire.apis import CONTROLLER
from tests.system.hostile import fuzz

if TYPE_CHECKING:
    from tests.conftest import NodeFactory


@pytest.mark.node
@pytest.mark.parametrize("damaged", [False, True])
def test_fuzz(barnabas_nodes: NodeFactory, damaged: bool) -> None:
    fuzz(barnabas_nodes({"group.min.session.timeout.ms": "1"}), seed=2 + damaged, count=2_500, damaged=damaged)


@pytest.mark.node
def test_fuzz_the_controller(barnabas_nodes: NodeFactory) -> None:
    fuzz(barnabas_nodes(), seed=4, count=1_000, damaged=False, listener=CONTROLLER)
