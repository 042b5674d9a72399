"""The release's own Java programs against a node: its compatibility check, topics, console, verifiable clients, groups, offsets, log dirs."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from tests.apache.release import java_command
from tests.differential.tools import by_apache

if TYPE_CHECKING:
    from pathlib import Path

    from tests.nodes import Node

pytestmark = [pytest.mark.node, pytest.mark.apache]

TOOLS = "org.apache.kafka.tools."


def java(tool: str, *arguments: str, stdin: str = "") -> str:
    """What the tool prints, which must not fail; in the one JVM for all of them."""
    done = by_apache(tool, *arguments, stdin=stdin)
    assert done.status == 0, done
    return done.output


def fresh(stem: str) -> str:
    return f"{stem}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def topic(barnabas_node: Node) -> str:
    name = fresh("java")
    admin = AdminClient({"bootstrap.servers": barnabas_node.bootstrap})
    admin.create_topics([NewTopic(name, 2, 1)])[name].result(20)
    return name


def test_topics(barnabas_node: Node, topic: str) -> None:
    command = ("kafka-topics", "--bootstrap-server", barnabas_node.bootstrap)
    made = fresh("java")
    assert f"Created topic {made}." in java(*command, "--create", "--topic", made, "--partitions", "2", "--replication-factor", "1")
    assert topic in java(*command, "--list").split()
    described = java(*command, "--describe", "--topic", topic)
    assert "PartitionCount: 2" in described
    assert "Leader: 1" in described
    java(*command, "--alter", "--topic", topic, "--partitions", "4")
    java(*command, "--delete", "--topic", topic)
    assert topic not in java(*command, "--list").split()


def test_console_producer_and_consumer(barnabas_node: Node, topic: str) -> None:
    lines = [f"k{n}:line {n}" for n in range(200)]
    java(
        "kafka-console-producer",
        *("--bootstrap-server", barnabas_node.bootstrap, "--topic", topic, "--compression-codec", "zstd"),
        *("--reader-property", "parse.key=true", "--reader-property", "key.separator=:"),
        stdin="\n".join(lines) + "\n",
    )
    consumed = java(
        "kafka-console-consumer",
        *("--bootstrap-server", barnabas_node.bootstrap, "--topic", topic, "--from-beginning", "--max-messages", "200", "--timeout-ms", "20000"),
        *("--formatter-property", "print.key=true", "--formatter-property", "key.separator=:"),
    )
    assert sorted(consumed.splitlines()) == sorted(lines)


@pytest.mark.parametrize("acks", ["-1", "1", "0"])
def test_verifiable_producer(barnabas_node: Node, topic: str, acks: str) -> None:
    events = produced(barnabas_node, topic, 2000, "--acks", acks)
    assert sum(event["name"] == "producer_send_success" for event in events) == 2000
    assert not [event for event in events if event["name"] == "producer_send_error"]


def produced(node: Node, topic: str, count: int, *words: str) -> list[dict[str, Any]]:
    """What the verifiable producer tells of so many records."""
    server = ("--bootstrap-server", node.bootstrap, "--topic", topic)
    told = java("kafka-verifiable-producer", *server, "--max-messages", str(count), "--throughput", "-1", *words)
    return [json.loads(line) for line in told.splitlines()]


def test_verifiable_consumer_goes_on_where_its_group_stopped(barnabas_node: Node, topic: str) -> None:
    group = fresh("group")

    def consume(count: int) -> int:
        arguments = ("--bootstrap-server", barnabas_node.bootstrap, "--topic", topic, "--group-id", group, "--reset-policy", "earliest")
        events = [json.loads(line) for line in java("kafka-verifiable-consumer", *arguments, "--max-messages", str(count)).splitlines()]
        assert all(event["success"] for event in events if event["name"] == "offsets_committed"), events
        return sum(event["count"] for event in events if event["name"] == "records_consumed")

    produced(barnabas_node, topic, 1000)
    assert consume(1000) == 1000
    produced(barnabas_node, topic, 500)
    assert consume(500) == 500
    described = java("kafka-consumer-groups", "--bootstrap-server", barnabas_node.bootstrap, "--describe", "--group", group)
    rows = [line.split() for line in described.splitlines() if line.startswith(group)]
    assert sum(int(row[3]) for row in rows) == 1500, described
    assert all(row[5] == "0" for row in rows), described


def test_a_group_as_the_tools_see_it(barnabas_node: Node, topic: str) -> None:
    """A member that runs, seen by ConsumerGroupCommand; then the empty group's offsets are reset and the group deleted."""
    group = fresh("group")
    command = ("kafka-consumer-groups", "--bootstrap-server", barnabas_node.bootstrap)
    arguments = ["--bootstrap-server", barnabas_node.bootstrap, "--topic", topic, "--group-id", group, "--reset-policy", "earliest"]
    consumer = subprocess.Popen(java_command(TOOLS + "VerifiableConsumer", arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 90
        while "Stable" not in (state := by_apache(*command, "--describe", "--group", group, "--state").output):
            assert time.monotonic() < deadline, state
        assert "range" in java(*command, "--describe", "--group", group, "--members", "--verbose") or "range" in state
    finally:
        consumer.terminate()
        consumer.wait(30)
    assert group in java(*command, "--list").split()
    java(*command, "--group", group, "--reset-offsets", "--topic", topic, "--to-earliest", "--execute")
    assert "successful" in java(*command, "--delete", "--group", group)
    assert group not in java(*command, "--list").split()


def test_client_compatibility(barnabas_nodes: object) -> None:
    """The release's own check of what a broker lets its client do; it wants an empty topic of one partition, and to create `newtopic`."""
    node: Node = barnabas_nodes()  # type: ignore[operator]
    expected = {
        "offsets-for-times-supported": True,
        "cluster-id-supported": True,
        "expect-record-too-large-exception": False,
        "num-cluster-nodes": 1,
        "create-topics-supported": True,
        "describe-acls-supported": True,
        "describe-configs-supported": True,
        "idempotent-producer-supported": True,
    }
    flags = [word for flag, value in expected.items() for word in (f"--{flag}", str(value).lower())]
    said = java(TOOLS + "ClientCompatibilityTest", "--bootstrap-server", node.bootstrap, "--topic", "compatible", *flags)
    assert said.splitlines()[-1] == "SUCCESS."


def test_get_offset_shell(barnabas_node: Node, topic: str) -> None:
    java("kafka-console-producer", "--bootstrap-server", barnabas_node.bootstrap, "--topic", topic, stdin="a\nb\nc\n")
    command = ("kafka-get-offsets", "--bootstrap-server", barnabas_node.bootstrap, "--topic", topic)
    ends = [int(line.rsplit(":", 1)[1]) for line in java(*command).splitlines()]
    assert sum(ends) == 3
    assert [line.rsplit(":", 1)[1] for line in java(*command, "--time", "earliest").splitlines()] == ["0", "0"]


def test_configs_and_log_dirs(barnabas_node: Node, topic: str) -> None:
    command = ("kafka-configs", "--bootstrap-server", barnabas_node.bootstrap, "--entity-type", "topics", "--entity-name", topic)
    java(*command, "--alter", "--add-config", "retention.ms=54321")
    deadline = time.monotonic() + 30
    while "retention.ms=54321" not in (shown := java(*command, "--describe")):
        assert time.monotonic() < deadline, shown
    described = java("kafka-log-dirs", "--bootstrap-server", barnabas_node.bootstrap, "--describe", "--topic-list", topic)
    assert f"{topic}-0" in described


def test_dump_log_reads_every_segment(barnabas_nodes: object, tmp_path: Path) -> None:
    """DumpLogSegments with deep iteration and index checks over what a node left behind."""
    node: Node = barnabas_nodes()  # type: ignore[operator]
    produced(node, "dumped", 5000)
    node.stop()
    files = sorted(str(path) for path in (node.log_dir / "dumped-0").iterdir() if path.suffix in (".log", ".index", ".timeindex", ".snapshot"))
    dumped = by_apache("kafka-dump-log", "--deep-iteration", "--index-sanity-check", "--files", ",".join(files))
    assert "mismatch" not in (dumped.output + "".join(dumped.complaints)).lower()
    assert dumped.output.count("isvalid: true") > 0
    metadata = sorted(str(path) for path in (node.log_dir / "__cluster_metadata-0").iterdir() if path.suffix == ".log")
    decoded = java("kafka-dump-log", "--cluster-metadata-decoder", "--files", ",".join(metadata))
    assert '"type":"TOPIC_RECORD"' in decoded
