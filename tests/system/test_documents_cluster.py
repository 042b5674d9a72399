"""What the documents do to a cluster, step by step, with our tools on real nodes: form it, verify it, let a topic grow, add a broker, remove one."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from tests import conftest, nodes
from tests.differential import trio
from tests.differential.tools import by_barnabas, in_this_process
from tests.seeds import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.node
PATIENCE_S = 60.0
# As the first document has it, without what is of its own machines.
DOCUMENT = {
    "process.roles": "broker,controller",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "num.partitions": "6",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "num.network.threads": "8",
    "num.io.threads": "16",
    "socket.send.buffer.bytes": "102400",
    "socket.receive.buffer.bytes": "102400",
    "socket.request.max.bytes": "104857600",
    "log.retention.hours": "168",
    "log.segment.bytes": "1073741824",
    "log.retention.check.interval.ms": "300000",
    "auto.leader.rebalance.enable": "true",
    "group.initial.rebalance.delay.ms": "3000",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    made = conftest.scratch()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def says(tool: str, server: str, *words: str) -> str:
    """What a tool prints, which must not fail."""
    start = ("--bootstrap-server", server)
    done = in_this_process(tool, *words, *start) if tool == "kafka-cluster" else in_this_process(tool, *start, *words)
    assert (done.status, done.complaints) == (0, ()), done
    return done.output


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(AssertionError):
            if holds():
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def listed(server: str) -> list[int]:
    return sorted(map(int, re.findall(r"\(id: (\d+) rack: \w+ isFenced: false\) -> \(", says("kafka-broker-api-versions", server))))


def printed(seed: str, first: int, last: int) -> dict[str, str]:
    """A document's server.properties, by the catalogue: what stands between two of its lines."""
    found = {}
    for row in rows.of("configs"):
        for given in row["given"]:
            if row["scope"] == "broker" and given["seed"].startswith(seed) and first <= given["line"] <= last:
                value = given["value"]
                found[row["key"]] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


FILES = {"000": DOCUMENT, "002": printed("002", 363, 528), "004": printed("004", 159, 187)}
NAMED = {"000": [], "002": ["controlled.shutdown.max.retries", "quota.producer.default", "quota.consumer.default"], "004": []}


@pytest.mark.parametrize(("document", "count"), [("000", 3), ("002", 5), ("004", 3)])
def test_a_cluster_is_formed(folder: Path, document: str, count: int) -> None:
    """Static voters, the same on all nodes; one cluster id for all. The files as they are printed but for the hosts; what 4.3 ignores is named."""
    assert len(FILES[document]) > 15
    ports = [(nodes.free_port(), nodes.free_port()) for _ in range(count)]
    voters = ",".join(f"{number}@127.0.0.1:{controller}" for number, (_, controller) in enumerate(ports, 1))
    cluster_id = in_this_process("kafka-storage", "random-uuid").output.strip()
    made = []
    for number, (broker, controller) in enumerate(ports, 1):
        disks = [str(folder / str(number) / str(disk)) for disk, _ in enumerate(FILES[document].get("log.dirs", "").split(","))]
        own = {
            "node.id": str(number),
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://:{broker},CONTROLLER://:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
            "log.dirs": ",".join(disks),
        }
        file = nodes.write_properties(folder / f"{number}.properties", FILES[document] | own)
        formatted = in_this_process("kafka-storage", "format", "-t", cluster_id, "-c", str(file))
        assert f"Formatting metadata directory {disks[0]} with metadata.version 4.3-IV0.\n" in formatted.output, formatted
        made.append(nodes.Node(nodes.BARNABAS, file))
    server = f"127.0.0.1:{ports[0][0]}"
    try:
        for node in made:
            node.spawn()
        until(lambda: nodes.lists_broker("127.0.0.1", ports[0][0]) and listed(server) == list(range(1, count + 1)))
        assert [key for key in NAMED[document] if f"{key} is ignored" not in made[0].tail(10_000)] == []
        status = says("kafka-metadata-quorum", server, "describe", "--status")
        assert f"{cluster_id}\n" in status
        assert sorted(map(int, re.findall(r'"id": (\d+)', status.partition("CurrentObservers")[0]))) == list(range(1, count + 1))
        assert int(re.findall(r"LeaderId: +(\d+)", status)[0]) in range(1, count + 1)
        says("kafka-topics", server, "--create", "--topic", "test-topic", "--partitions", "6", "--replication-factor", "3")
        until(lambda: _spread(says("kafka-topics", server, "--describe", "--topic", "test-topic")))
    finally:
        for node in made:
            node.kill()


def _spread(described: str) -> bool:
    """Six partitions, each with three replicas in sync, led by different brokers."""
    found = re.findall(r"Leader: (\d+)\tReplicas: ([\d,]+)\tIsr: ([\d,]+)", described)
    return (
        len(found) == 6
        and all(len(set(replicas.split(","))) == 3 and sorted(isr) == sorted(replicas) for _, replicas, isr in found)
        and len({leader for leader, _, _ in found}) >= 3
    )


