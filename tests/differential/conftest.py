"""A pair of nodes for the comparisons alone: whoever lists all topics or groups of a node must find the same on both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import conftest, nodes

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
