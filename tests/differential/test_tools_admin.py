"""The smaller administrators' tools against the same node as Apache Kafka's own: same output, same complaints, same exit status."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING

import pytest

from barnabas.client.admin import topics
from barnabas.client.cluster import Cluster
from barnabas.client.producer import Producer
from tests.differential.tools import Outcome, by_each, quickly_by_both

if TYPE_CHECKING:
    from pathlib import Path

    from tests.nodes import Node

pytestmark = pytest.mark.apache


@pytest.fixture(scope="module", params=["apache", pytest.param("barnabas", marks=pytest.mark.node)])
def node(request: pytest.FixtureRequest) -> Node:
    found: Node = request.getfixturevalue(f"{request.param}_node")
    return found


@pytest.fixture(scope="module")
def prefix(node: Node) -> str:
    """A name of its own for this module's topics: `-one` with three partitions, `-a` and `-b` with records in their only one."""
    name = f"admin-{uuid.uuid4().hex[:6]}"
    asyncio.run(_furnish(node.bootstrap, name))
    return name


async def _furnish(bootstrap: str, name: str) -> None:
    async with Cluster(bootstrap) as cluster:
        await topics.create(cluster, [topics.NewTopic(f"{name}-one", partitions=3), *(topics.NewTopic(f"{name}-{end}") for end in "ab")])
        producer = Producer(cluster)
        for end in "ab":
            for number in range(10):
                await producer.send(f"{name}-{end}", b"%d" % number, partition=0, timestamp_ms=1_700_000_000_000)
        await producer.close()


# --- kafka-delete-records


def _plan(*rows: tuple[str, int, int]) -> str:
    return json.dumps({"partitions": [{"topic": topic, "partition": partition, "offset": offset} for topic, partition, offset in rows], "version": 1})


@pytest.mark.parametrize(
    "text",
    [
        _plan(("{p}-one", 0, 0), ("{p}-one", 1, -1), ("{p}-one", 2, 1)),
        _plan(("{p}-one", 0, -2)),
        _plan(("{p}-one", 0, 0), ("{p}-one", 0, 1), ("{p}-one", 1, 1), ("{p}-one", 1, 1)),
        '{"partitions": [], "version": 1}',
        '{"partitions": []}',
        '{"partitions": [], "version": 2}',
        '{"partitions": [], "version": "1"}',
        '{"version": 1}',
        '{"partitions": {}}',
        '{"partitions": [1]}',
        '{"partitions": [{"topic": 1, "partition": 0, "offset": 0}]}',
        '{"partitions": [{"topic": "t", "partition": 2147483648, "offset": 0}]}',
        '{"partitions": [{"topic": "t", "partition": 0, "offset": "0"}]}',
        '{"partitions": [{"topic": "t", "partition": 0, "offset": 1.5}]}',
        '{"partitions": [{"topic": "t", "partition": 0}]}',
        "[]",
        "1",
        "",
        "{",
        "nonsense",
    ],
)
def test_delete_records(node: Node, prefix: str, tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text.replace("{p}", prefix))
    theirs, ours = quickly_by_both("kafka-delete-records", "--bootstrap-server", node.bootstrap, "--offset-json-file", str(path))
    assert _in_order(ours) == _in_order(theirs)


def _in_order(outcome: Outcome) -> Outcome:
    """Apache's tool lists what Java's `Map.of` makes, whose order is another one in every process."""
    return outcome._replace(output="\n".join(sorted(outcome.output.split("\n"))), complaints=tuple(sorted(outcome.complaints)))


def test_records_of_nothing(node: Node, prefix: str, tmp_path: Path) -> None:
    """Apache's tool looks for the partition until its time is over; ours doesn't."""
    path = tmp_path / "plan.json"
    path.write_text(_plan((f"{prefix}-one", 7, 0)))
    settings = tmp_path / "client.properties"
    settings.write_text("default.api.timeout.ms=300\nrequest.timeout.ms=200\n")
    words = ("--bootstrap-server", node.bootstrap, "--offset-json-file", str(path), "--command-config", str(settings))
    theirs, ours = quickly_by_both("kafka-delete-records", *words)
    assert (ours.status, ours.output.split("\t")[0]) == (theirs.status, theirs.output.split("\t")[0])
    assert "UnknownTopicOrPartitionException" in ours.output
    assert "TimeoutException" in theirs.output


