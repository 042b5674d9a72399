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
def three_apache(apache_libs: Path) -> Iterator[trio.Trio]:
    """Three Apache nodes in one cluster, for the comparisons of tools: who changes what others see brings it back."""
    folder = conftest.scratch()
    made = trio.make(folder)
    try:
        yield made.start()
    finally:
        made.kill()
        shutil.rmtree(folder, ignore_errors=True)
