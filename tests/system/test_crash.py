"""A node that is killed under load comes back with everything that it acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.crash import crash_again_and_again

if TYPE_CHECKING:
    from tests.conftest import NodeFactory


@pytest.mark.node
def test_kill_under_load(barnabas_nodes: NodeFactory) -> None:
    crash_again_and_again(barnabas_nodes(), crashes=2)
