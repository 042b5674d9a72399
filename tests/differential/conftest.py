"""A pair of nodes for the comparisons alone: whoever lists all topics or groups of a node must find the same on both."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests import conftest, nodes
from tests.differential import trio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def apache_node(apache_libs: Path, request: pytest.FixtureRequest) -> Iterator[nodes.Node]:
    for make in conftest.factory(nodes.APACHE, request):
        yield make()


@pytest.fixture(scope="session")
def barnabas_node(request: pytest.FixtureRequest) -> Iterator[nodes.Node]:
    for make in conftest.factory(conftest.SUBJECT, request):
        yield make()


@pytest.fixture(scope="module", params=["apache", pytest.param("barnabas", marks=pytest.mark.node)])
def node(request: pytest.FixtureRequest) -> nodes.Node:
    """Each of the pair in turn, for tests that do the same to either."""
    found: nodes.Node = request.getfixturevalue(f"{request.param}_node")
    return found


@pytest.fixture(scope="session")
def three_apache(apache_libs: Path, request: pytest.FixtureRequest) -> Iterator[trio.Trio]:
    """Three Apache nodes in one cluster, for the comparisons of tools: who changes what others see brings it back."""
    yield from _three(nodes.APACHE, request)


@pytest.fixture(scope="session")
def three_barnabas(request: pytest.FixtureRequest) -> Iterator[trio.Trio]:
    """As `three_apache`, of Barnabas nodes."""
    yield from _three(nodes.APACHE if conftest.SUBJECT is nodes.APACHE else nodes.BARNABAS, request)


@pytest.fixture(scope="module", params=["apache", pytest.param("barnabas", marks=pytest.mark.node)])
def three(request: pytest.FixtureRequest) -> trio.Trio:
    """Each of the two clusters in turn."""
    found: trio.Trio = request.getfixturevalue(f"three_{request.param}")
    return found


def _three(engine: nodes.Engine, request: pytest.FixtureRequest) -> Iterator[trio.Trio]:
    folder = conftest.scratch()
    made = trio.make(folder, engine)
    try:
        yield made.start()
    finally:
        if getattr(request.session, "testsfailed", 0):
            print("\n".join(f"--- {node.properties_file}, end of its output\n{node.tail(3000)}" for node in made.nodes))
        made.kill()
        shutil.rmtree(folder, ignore_errors=True)
