"""The pytest plugin: fixtures that give a test a Kafka node. Loaded by pytest's entry point in every run, so it imports the rest when it is asked for.

`kafka_node`: a fresh node for one test. `kafka_session_node`: one for the whole run. `kafka_nodes`: makes as many as a test needs.
`kafka_properties`: server.properties for all of them, from the ini option of that name; override the fixture to compute them. The marker of that
name adds to them for one test. When a test fails, its report ends with what the nodes printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from barnabas.testing import Node

    NodeFactory = Callable[..., Node]

NAME = "kafka_properties"
_ALIVE: pytest.StashKey[list[Node]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(NAME, "server.properties for the nodes of kafka_node, kafka_nodes and kafka_session_node: one key=value a line", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ALIVE] = []
    config.addinivalue_line("markers", f"{NAME}(properties): server.properties for this test's Kafka nodes, as a dict")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += [(f"Kafka node {node.bootstrap}", node.output()) for node in item.config.stash[_ALIVE]]
    return report


@pytest.fixture(scope="session", name=NAME)
def kafka_properties(pytestconfig: pytest.Config) -> dict[str, str]:
    """server.properties for every node of this run: what the ini option kafka_properties says."""
    properties = {}
    for line in pytestconfig.getini(NAME):
        key, equals, value = line.partition("=")
        if not equals:
            raise pytest.UsageError(f"{NAME} in the ini file: {line!r} has no '='; write key=value")
        properties[key.strip()] = value.strip()
    return properties


@pytest.fixture(scope="session")
def kafka_session_node(pytestconfig: pytest.Config, kafka_properties: Mapping[str, object]) -> Iterator[Node]:
    """One node for all tests that ask for it, started by the first. Give topics and groups names of their own."""
    yield from _one(pytestconfig, kafka_properties)


@pytest.fixture
def kafka_node(request: pytest.FixtureRequest, kafka_properties: Mapping[str, object]) -> Iterator[Node]:
    """A fresh, empty node for this test alone."""
    yield from _one(request.config, {**kafka_properties, **_of_marker(request)})


@pytest.fixture
def kafka_nodes(request: pytest.FixtureRequest, kafka_properties: Mapping[str, object]) -> Iterator[NodeFactory]:
    """Makes nodes, each a cluster of its own: kafka_nodes({"num.partitions": "3"}, start=False); they end with the test."""
    from contextlib import ExitStack

    common = {**kafka_properties, **_of_marker(request)}
    with ExitStack() as ends:

        def make(properties: Mapping[str, object] | None = None, *, start: bool = True) -> Node:
            node = _make(request.config, {**common, **(properties or {})})
            ends.callback(_end, request.config, node)
            return node.start() if start else node

        yield make


def _one(config: pytest.Config, properties: Mapping[str, object]) -> Iterator[Node]:
    node = _make(config, properties)
    try:
        yield node.start()
    finally:
        _end(config, node)


def _make(config: pytest.Config, properties: Mapping[str, object]) -> Node:
    from barnabas.testing import Node

    node = Node(properties)
    config.stash[_ALIVE].append(node)
    return node


def _end(config: pytest.Config, node: Node) -> None:
    config.stash[_ALIVE].remove(node)
    node.close()


def _of_marker(request: pytest.FixtureRequest) -> dict[str, object]:
    """What the markers say, the nearest one last."""
    properties: dict[str, object] = {}
    for marker in reversed(list(request.node.iter_markers(NAME))):
        properties.update(*marker.args, **marker.kwargs)
    return properties
