"""Bootstrap addresses, and one of a node that hangs."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from barnabas.client.cluster import Cluster, Settings, parse_bootstrap
from barnabas.client.errors import InvalidBootstrap

if TYPE_CHECKING:
    from tests.nodes import Node


def test_addresses() -> None:
    assert parse_bootstrap("a:1, b:2,") == [("a", 1), ("b", 2)]
    assert parse_bootstrap("[::1]:9092") == [("::1", 9092)]
    assert parse_bootstrap("PLAINTEXT://a:1") == [("a", 1)]


@pytest.mark.parametrize("text", ["", "a", "a:", ":1", "a:b", "a:0", "a:70000", ","])
def test_bad_addresses(text: str) -> None:
    with pytest.raises(InvalidBootstrap):
        parse_bootstrap(text)


@pytest.mark.node
def test_a_node_that_hangs_is_passed_over(barnabas_node: Node) -> None:
    async def refresh(bootstrap: str) -> list[int]:
        async with Cluster(bootstrap, Settings(request_timeout_ms=500, api_timeout_ms=30_000)) as cluster:
            await cluster.refresh()
            return list(cluster.brokers)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert asyncio.run(refresh(f"127.0.0.1:{silent.getsockname()[1]},{barnabas_node.bootstrap}")) == [1]
