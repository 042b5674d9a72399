"""Three nodes: replicas that move keep to leader. and follower.replication.throttled.rate, and nobody else is held up by that (R34)."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from confluent_kafka import Producer

from barnabas.client.admin import configs, reassignments, topics
from tests.cluster import checkers
from tests.cluster.cluster import Cluster, Plan
from tests.conftest import SUBJECT, scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from barnabas.client.cluster import Cluster as Client

pytestmark = pytest.mark.node

FETCH_BYTES = 100_000
WINDOW_S, WINDOWS = 1, 2
SETTINGS = {
    "replication.quota.window.num": str(WINDOWS),
    "replication.quota.window.size.seconds": str(WINDOW_S),
    "replica.fetch.max.bytes": str(FETCH_BYTES),
    "replica.fetch.wait.max.ms": "100",
    "replica.fetch.backoff.ms": "100",
    "min.insync.replicas": "1",
}
RATE = 2_000_000
BYTES = 12_000_000
LEADER, OTHER, NEW = 1, 2, 3


class Side(NamedTuple):
    """Which of the two nodes holds the move up."""

    rate: str
    replicas: str
    broker: int


SIDES = {
    "leader": Side("leader.replication.throttled.rate", "leader.replication.throttled.replicas", LEADER),
    "follower": Side("follower.replication.throttled.rate", "follower.replication.throttled.replicas", NEW),
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    folder = scratch()
    with Cluster(Plan([SUBJECT] * 3, overrides=SETTINGS), folder / "cluster") as made:
        yield made.start()
    shutil.rmtree(folder, ignore_errors=True)


def create(cluster: Cluster, name: str, replicas: list[int]) -> None:
    async def ask(client: Client) -> None:
        assert (await topics.create(client, [topics.NewTopic(name, assignments={0: replicas})]))[name] is None

    cluster.ask(ask)
    cluster.wait_for_full_isr(name)


def fill(cluster: Cluster, topic: str, size: int, *, acks: str = "all", timeout_s: float = 30) -> int:
    """Records of 10 kB; how many are acknowledged."""
    refused: list[object] = []
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": acks, "batch.size": 50_000, "linger.ms": 5, "log_level": 0})
    for _ in range(size // 10_000):
        producer.produce(topic, bytes(10_000), partition=0, on_delivery=lambda error, _: refused.append(error) if error else None)
    left = producer.flush(timeout_s)
    return size // 10_000 - left - len(refused)


def move(cluster: Cluster, topic: str, replicas: list[int]) -> None:
    async def ask(client: Client) -> None:
        assert not any((await reassignments.alter(client, {(topic, 0): replicas})).values())

    cluster.ask(ask)


def set_config(cluster: Cluster, kind: int, name: str, **texts: str | None) -> None:
    keys = {key.replace("_", "."): text for key, text in texts.items()}

    async def ask(client: Client) -> None:
        await configs.alter(
            client, kind, name, {key: text for key, text in keys.items() if text is not None}, [k for k, t in keys.items() if t is None]
        )

    cluster.ask(ask)


def size_on(cluster: Cluster, node_id: int, topic: str) -> int:
    directory = cluster.members[node_id].partition_directory(topic, 0)
    return 0 if directory is None else sum(path.stat().st_size for path in Path(directory).glob("*.log"))


@pytest.mark.parametrize("side", SIDES)
def test_a_move_is_held_up(cluster: Cluster, side: str) -> None:
    """Never above the rate; another partition of the same two nodes isn't held up; a rate that is lifted lets the rest through."""
    rate, listed, broker = SIDES[side]
    topic, free = f"slow-{side}", f"free-{side}"
    create(cluster, topic, [LEADER, OTHER])
    create(cluster, free, [LEADER, NEW])
    assert fill(cluster, topic, BYTES) == BYTES // 10_000
    set_config(cluster, configs.TOPIC, topic, **{listed: f"0:{broker}"})
    set_config(cluster, configs.BROKER, str(broker), **{rate: str(RATE)})
    began = time.monotonic()
    move(cluster, topic, [LEADER, NEW])
    sizes = []
    while not sizes or sizes[-1] < BYTES / 2:
        time.sleep(0.05)
        size, elapsed_s = size_on(cluster, NEW, topic), time.monotonic() - began
        sizes.append(size)
        assert size <= RATE * (elapsed_s + WINDOW_S * WINDOWS) + 3 * FETCH_BYTES
        assert elapsed_s < 60
    set_config(cluster, configs.BROKER, str(broker), **{rate: str(RATE // 20)})  # time to look at the other one
    assert fill(cluster, free, 1_000_000) == 100
    assert size_on(cluster, NEW, topic) < BYTES
    set_config(cluster, configs.BROKER, str(broker), **{rate: None})
    cluster.wait_for("the move is over", lambda: cluster.partitions(topic)[0].replica_nodes == [LEADER, NEW], 30)
    cluster.wait_for_full_isr(topic)
    checkers.logs_are_equal(cluster, topic)
    assert time.monotonic() - began < 60


def test_who_is_in_sync_is_not_held_up(cluster: Cluster) -> None:
    """Nor is what isn't listed; yet the bytes of those who are in sync count."""
    create(cluster, "in-sync", [LEADER, NEW])
    texts = {side.replicas: "*" for side in SIDES.values()}
    set_config(cluster, configs.TOPIC, "in-sync", **texts)
    for broker in (LEADER, NEW):
        set_config(cluster, configs.BROKER, str(broker), **{side.rate: "10" for side in SIDES.values()})
    try:
        assert fill(cluster, "in-sync", 2_000_000) == 200
        assert {LEADER, NEW} == set(cluster.partitions("in-sync")[0].isr_nodes)
    finally:
        for broker in (LEADER, NEW):
            set_config(cluster, configs.BROKER, str(broker), **{side.rate: None for side in SIDES.values()})