def test_a_broker_comes_and_another_goes(folder: Path) -> None:
    three = trio.make(folder, nodes.BARNABAS)
    running = list(three.nodes)
    server = three.nodes[0].bootstrap
    try:
        three.start()
        says("kafka-topics", server, "--create", "--topic", "orders", "--partitions", "3", "--replication-factor", "2")
        until(lambda: "ReplicationFactor: 2" in says("kafka-topics", server, "--describe", "--topic", "orders"))
        _produce(server, 100)

        # More partitions, and replicas on more brokers.
        says("kafka-topics", server, "--alter", "--topic", "orders", "--partitions", "6")
        until(lambda: "PartitionCount: 6" in says("kafka-topics", server, "--describe", "--topic", "orders"))
        _move(server, folder, {number: [1 + number % 3, 1 + (number + 1) % 3, 1 + (number + 2) % 3] for number in range(6)})
        _produce(server, 100)

        # A broker more, which is no controller; each partition's last replica goes to it.
        fourth = _fourth(three, folder)
        running.append(fourth.start())
        until(lambda: listed(server) == [1, 2, 3, 4])
        _move(server, folder, {number: [1 + number % 3, 1 + (number + 1) % 3, 4] for number in range(6)})
        until(lambda: not says("kafka-topics", server, "--describe", "--under-replicated-partitions"))
        until(lambda: "throttled" not in says("kafka-configs", server, "--describe", "--entity-type", "brokers", "--entity-name", "4"))

        # One less: no replica on it, then no voter, then no broker.
        topics = folder / "topics.json"
        topics.write_text('{"version": 1, "topics": [{"topic": "orders"}]}')
        proposal = says("kafka-reassign-partitions", server, "--generate", "--topics-to-move-json-file", str(topics), "--broker-list", "1,2,4")
        _carry_out(server, folder, proposal.splitlines()[-1])
        says("kafka-metadata-quorum", server, "remove-controller", "-i", "3", "-d", three.directory_ids[2])
        three.nodes[2].stop()
        until(lambda: listed(server) == [1, 2, 4])
        assert says("kafka-cluster", server, "unregister", "--id", "3") == "Broker 3 is no longer registered.\n"
        until(lambda: "127.0.0.1" in (known := says("kafka-cluster", server, "list-endpoints", "--include-fenced-brokers")) and "\n3 " not in known)
        until(lambda: _holders(says("kafka-topics", server, "--describe", "--topic", "orders")) == {"1", "2", "4"})
        words = ("--topic", "orders", "--from-beginning", "--max-messages", "200", "--timeout-ms", "20000")
        read = by_barnabas("kafka-console-consumer", "--bootstrap-server", server, *words)
        assert sorted(map(int, read.output.split())) == sorted([*range(100), *range(100)])
    finally:
        for node in running:
            node.kill()


def _holders(described: str) -> set[str]:
    """Who has replicas."""
    return {broker for row in re.findall(r"Replicas: ([\d,]+)", described) for broker in row.split(",")}


def _produce(server: str, count: int) -> None:
    from barnabas.cli.kafka import session
    from barnabas.client.producer import Producer

    async def work() -> None:
        async with session.open_cluster({"bootstrap.servers": server}) as cluster:
            producer = Producer(cluster)
            sent = [await producer.send("orders", b"%d" % number) for number in range(count)]
            await producer.flush()
            for each in sent:
                await each
            await producer.close()

    session.run(work())


def _fourth(three: trio.Trio, folder: Path) -> nodes.Node:
    properties = nodes.combined_properties(folder)
    properties.update(
        {
            "node.id": "4",
            "process.roles": "broker",
            "broker.rack": "a",
            "controller.quorum.bootstrap.servers": three.controllers,
            "log.dirs": str(folder / "4"),
            "listeners": properties["listeners"].split(",")[0],
            "advertised.listeners": properties["advertised.listeners"].split(",")[0],
        }
    )
    file = nodes.write_properties(folder / "4.properties", properties)
    done = in_this_process("kafka-storage", "format", "-t", three.cluster_id, "-c", str(file))
    assert done.status == 0, done
    return nodes.Node(nodes.BARNABAS, file)


def _move(server: str, folder: Path, targets: dict[int, list[int]]) -> None:
    rows = [{"topic": "orders", "partition": number, "replicas": replicas} for number, replicas in targets.items()]
    _carry_out(server, folder, json.dumps({"version": 1, "partitions": rows}))


def _carry_out(server: str, folder: Path, plan: str) -> None:
    path = folder / "plan.json"
    path.write_text(plan)
    words = ("--reassignment-json-file", str(path))
    assert "Successfully started" in says("kafka-reassign-partitions", server, "--execute", "--throttle", "50000000", *words)
    until(lambda: says("kafka-reassign-partitions", server, "--verify", *words).count("is completed.") == 6)
