"""Moves between the directories of a node: both engines answer alike, leave the same names, and either goes on with what the other one began (R35, M8-M12)."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from barnabas.wire.apis import APIS
from barnabas.wire.messages.api_versions import ApiVersionsRequest
from tests import nodes
from tests.conftest import SUBJECT, scratch
from tests.differential.transcript import Client
from tests.directories import Place, ask, create, directories, lies_in, limit, on_disk, places
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.apache, pytest.mark.node]

LONG = "l" * 220
SETTINGS = {
    "alter.log.dirs.replication.quota.window.num": "2",
    "replica.fetch.max.bytes": "100000",
    "replica.fetch.backoff.ms": "50",
} | nodes.SHORT_SESSION
OTHER = {"a": "b", "b": "a"}
RECORDS = 200


@pytest.fixture
def folder() -> Iterator[Path]:
    made = scratch()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def fill(node: nodes.Node, *topics: str, first: int = 0) -> None:
    producer = Producer({"bootstrap.servers": node.bootstrap, "enable.idempotence": True, "batch.size": 50_000, "log_level": 0})
    for number in range(first, first + RECORDS):
        for topic in topics:
            producer.produce(topic, b"%d" % number + bytes(10_000), partition=0)
    assert producer.flush(30) == 0


def numbers(node: nodes.Node, topic: str, count: int) -> list[int]:
    with closing(Consumer({"bootstrap.servers": node.bootstrap, "group.id": "numbers"})) as consumer:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[int] = []

        def read_all() -> bool:
            found.extend(
                int((message.value() or b"").partition(b"\0")[0]) for message in consumer.consume(count - len(found), 1) if not message.error()
            )
            return len(found) >= count

        wait_until(read_all, 60)
    return found


def story(node: nodes.Node) -> list[object]:
    """What is said and seen, directories by what they are: where the replica was (`here`) or not (`there`)."""
    for topic in ("t", LONG):
        create(node, topic)
    fill(node, "t")
    ((here, _),) = places(node, "t")
    there = OTHER[here]
    ((of_long, _),) = places(node, LONG)
    told: list[object] = [
        ask(node, ("t", 0, "/nonexistent"), (LONG, 0, "/nonexistent"), ("nothing", 0, "/nonexistent")),
        ask(node, ("t", 0, f"{here}/"), ("t", 0, here)),
        ask(node, ("t", 0, here), ("t", 7, here), ("nothing", 0, here), ("nothing", 1, there), ("__cluster_metadata", 0, there)),
        ask(node, (LONG, 0, OTHER[of_long])),
        ask(node, ("t", 0, there), ("t", 0, here)),
    ]
    limit(node, 1000)
    told += [ask(node, ("t", 0, there)), _seen(node, here), ask(node, ("t", 0, there)), ask(node, ("t", 0, there), ("t", 0, here)), _seen(node, here)]
    told += [ask(node, ("t", 0, there)), _seen(node, here)]
    limit(node, None)
    wait_until(lambda: lies_in(node, "t", there), 60)
    wait_until(lambda: f"{here}/t-0" not in on_disk(node, "t"))  # it gets its other name a moment later
    told.append(_seen(node, here))
    create(node, "nothing", 2)
    wait_until(lambda: places(node, "nothing", 0) and places(node, "nothing", 1), 60)
    told += [list(places(node, "nothing", index)) == [Place(where, False)] for index, where in ((0, here), (1, there))]
    told.append(numbers(node, "t", RECORDS) == list(range(RECORDS)))
    return told


def _seen(node: nodes.Node, here: str) -> object:
    names = {here: "here", OTHER[here]: "there"}
    found = {(names[place.directory], place.is_future): lag == 0 for place, lag in places(node, "t").items()}
    return found, sorted({f"{names[entry[0]]}{entry[1:]}" for entry in on_disk(node, "t")})


def test_told_alike(folder: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(told_and_served, (nodes.APACHE, SUBJECT), (folder / "theirs", folder / "ours"))
    assert ours == theirs
    assert ours[1] == [(1, 2)]


def told_and_served(engine: nodes.Engine, own: Path) -> tuple[list[object], list[tuple[int, int]]]:
    node = nodes.new_node(engine, own, directories(own) | SETTINGS).start()
    try:
        told = story(node)
        with closing(Client(node.port)) as client:
            rows = client.call(ApiVersionsRequest(client_software_name="t", client_software_version="1"), 3).api_keys
        return told, [(row.min_version, row.max_version) for row in rows if row.api_key == APIS[34].key]
    finally:
        node.kill()
        print(node.tail(3000))


def test_either_goes_on(folder: Path) -> None:
    """Ours has moved one replica and is about to move another: Apache Kafka has the one and goes on with the other; what it leaves in a crash, ours ends."""
    node = nodes.new_node(SUBJECT, folder, directories(folder) | SETTINGS).start()
    try:
        ways = {}
        for topic in ("moved", "moves"):
            create(node, topic)
            fill(node, topic)
            ((here, _),) = places(node, topic)
            ways[topic] = here, OTHER[here]
            assert ask(node, (topic, 0, OTHER[here])) == [(topic, 0, "NONE")]
            if topic == "moved":
                wait_until(lambda here=here: lies_in(node, "moved", OTHER[here]), 60)  # type: ignore[misc]
                limit(node, 1000)
        here, there = ways["moves"]
        wait_until(lambda: places(node, "moves")[Place(there, True)] < RECORDS)
        node.stop()
        node = node.on(nodes.APACHE).start()
        _goes_on(node, here, there)
        assert lies_in(node, "moved", ways["moved"][1])
        fill(node, *ways, first=RECORDS)
        for topic in ways:
            assert numbers(node, topic, 2 * RECORDS) == list(range(2 * RECORDS))
        assert ask(node, ("moved", 0, ways["moved"][0])) == [("moved", 0, "NONE")]
        node.kill()
        node = node.on(SUBJECT).start()
        _goes_on(node, here, there)
        limit(node, None)
        wait_until(lambda: lies_in(node, "moves", there) and lies_in(node, "moved", ways["moved"][0]), 60)
        fill(node, *ways, first=2 * RECORDS)
        for topic in ways:
            assert numbers(node, topic, 3 * RECORDS) == list(range(3 * RECORDS))
    finally:
        node.kill()
        print(node.tail(6000))


def _goes_on(node: nodes.Node, here: str, there: str) -> None:
    wait_until(lambda: set(places(node, "moves")) == {Place(here, False), Place(there, True)}, 60)
