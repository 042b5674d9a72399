"""Kill -9 again and again under mixed load: idempotent producers, producers without ids, groups that commit."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest
from tests.differential.transcript import Client
from tests.soak.sizes import KILLS
from tests.system.crash import crash_again_and_again
from tests.system.requests import create_topics
from tests.system.test_faults_kill import Witness

if TYPE_CHECKING:
    from tests.conftest import NodeFactory


@pytest.mark.node
@pytest.mark.slow
def test_kills_under_mixed_load(barnabas_nodes: NodeFactory) -> None:
    node = barnabas_nodes()
    create_topics(node.port, "t")
    with contextlib.closing(Client(node.port)) as client:
        client.call(FindCoordinatorRequest(key_type=0, coordinator_keys=["g0"]), 4)
    witness = Witness(node)
    witness.start()
    try:
        restarts = crash_again_and_again(node, crashes=KILLS)
    finally:
        witness.end()
    witness.check()
    print(f"{KILLS} kills, {len(witness.written)} records without id, commits up to {witness.committed}")
    print(f"restarts: {min(restarts):.3f} to {max(restarts):.3f} s")
