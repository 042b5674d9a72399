"""Twenty times kill -9 under load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.crash import crash_again_and_again

if TYPE_CHECKING:
    from tests.conftest import NodeFactory


@pytest.mark.node
@pytest.mark.slow
def test_twenty_kills_under_load(barnabas_nodes: NodeFactory) -> None:
    restarts = crash_again_and_again(barnabas_nodes(), crashes=20)
    print(f"restarts: {min(restarts):.3f} to {max(restarts):.3f} s")
