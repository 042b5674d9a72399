"""A directory that was formatted for a cluster's only voter, started without the controller role: neither engine serves clients on it, both end with status 1."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.nodes import lists_broker, write_properties

if TYPE_CHECKING:
    from tests.conftest import NodeFactory
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

ENDS_WITHIN_S = 90


@pytest.mark.parametrize("engine", ["apache", "barnabas"])
def test_nobody_is_served(engine: str, request: pytest.FixtureRequest) -> None:
    """On a new directory, and on one that was used; with the role it is as before."""
    make: NodeFactory = request.getfixturevalue(f"{engine}_nodes")
    node = make(start=False)
    ends_alone(node)
    node.start().stop()
    ends_alone(node)
    node.start()


def ends_alone(node: Node) -> None:
    place = node.properties["listeners"].split(",")[0]
    alone = node.properties | {
        "process.roles": "broker",
        "listeners": place,
        "advertised.listeners": place,
        "initial.broker.registration.timeout.ms": "100",
    }
    write_properties(node.properties_file, alone)
    process, deadline = node.spawn(), time.monotonic() + ENDS_WITHIN_S
    while process.poll() is None:
        assert not lists_broker(*node.address())
        assert time.monotonic() < deadline, node.tail()
        time.sleep(0.05)
    assert process.returncode == 1, node.tail()
    if node.engine.name == "barnabas":
        assert "process.roles=broker,controller" in node.tail()
    write_properties(node.properties_file, node.properties)
