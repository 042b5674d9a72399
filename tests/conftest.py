"""Fixtures that run real nodes: Apache Kafka's (the oracle) and ours, behind one interface (tests/nodes.py)."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import nodes
from tests.apache import release
from tests.cluster.cluster import Cluster
from tests.cluster.disks import SmallDisk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.cluster.cluster import Plan
    from tests.cluster.namespaces import Namespaces
    from tests.cluster.proxy import Proxy

    NodeFactory = Callable[..., nodes.Node]
    ClusterFactory = Callable[..., Cluster]

SHARED_MEMORY = Path("/dev/shm")
# SUBJECT=apache puts a second Apache node where a Barnabas node stands: so a test is tried on Apache before the node is blamed.
SUBJECT = nodes.APACHE if os.environ.get("SUBJECT") == "apache" else nodes.BARNABAS


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but other people's clients have their own."""
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")  # kafka-python, when it is imported
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:(aio)?kafka")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What `--dist loadgroup` keeps together, in order: a file's tests; comparisons, and the client's, on nodes they share; who wants port 9093."""
    for item in items:
        folder, name = item.path.parent.name, item.path.name
        group = item.nodeid.partition("::")[0]
        if folder == "differential" and name.startswith(("test_replies", "test_tools")):
            group = "comparisons"
        elif folder == "client" and item.path.parent.parent.name == "differential":
            group = "client"
        elif name in ("test_up.py", "test_fleet.py", "test_documents.py"):
            group = "up"
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What shares nodes isn't spread over processes silently: pytest-xdist groups by the ends of test ids."""
    if getattr(item.config.option, "loadgroup", False) and "@" not in item.nodeid:
        pytest.fail("--dist loadgroup doesn't group with these versions of pytest and pytest-xdist; requirements.lock names some that do.")


def scratch() -> Path:
    """A fresh folder, in memory where there is one: what these tests wait for is seldom the disk."""
    return Path(tempfile.mkdtemp(prefix="barnabas-", dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None))


@pytest.fixture(scope="session")
def apache_libs() -> Path:
    return release.apache_libs()


def factory(engine: nodes.Engine, request: pytest.FixtureRequest) -> Iterator[NodeFactory]:
    """Makes nodes until it is closed; then they are killed and their folders removed."""
    started: list[nodes.Node] = []
    folders: list[Path] = []

    def make(overrides: Mapping[str, str] | None = None, *, start: bool = True) -> nodes.Node:
        folders.append(scratch())
        node = nodes.new_node(engine, folders[-1], overrides)
        started.append(node)
        return node.start() if start else node

    try:
        yield make
    finally:
        for node in started:
            if getattr(request.session, "testsfailed", 0):
                print(f"--- {engine.name} on {node.log_dir}, end of its output\n{node.tail(3000)}")
            node.kill()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def apache_nodes(apache_libs: Path, request: pytest.FixtureRequest) -> Iterator[NodeFactory]:
    """Makes Apache nodes of their own for a test: apache_nodes({"num.partitions": "3"}); they end with it."""
    yield from factory(nodes.APACHE, request)


@pytest.fixture
def barnabas_nodes(request: pytest.FixtureRequest) -> Iterator[NodeFactory]:
    """Makes Barnabas nodes of their own for a test; they end with it."""
    yield from factory(SUBJECT, request)


@pytest.fixture(scope="session")
def barnabas_node(request: pytest.FixtureRequest) -> Iterator[nodes.Node]:
    """One Barnabas node for the whole session, started when first asked for. Tests on it use topics and groups of their own."""
    for make in factory(SUBJECT, request):
        yield make()


@pytest.fixture
def cluster_of(request: pytest.FixtureRequest) -> Iterator[ClusterFactory]:
    """Makes clusters for a test: cluster_of(Plan([BARNABAS] * 3)); formatted, not started. They end with it."""
    made: list[Cluster] = []

    def make(plan: Plan, network: Proxy | Namespaces | None = None) -> Cluster:
        made.append(Cluster(plan, scratch(), network))
        return made[-1]

    try:
        yield make
    finally:
        for cluster in made:
            if getattr(request.session, "testsfailed", 0):
                print(cluster.outputs())
            cluster.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    try:
        disk = SmallDisk(tmp_path / "disk", 160)
    except RuntimeError as error:
        pytest.skip(str(error))
    yield disk
    disk.close()
