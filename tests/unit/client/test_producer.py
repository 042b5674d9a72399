"""The producer against a real node, when what it knows of the cluster changes under it."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from barnabas.client.admin import first_failure, topics
from barnabas.client.cluster import Cluster
from barnabas.client.producer import Producer, ProducerSettings

if TYPE_CHECKING:
    from tests.nodes import Node

pytestmark = pytest.mark.node
DEADLINE_S = 60
STEPS = 60


def test_a_topic_forgotten_while_a_request_is_under_way(barnabas_node: Node) -> None:
    """Another leader's answer may say that metadata is stale at any moment; every record has its outcome all the same."""
    name = f"forgotten-{uuid.uuid4().hex[:6]}"

    async def work() -> list[int]:
        async with Cluster(barnabas_node.bootstrap) as cluster:
            first_failure(await topics.create(cluster, [topics.NewTopic(name, 1, 1)]))
            producer = Producer(cluster, ProducerSettings(linger_ms=0))
            found = []
            for steps in range(STEPS):
                outcome = await producer.send(name, b"%d" % steps, partition=0)
                for _ in range(steps):
                    await asyncio.sleep(0)
                cluster.forget_leader(name)
                found.append((await asyncio.wait_for(outcome, DEADLINE_S)).offset)
            await producer.close()
            return found

    assert asyncio.run(work()) == list(range(STEPS))
