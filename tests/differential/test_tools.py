"""kafka-topics, kafka-configs, kafka-get-offsets against the same node as Apache Kafka's own: same output, same complaints, same exit status."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import TYPE_CHECKING

import pytest

from barnabas.client.cluster import Cluster
from tests.differential.tools import by_apache, by_both, by_both_alike, by_each, in_this_process
from tests.differential.transcript import settle

if TYPE_CHECKING:
    from tests.nodes import Node

pytestmark = pytest.mark.apache
IDS = re.compile(r"TopicId: \S+")


@pytest.fixture(scope="module")
def prefix(node: Node) -> str:
    """A name of its own for this module's topics, three of which stand: two plain, one with configs."""
    name = f"tools-{uuid.uuid4().hex[:6]}"
    for topic, more in (
        (f"{name}-one", ()),
        (f"{name}-two", ("--partitions", "3")),
        (f"{name}-three", ("--config", "retention.ms=1000", "--config", "segment.bytes=2000000")),
    ):
        done = in_this_process("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", topic, *more)
        assert done.status == 0, done
    settle(node)
    return name


@pytest.mark.parametrize(
    "arguments",
    [
        "--list --topic {p}-.*",
        "--list --topic {p}-one,{p}-two --exclude-internal",
        "--describe --topic {p}-.*",
        "--describe --topic {p}-three --topics-with-overrides",
        "--describe --topic {p}-.* --under-replicated-partitions",
        "--describe --topic {p}-two --at-min-isr-partitions",
        "--describe --topic {p}-two --partition-size-limit-per-response 1",
        "--describe --topic {p}-nothing",
        "--describe --topic {p}-nothing --if-exists",
        "--describe --topic-id AAAAAAAAAAAAAAAAAAAAAQ",
        "--alter --topic {p}-two --partitions 2",
        "--alter --topic {p}-nothing --partitions 2",
        "--alter --topic {p}-two",
        "--create --topic {p}-one",
        "--create --topic {p}-one --if-not-exists",
        "--create --topic {p}-new --config compression.type=none",
        "--create --topic {p}-new --config nonsense=1",
        "--create --topic {p}-new --config nonsense",
        "--create --topic {p}-new --replica-assignment 1:1",
        "--create --topic {p}-new --replica-assignment 1,1:2",
        "--create --topic {p}-new --replication-factor 7",
        "--create --topic {p}-new --partitions 0",
        "--create --topic {p}/new",
        "--create --topic {p}-new --partitions x",
        "--delete --topic {p}-nothing",
        "--delete --topic {p}-nothing --if-exists",
        "--create",
        "--create --list",
        "--create --topic a --topic b",
        "--create --topic",
        "--list --if-exists",
        "--describe --topics-with-overrides --under-min-isr-partitions",
        "--create --topic {p}-new --replica-assignment 1 --partitions 1",
        "--create --topics {p}-new",
        "--version",
    ],
)
def test_topics(node: Node, prefix: str, arguments: str) -> None:
    words = arguments.format(p=prefix).split()
    theirs, ours = by_both_alike("kafka-topics", "--bootstrap-server", node.bootstrap, *words)
    assert ours == theirs


@pytest.mark.parametrize("arguments", ["", "--help", "--list"])
def test_topics_without_a_server(arguments: str) -> None:
    theirs, ours = by_both("kafka-topics", *arguments.split())
    assert ours == theirs


def test_topic_life(node: Node, prefix: str) -> None:
    """Created, enlarged, described, deleted: once by each tool."""
    server = ("--bootstrap-server", node.bootstrap)
    topic = f"{prefix}.%"
    for words in (
        ("--create", "--topic", topic, "--partitions", "2", "--config", "cleanup.policy=compact", "--config", "min.insync.replicas=1"),
        ("--alter", "--topic", topic, "--partitions", "3"),
        ("--describe", "--topic", topic),
        ("--delete", "--topic", topic),
        ("--describe", "--topic", topic),
    ):
        theirs, ours = by_each("kafka-topics", *server, *words)
        settle(node)
        assert ours._replace(output=IDS.sub("", ours.output)) == theirs._replace(output=IDS.sub("", theirs.output)), words


@pytest.mark.parametrize(
    "arguments",
    [
        "--topic {p}-.*",
        "--topic-partitions {p}-two:1-,{p}-one",
        "--topic-partitions {p}-t.*:-2",
        "--topic {p}-two --partitions 0,2 --time earliest",
        "--topic {p}-one --time -3",
        "--topic {p}-one --time 5000",
        "--topic {p}-one --time soon",
        "--topic {p}-nothing",
        "--topic {p}-one --partitions x",
        "--topic-partitions {p}-one --topic {p}-one",
        "--topic [",
        "--nonsense",
    ],
)
def test_get_offsets(node: Node, prefix: str, arguments: str) -> None:
    theirs, ours = by_both_alike("kafka-get-offsets", "--bootstrap-server", node.bootstrap, *arguments.format(p=prefix).split())
    assert ours == theirs


@pytest.mark.parametrize("arguments", ["", "--topic x", "--bootstrap-server nonsense"])
def test_get_offsets_without_a_server(arguments: str) -> None:
    theirs, ours = by_both("kafka-get-offsets", *arguments.split())
    assert ours == theirs


