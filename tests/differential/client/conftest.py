"""One Apache node for the tests of the client's own protocols and admin calls, which leave topics and groups behind."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, TypeVar

import pytest

from barnabas.client.admin import first_failure, topics
from barnabas.client.cluster import Cluster, Settings
from tests import conftest, nodes
from tests.differential.transcript import settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    T = TypeVar("T")
    Play = Callable[[Callable[[Cluster], Awaitable[T]]], T]


@pytest.fixture(scope="session")
def apache_node(apache_libs: Path, request: pytest.FixtureRequest) -> Iterator[nodes.Node]:
    overrides = {
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "4",
        "group.consumer.min.heartbeat.interval.ms": "100",
        "group.consumer.heartbeat.interval.ms": "200",
        "group.share.min.heartbeat.interval.ms": "100",
        "group.share.heartbeat.interval.ms": "200",
        "group.streams.min.heartbeat.interval.ms": "100",
        "group.streams.heartbeat.interval.ms": "200",
        "group.streams.initial.rebalance.delay.ms": "0",
    }
    for make in conftest.factory(nodes.APACHE, request):
        yield make(overrides)


@pytest.fixture
def play(apache_node: nodes.Node) -> Play[T]:
    """Runs a test's story with a cluster."""

    def run(story: Callable[[Cluster], Awaitable[T]]) -> T:
        async def scene() -> T:
            async with Cluster(apache_node.bootstrap, Settings(api_timeout_ms=20_000)) as cluster:
                return await story(cluster)

        return asyncio.run(scene())

    return run


@pytest.fixture
def topic(play: Play[None], apache_node: nodes.Node) -> str:
    """A new one with two partitions, of which the whole node knows."""
    name = f"client-{uuid.uuid4().hex[:8]}"

    async def make(cluster: Cluster) -> None:
        first_failure(await topics.create(cluster, [topics.NewTopic(name, 2, 1)]))

    play(make)
    settle(apache_node)
    return name
