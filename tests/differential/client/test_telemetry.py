"""A client's metrics at Apache Kafka, which prints what OpenTelemetry's own classes read of them (KIP-714)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.client.admin import configs, telemetry
from barnabas.client.cluster import Cluster
from barnabas.client.errors import KafkaError
from barnabas.client.telemetry import Metric, Reporter
from barnabas.wire.errors import Error
from barnabas.wire.types import uuid_text
from tests import conftest, nodes
from tests.apache import release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.differential.client.conftest import Play

pytestmark = pytest.mark.apache
DEADLINE_S = 60
SOURCE = release.HERE / "java" / "CollectTelemetry.java"
COLLECTING = nodes.APACHE._replace(start_command=lambda path: release.java_command(str(SOURCE), [str(path)], release.QUICK_SERVER_FLAGS))


@pytest.fixture(scope="module")
def collecting(apache_libs: Path, request: pytest.FixtureRequest) -> Iterator[nodes.Node]:
    for make in conftest.factory(COLLECTING, request):
        yield make({"metric.reporters": "CollectTelemetry$Collector"})


@pytest.fixture
def collector(collecting: nodes.Node) -> nodes.Node:
    """With nothing said yet and nothing subscribed to."""

    async def forget() -> None:
        async with Cluster(collecting.bootstrap) as cluster:
            for name in ("some", "orders"):
                await configs.alter(cluster, configs.CLIENT_METRICS, name, {}, ["metrics", "interval.ms"])
            async with asyncio.timeout(DEADLINE_S):
                while (await telemetry.subscription(cluster)).metrics:
                    await asyncio.sleep(0.05)

    asyncio.run(forget())
    collecting.output.write_bytes(b"")
    return collecting


def said(node: nodes.Node) -> list[str]:
    return [line.removeprefix("TELEMETRY ") for line in node.output.read_text().splitlines() if line.startswith("TELEMETRY ")]


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not done():
            await asyncio.sleep(0.05)


async def subscribe(cluster: Cluster, name: str, wanted: dict[str, str]) -> None:
    """A broker hears of it a moment later; who asks before that asks again after minutes."""
    await configs.alter(cluster, configs.CLIENT_METRICS, name, wanted)
    async with asyncio.timeout(DEADLINE_S):
        while not (await telemetry.subscription(cluster)).metrics:
            await asyncio.sleep(0.05)


def test_what_is_subscribed_to_is_pushed(collector: nodes.Node) -> None:
    count = 0

    def measure() -> list[Metric]:
        nonlocal count
        count += 2
        return [
            Metric("org.example.sent.total", count, {"topic": "t", "client": "c"}, counts=True),
            Metric("org.example.queue", 0.5),
            Metric("com.example.secret", 1),
        ]

    async def story() -> None:
        async with Cluster(collector.bootstrap) as cluster:
            idle = await telemetry.subscription(cluster)
            assert (idle.metrics, idle.delta_temporality) == ((), True)
            wanted = {"metrics": "org.example.", "interval.ms": "200"}
            await subscribe(cluster, "some", wanted)
            reporter = Reporter(cluster, measure)
            reporter.start()
            await until(lambda: len(said(collector)) >= 4)
            await reporter.close()
            await until(lambda: " true " in said(collector)[-1])
            name = uuid_text(reporter.client_instance_id)
            sums = [f"{name} {last} org.example.sent.total AGGREGATION_TEMPORALITY_DELTA true int 2 client=c topic=t" for last in ("false", "true")]
            gauges = [f"{name} {last} org.example.queue GAUGE double 0.5" for last in ("false", "true")]
            told = said(collector)
            pushed = [int(found[1]) for line in told if (found := re.search(r" int (\d+) ", line))]
            # One that the node refused counts in the next one, and one that was under way at the end counts again in the last one.
            assert sum(pushed) - count in (0, 2, 4)
            assert {re.sub(r" int \d+ ", " int 2 ", line) for line in told} == {*sums, *gauges}
            assert reporter.failure is None

            stale = (await telemetry.subscription(cluster))._replace(subscription_id=7)
            with pytest.raises(KafkaError) as refused:
                await telemetry.push(cluster, stale, b"")
            assert refused.value.error is Error.UNKNOWN_SUBSCRIPTION_ID

    asyncio.run(story())


def test_what_the_documents_show(collector: nodes.Node, apache_node: nodes.Node, capsys: pytest.CaptureFixture[str]) -> None:
    text = (nodes.ROOT / "docs" / "client.md").read_text()
    example = next(found for found in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Reporter" in found)
    names: dict[str, Any] = {}
    exec(compile(example, "client.md", "exec"), names)

    async def both() -> None:
        async with Cluster(collector.bootstrap) as cluster:
            await subscribe(cluster, "orders", {"metrics": "org.example.orders.", "interval.ms": "60000"})  # as the program does, in good time
        await asyncio.gather(*(names["report"](node.bootstrap) for node in (collector, apache_node)))

    asyncio.run(both())
    assert sorted(capsys.readouterr().out.splitlines()) == ["The node does not support GET_TELEMETRY_SUBSCRIPTIONS", "pushed"]
    (line,) = said(collector)
    assert line.endswith("true org.example.orders.total AGGREGATION_TEMPORALITY_DELTA true int 17 shop=north")


def test_nobody_collects(play: Play[None]) -> None:
    async def story(cluster: Cluster) -> None:
        reporter = Reporter(cluster, list)
        reporter.start()
        await until(lambda: reporter.failure is not None)
        assert reporter.failure is not None
        assert reporter.failure.error is Error.UNSUPPORTED_VERSION
        await reporter.close()

    play(story)