@pytest.mark.parametrize(
    "arguments",
    [
        "--describe --topic {p}-three",
        "--describe --topic {p}-three --all",
        "--describe --topic {p}-nothing",
        "--describe --entity-type topics --entity-name {p}-one",
        "--describe --broker 1",
        "--describe --broker 1 --all",
        "--describe --broker 9",
        "--describe --entity-type brokers",
        "--describe --entity-type users",
        "--describe --entity-type clients --entity-default",
        "--describe --entity-type ips",
        "--describe --group {p}",
        "--describe --client-metrics {p}",
        "--alter --topic {p}-nothing --add-config retention.ms=1",
        "--alter --topic {p}-one --add-config retention.ms=soon",
        "--alter --topic {p}-one --add-config retention.ms",
        "--alter --topic {p}-three --add-config cleanup.policy=[compact,delete],retention.ms=2000",
        "--alter --topic {p}-three --delete-config cleanup.policy,retention.ms",
        "--alter --topic {p}-three --add-config reten%tion=1",
        "--alter --user {p} --add-config nonsense=1",
        "--alter --user {p} --delete-config producer_byte_rate",
        "--alter --user {p} --add-config SCRAM-SHA-512=[iterations=1,password=x]",
        "--alter --client {p} --add-config SCRAM-SHA-512=[password=x]",
        "--alter --ip 127.0.0.1 --add-config producer_byte_rate=1",
        "--alter --broker x --add-config a=b",
        "--alter --broker 1 --add-config num.io.threads=100",
        "--alter --broker 1 --add-config log.retention.ms=0",
        "--alter --group {p} --add-config consumer.session.timeout.ms=1",
        "--alter --client-metrics {p} --add-config interval.ms=1",
        "--alter --broker-logger 1 --add-config root=ERROR",
        "--alter --broker-logger 1 --add-config root=LOUD",
        "--alter --broker-logger 1 --add-config nonsense=INFO",
        "--alter --broker-logger 1 --delete-config root",
        "--describe --broker-logger 1",
        "--alter --topic {p}-one",
        "--alter --entity-type topics --add-config a=b",
        "--describe",
        "--describe --alter",
        "--describe --entity-type nonsense",
        "--describe --topic a --broker 1",
        "--describe --topic a --entity-name b",
        "--describe --zookeeper x",
    ],
)
def test_configs(node: Node, prefix: str, arguments: str) -> None:
    theirs, ours = by_both_alike("kafka-configs", "--bootstrap-server", node.bootstrap, *arguments.format(p=prefix).split())
    assert ours == theirs


def serves(node: Node, api_key: int) -> bool:
    async def ask() -> bool:
        async with Cluster(node.bootstrap) as cluster:
            return api_key in (await cluster.any_connection()).versions

    return asyncio.run(ask())


def test_credentials(node: Node, prefix: str) -> None:
    """Set by either tool, removed by the other one; what is no longer there is refused alike."""
    server = ("--bootstrap-server", node.bootstrap, "--alter", "--entity-type", "users", "--entity-name", prefix)
    assert in_this_process("kafka-configs", *server, "--add-config", "SCRAM-SHA-256=[iterations=5000,password=secret]").status == 0
    settle(node)
    for step in (
        "SCRAM-SHA-512=[password=secret]",
        "SCRAM-SHA-256=[password=a],SCRAM-SHA-512=[iterations=8192,password=b]",
        "SCRAM-SHA-1=[password=a]",
    ):
        theirs, ours = by_both("kafka-configs", *server, "--add-config", step)
        assert ours == theirs
    assert by_apache("kafka-configs", *server, "--delete-config", "SCRAM-SHA-256").status == 0
    settle(node)
    theirs, ours = by_both("kafka-configs", *server, "--delete-config", "SCRAM-SHA-256")
    assert ours == theirs
    assert ours.status == 1
    assert in_this_process("kafka-configs", *server, "--delete-config", "SCRAM-SHA-512").status == 0


def test_quotas_and_credentials(node: Node, prefix: str) -> None:
    """Set by one tool, both see the same; removed again."""
    if not serves(node, 49) or not serves(node, 51):
        pytest.skip("this node serves no quotas or credentials yet")
    server = ("--bootstrap-server", node.bootstrap)
    steps = [
        ("--alter", "--user", prefix, "--add-config", "producer_byte_rate=1000,consumer_byte_rate=2.5E10"),
        ("--alter", "--user-defaults", "--client", prefix, "--add-config", "request_percentage=12.5"),
        ("--alter", "--user", prefix, "--add-config", "SCRAM-SHA-256=[iterations=5000,password=secret]"),
    ]
    for step in steps:
        assert in_this_process("kafka-configs", *server, *step).status == 0, step
    settle(node)
    for seen in (("--user", prefix), ("--user-defaults", "--client", prefix), ("--entity-type", "users")):
        theirs, ours = by_both("kafka-configs", *server, "--describe", *seen)
        assert ours == theirs
        assert prefix in ours.output
    removal = ("--alter", "--user", prefix, "--delete-config", "producer_byte_rate,consumer_byte_rate")
    assert by_apache("kafka-configs", *server, *removal).status == 0
    settle(node)
    theirs, ours = by_both("kafka-configs", *server, *removal)  # there is nothing left to remove
    assert ours == theirs
    assert ours.status == 1