def test_records_deleted(node: Node, prefix: str, tmp_path: Path) -> None:
    for offset in (4, -1, 3):
        for end in "ab":
            (tmp_path / f"{end}.json").write_text(_plan((f"{prefix}-{end}", 0, offset)))
        words = ("--bootstrap-server", node.bootstrap, "--offset-json-file", str(tmp_path / "%.json"))
        theirs, ours = by_each("kafka-delete-records", *words)
        assert ours._replace(output=ours.output.replace("-b-0", "-a-0")) == theirs


# --- kafka-log-dirs


@pytest.mark.parametrize(
    "arguments",
    [
        "--describe",
        "--describe --topic-list {p}-one,{p}-a",
        "--describe --topic-list {p}-nothing",
        "--describe --broker-list 1",
        "--describe --broker-list ,1, --topic-list ,",
        "--describe --broker-list 1,7,9",
        "--describe --broker-list x",
        "--describe --broker-list 99999999999",
        "--describe --command-config /nonexistent",
        "",
    ],
)
def test_log_dirs(node: Node, prefix: str, arguments: str) -> None:
    theirs, ours = quickly_by_both("kafka-log-dirs", "--bootstrap-server", node.bootstrap, *arguments.format(p=prefix).split())
    assert ours == theirs


# --- kafka-broker-api-versions


@pytest.mark.parametrize("arguments", ["", "--command-config /nonexistent", "--nonsense"])
def test_broker_api_versions(node: Node, arguments: str) -> None:
    theirs, ours = quickly_by_both("kafka-broker-api-versions", "--bootstrap-server", node.bootstrap, *arguments.split())
    assert ours == theirs


# --- kafka-leader-election


@pytest.mark.parametrize(
    "arguments",
    [
        "--election-type preferred --all-topic-partitions",
        "--election-type UNCLEAN --all-topic-partitions",
        "--election-type Preferred --topic {p}-one --partition 1",
        "--election-type unclean --topic {p}-one --partition 1",
        "--election-type preferred --topic {p}-one --partition 9",
        "--election-type preferred --topic {p}-nothing --partition 0",
        "--election-type preferred --topic {p}-one --partition -1",
        "--election-type preferred --topic {p}-one --partition x",
        "--election-type nonsense --topic {p}-one --partition 0",
        "--election-type preferred",
        "--topic {p}-one --partition 0",
        "--election-type preferred --topic {p}-one",
        "--election-type preferred --partition 0",
        "--election-type preferred --topic {p}-one --partition 0 --all-topic-partitions",
        "--election-type preferred --all-topic-partitions --partition 0",
        "--election-type preferred --all-topic-partitions --admin.config /nonexistent",
        "--election-type preferred --all-topic-partitions --admin.config a --command-config b",
        "--election-type preferred --path-to-json-file /nonexistent",
    ],
)
def test_leader_election(node: Node, prefix: str, arguments: str) -> None:
    theirs, ours = quickly_by_both("kafka-leader-election", "--bootstrap-server", node.bootstrap, *arguments.format(p=prefix).split())
    assert ours == theirs


@pytest.mark.parametrize(
    "text",
    [
        '{"partitions": [{"topic": "{p}-one", "partition": 0}, {"topic": "{p}-one", "partition": 2}, {"topic": "{p}-a", "partition": 0}]}',
        '{"partitions": [{"topic": "{p}-one", "partition": 0}, {"topic": "{p}-none", "partition": 2}, {"topic": "{p}-a", "partition": 7}]}',
        '{"partitions": [{"topic": "a", "partition": 0}, {"topic": "a", "partition": 0}, {"topic": "b", "partition": 1}, {"topic": "b", "partition": 1}]}',
        '{"partitions": []}',
        '{"partitions": [{"topic": "a"}]}',
        '{"partitions": [{"topic": "a", "partition": "0"}]}',
        '{"partitions": 1}',
        "{}",
        "[]",
        "",
        "nonsense",
    ],
)
def test_elections_from_a_file(node: Node, prefix: str, tmp_path: Path, text: str) -> None:
    path = tmp_path / "partitions.json"
    path.write_text(text.replace("{p}", prefix))
    words = ("--bootstrap-server", node.bootstrap, "--election-type", "preferred", "--path-to-json-file", str(path))
    theirs, ours = quickly_by_both("kafka-leader-election", *words)
    assert ours == theirs


# --- without a node


@pytest.mark.parametrize("tool", ["kafka-delete-records", "kafka-log-dirs", "kafka-broker-api-versions", "kafka-leader-election"])
@pytest.mark.parametrize("arguments", ["", "--help", "--version", "--nonsense", "--bootstrap-server", "--bootstrap-server nonsense --describe"])
def test_without_a_node(tool: str, arguments: str) -> None:
    theirs, ours = quickly_by_both(tool, *arguments.split())
    assert ours == theirs
