"""The smaller administrators' tools against the same node as Apache Kafka's own: same output, same complaints, same exit status."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from barnabas.client.admin import topics
from barnabas.client.cluster import Cluster
from barnabas.client.producer import Producer
from tests import nodes
from tests.apache import release
from tests.differential.tools import CLASSES, Outcome, by_apache, by_both, by_both_alike, by_each, in_this_process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.nodes import Node

pytestmark = pytest.mark.apache


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
    words = ("--bootstrap-server", node.bootstrap, "--offset-json-file", str(path))
    theirs, ours = by_both_alike("kafka-delete-records", *words, shown=_in_order)
    assert ours == theirs


def _in_order(outcome: Outcome) -> Outcome:
    """Apache's tool lists what Java's `Map.of` makes, whose order is another one in every process."""
    return outcome._replace(output="\n".join(sorted(outcome.output.split("\n"))), complaints=tuple(sorted(outcome.complaints)))


def test_records_of_nothing(node: Node, prefix: str, tmp_path: Path) -> None:
    """Apache's tool looks for the partition until its time is over; ours doesn't."""
    path = tmp_path / "plan.json"
    path.write_text(_plan((f"{prefix}-one", 7, 0)))
    settings = tmp_path / "client.properties"
    settings.write_text("default.api.timeout.ms=300\nrequest.timeout.ms=200\n")
    words = ("--bootstrap-server", node.bootstrap, "--offset-json-file", str(path))
    theirs = by_apache("kafka-delete-records", *words, "--command-config", str(settings))
    ours = in_this_process("kafka-delete-records", *words)
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
    theirs, ours = by_both_alike("kafka-log-dirs", "--bootstrap-server", node.bootstrap, *arguments.format(p=prefix).split())
    assert ours == theirs


# --- kafka-broker-api-versions


@pytest.mark.parametrize("arguments", ["", "--command-config /nonexistent", "--nonsense"])
def test_broker_api_versions(node: Node, arguments: str) -> None:
    theirs, ours = by_both_alike("kafka-broker-api-versions", "--bootstrap-server", node.bootstrap, *arguments.split())
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
    theirs, ours = by_both_alike("kafka-leader-election", "--bootstrap-server", node.bootstrap, *arguments.format(p=prefix).split())
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
    theirs, ours = by_both_alike("kafka-leader-election", *words)
    assert ours == theirs


# --- kafka-cluster, kafka-features, kafka-metadata-quorum


def _addressed(node: Node, arguments: str) -> list[str]:
    controller = next(listener for listener in node.properties["listeners"].split(",") if listener.startswith("CONTROLLER"))
    return arguments.format(b=node.bootstrap, c=controller.partition("://")[2], file=node.properties_file).split()


@pytest.mark.parametrize(
    "arguments",
    [
        "kafka-cluster cluster-id --bootstrap-server {b}",
        "kafka-cluster cluster-id --bootstrap-controller {c}",
        "kafka-cluster cluster-id -b={b} --config /nonexistent",
        "kafka-cluster cluster-id -b={b} --config x -c y",
        "kafka-cluster cluster-id -b nonsense",
        "kafka-cluster list-endpoints -b {b}",
        "kafka-cluster list-endpoints -b {b} --include-fenced-brokers",
        "kafka-cluster list-endpoints -C {c}",
        "kafka-cluster list-endpoints -C {c} --include-fenced-brokers",
        "kafka-cluster unregister -b {b} --id 77",
        "kafka-cluster unregister -b {b} --id -1",
        "kafka-cluster unregister -C {c} --id 77",
        "kafka-features --bootstrap-server {b} describe",
        "kafka-features --bootstrap-controller {c} describe",
        "kafka-features --bootstrap-server {b} describe --node-id 1",
        "kafka-features --bootstrap-server {b} describe --node-id -1",
        "kafka-features --bootstrap-server {b} upgrade",
        "kafka-features --bootstrap-server {b} upgrade --feature metadata.version=30",
        "kafka-features --bootstrap-server {b} upgrade --feature metadata.version=99 --dry-run",
        "kafka-features --bootstrap-server {b} upgrade --feature nonsense=1 --feature metadata.version=30",
        "kafka-features --bootstrap-server {b} upgrade --feature kraft.version=1 --dry-run",
        "kafka-features --bootstrap-server {b} upgrade --feature kraft.version=9",
        "kafka-features --bootstrap-server {b} upgrade --feature share.version=0",
        "kafka-features --bootstrap-server {b} upgrade --feature =1",
        "kafka-features --bootstrap-server {b} upgrade --release-version 4.3 --dry-run",
        "kafka-features --bootstrap-server {b} upgrade --metadata 4.0 --dry-run",
        "kafka-features --bootstrap-controller {c} upgrade --feature group.version=1 --dry-run",
        "kafka-features --bootstrap-server {b} downgrade --release-version 4.0 --dry-run",
        "kafka-features --bootstrap-server {b} downgrade --feature metadata.version=24 --dry-run",
        "kafka-features --bootstrap-server {b} downgrade --feature metadata.version=24 --unsafe --dry-run",
        "kafka-features --bootstrap-server {b} downgrade --feature group.version=0 --dry-run",
        "kafka-features --bootstrap-server {b} disable --feature streams.version --feature kraft.version --dry-run",
        "kafka-features --bootstrap-server {b} disable --feature a --feature a",
        "kafka-features --bootstrap-server {b} disable",
        "kafka-features --bootstrap-server {b} upgrade --feature x=99999",
        "kafka-features --bootstrap-server {b} upgrade --metadata nonsense",
        "kafka-features --bootstrap-server {b} upgrade --metadata 4.0 --release-version 4.0",
        "kafka-features --bootstrap-server {b} upgrade --release-version nonsense",
        "kafka-features --bootstrap-server {b} describe --node-id x",
        "kafka-features --bootstrap-server {b} upgrade --feature a=-1",
        "kafka-metadata-quorum --bootstrap-server {b} describe --status",
        "kafka-metadata-quorum --bootstrap-controller {c} describe --status",
        "kafka-metadata-quorum --bootstrap-server {b} describe",
        "kafka-metadata-quorum --bootstrap-server {b} describe --status --replication",
        "kafka-metadata-quorum --bootstrap-server {b} describe --status --human-readable",
        "kafka-metadata-quorum --bootstrap-server {b} --command-config /nonexistent describe --status",
        "kafka-metadata-quorum --bootstrap-server {b} add-controller",
        "kafka-metadata-quorum --bootstrap-server {b} --command-config {file} add-controller --dry-run",
        "kafka-metadata-quorum --bootstrap-server {b} remove-controller -i 1 -d AAAAAAAAAAAAAAAAAAAAAQ --dry-run",
        "kafka-metadata-quorum --bootstrap-server {b} remove-controller -i 9 -d AAAAAAAAAAAAAAAAAAAAAg",
        "kafka-metadata-quorum --bootstrap-server {b} remove-controller -i=-1 -d AAAAAAAAAAAAAAAAAAAAAQ",
    ],
)
def test_cluster_tools(node: Node, arguments: str) -> None:
    theirs, ours = by_both_alike(*_addressed(node, arguments), shown=_settled)
    assert ours == theirs


@pytest.mark.parametrize(
    "arguments",
    [
        "kafka-cluster cluster-id -b {c}",
        "kafka-cluster cluster-id -C {b}",
        "kafka-features --bootstrap-server {c} describe",
        "kafka-features --bootstrap-controller {b} upgrade --feature group.version=1",
        "kafka-metadata-quorum --bootstrap-server {c} describe --status",
        "kafka-log-dirs --bootstrap-server {c} --describe",
        "kafka-leader-election --bootstrap-server {c} --election-type preferred --all-topic-partitions",
    ],
)
def test_the_wrong_port(node: Node, arguments: str) -> None:
    """A controller's for a broker's, and the other way round: the same end, without the log of the attempts before."""
    theirs, ours = by_both(*_addressed(node, arguments))
    assert (ours.status, ours.output) == (theirs.status, theirs.output)
    assert ours.complaints == theirs.complaints[-len(ours.complaints) :]


def _settled(outcome: Outcome) -> Outcome:
    """Without where the quorum's log ends at the moment; the epoch of finalized features is such an offset, too."""
    return outcome._replace(output=re.sub(r"(?<=HighWatermark:)( +)\d+|(?<=\sEpoch:)( )\d+", r"\1\2N", outcome.output))


def test_replication(node: Node) -> None:
    """The same table, of another moment."""
    for more in ((), ("--human-readable",)):
        theirs, ours = by_both("kafka-metadata-quorum", "--bootstrap-server", node.bootstrap, "describe", "--replication", *more)
        shapes = [re.sub(r"(?<![\w-])\d+(?![\w-])", "N", re.sub(r"[ \t]+", " ", outcome.output)) for outcome in (ours, theirs)]
        assert shapes[0] == shapes[1]
        assert (ours.status, ours.complaints) == (theirs.status, theirs.complaints) == (0, ())
        tabs, theirs_tabs = ([line.count("\t") for line in outcome.output.split("\n")] for outcome in (ours, theirs))
        assert tabs == theirs_tabs


@pytest.mark.parametrize(
    "arguments",
    [
        "kafka-cluster",
        "kafka-cluster -h",
        "kafka-cluster cluster-id",
        "kafka-cluster cluster-id -h",
        "kafka-cluster unregister --help",
        "kafka-cluster nonsense",
        "kafka-cluster --nonsense",
        "kafka-cluster cluster-id x",
        "kafka-cluster cluster-id --nonsense",
        "kafka-cluster cluster-id --bootstrap-server a:1 --bootstrap-controller b:1",
        "kafka-cluster unregister -b a:1",
        "kafka-cluster unregister -b a:1 --id",
        "kafka-cluster unregister -b a:1 --id x",
        "kafka-cluster unregister --id 1",
        "kafka-features",
        "kafka-features -h",
        "kafka-features describe",
        "kafka-features describe -h",
        "kafka-features upgrade -h",
        "kafka-features --bootstrap-server a:1",
        "kafka-features --bootstrap-server a:1 --bootstrap-controller b:1 describe",
        "kafka-features --bootstrap-server a:1 nonsense",
        "kafka-features --bootstrap-server",
        "kafka-features --nonsense describe",
        "kafka-features --bootstrap-server nonsense describe",
        "kafka-features --command-config /nonexistent describe",
        "kafka-features version-mapping",
        "kafka-features version-mapping --release-version 3.7",
        "kafka-features version-mapping --release-version 4.0-IV3",
        "kafka-features version-mapping --release-version 4.4",
        "kafka-features feature-dependencies",
        "kafka-features feature-dependencies --feature transaction.version=2 --feature metadata.version=17 --feature group.version=1",
        "kafka-features feature-dependencies --feature eligible.leader.replicas.version=1",
        "kafka-features feature-dependencies --feature transaction.version=9",
        "kafka-features feature-dependencies --feature metadata.version=99",
        "kafka-features feature-dependencies --feature nonsense=1",
        "kafka-features feature-dependencies --feature nonsense",
        "kafka-metadata-quorum",
        "kafka-metadata-quorum -h",
        "kafka-metadata-quorum describe",
        "kafka-metadata-quorum describe -h",
        "kafka-metadata-quorum --bootstrap-server a:1",
        "kafka-metadata-quorum --bootstrap-server a:1 nonsense",
        "kafka-metadata-quorum --bootstrap-server a:1 --bootstrap-controller b:1 describe",
        "kafka-metadata-quorum --bootstrap-server a:1 remove-controller",
        "kafka-metadata-quorum --bootstrap-server a:1 remove-controller -i x -d y",
        "kafka-metadata-quorum describe --status --bootstrap-server a:1",
        "kafka-storage",
        "kafka-storage -h",
        "kafka-storage info",
        "kafka-storage info -h",
        "kafka-storage format -h",
        "kafka-storage version-mapping -h",
        "kafka-storage feature-dependencies --help",
        "kafka-storage random-uuid -h",
        "kafka-storage nonsense",
        "kafka-storage --nonsense",
        "kafka-storage info -c",
        "kafka-storage format -c x",
        "kafka-storage format -t y",
        "kafka-storage format -c x -t y -sN",
        "kafka-storage format -c x -t y -s -N",
        "kafka-storage format -c x -t y --standalone --initial-controllers a",
        "kafka-storage format -c x -t y --standalone=1",
        "kafka-storage format --i x -c x -t y",
        "kafka-storage format --nonsense -c x",
        "kafka-storage format -c x -t y z",
        "kafka-storage version-mapping -r",
        "kafka-storage version-mapping -r 3.7",
        "kafka-storage feature-dependencies",
        "kafka-storage feature-dependencies -f",
        "kafka-storage feature-dependencies -f group.version=1 -f metadata.version=7",
    ],
)
def test_command_lines(arguments: str) -> None:
    theirs, ours = by_both(*arguments.split())
    assert _without_help(ours) == _without_help(theirs)


def _without_help(outcome: Outcome) -> Outcome:
    """Of a help page its usage, and which options it has in which order."""
    usage, page, rest = outcome.output.partition("optional arguments:\n")
    usage = usage if not page else usage.partition("\n\n")[0]
    return outcome._replace(
        output=usage + page + "\n".join(re.split(r"\s{2,}", line[2:])[0] for line in rest.split("\n") if re.match(r"  -|\w", line))
    )


CONTROLLER = {
    "node.id": "3",
    "process.roles": "controller",
    "controller.listener.names": "CONTROLLER,OTHER",
    "listeners": "CONTROLLER://:9093, OTHER://[::1]:9094",
    "advertised.listeners": "controller://host:19093",
    "log.dirs": "{directory},/elsewhere",
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"metadata.log.dir": "/nonexistent"},
        {"node.id": None},
        {"node.id": "-1"},
        {"node.id": "x"},
        {"process.roles": "broker"},
        {"log.dirs": None},
        {"controller.listener.names": None},
        {"controller.listener.names": "NOTHING"},
        {"listeners": "nonsense"},
        {"advertised.listeners": None},
    ],
)
def test_a_controller_to_add(node: Node, tmp_path: Path, changes: dict[str, str | None]) -> None:
    (tmp_path / "meta.properties").write_text("version=1\ncluster.id=AAAAAAAAAAAAAAAAAAAAAQ\nnode.id=3\ndirectory.id=CqcOsQCwTWCoJOXwkvfzVQ\n")
    given = {key: value.format(directory=tmp_path) for key, value in {**CONTROLLER, **changes}.items() if value is not None}
    path = nodes.write_properties(tmp_path / "controller.properties", given)
    words = ("--bootstrap-server", node.bootstrap, "--command-config", str(path), "add-controller", "--dry-run")
    theirs, ours = by_both_alike("kafka-metadata-quorum", *words)
    assert ours == theirs


# --- kafka-replica-verification


def test_replica_verification(node: Node, prefix: str) -> None:
    """Both report, until they are stopped, how far the only replica of each partition is behind itself."""
    words = [
        "--broker-list",
        node.bootstrap,
        "--topics-include",
        f"{prefix}-[ab]",
        "--time",
        "-2",
        "--report-interval-ms",
        "50",
        "--max-wait-ms",
        "20",
    ]
    apache = release.java_command(CLASSES["kafka-replica-verification"], words)
    barnabas = [sys.executable, "-m", "barnabas.cli.kafka", "kafka-replica-verification", *words]
    reports = []
    for command in (apache, barnabas):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            process.kill()
        reports.append([re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}: ", "", line) for line in lines])
    assert reports[1] == reports[0]
    assert reports[0][0] == "verification process is started\n"
    assert reports[0][1].startswith("max lag is 0 for partition")


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--broker-list nonsense",
        "--broker-list {b} --topics-include [",
        "--broker-list {b} --topics-include nothing",
        "--broker-list {b} --time x",
    ],
)
def test_replica_verification_refuses(node: Node, arguments: str) -> None:
    theirs, ours = by_both("kafka-replica-verification", *arguments.format(b=node.bootstrap).split())
    assert ours == theirs


# --- without a node


@pytest.mark.parametrize("tool", ["kafka-delete-records", "kafka-log-dirs", "kafka-broker-api-versions", "kafka-leader-election"])
@pytest.mark.parametrize("arguments", ["", "--help", "--version", "--nonsense", "--bootstrap-server", "--bootstrap-server nonsense --describe"])
def test_without_a_node(tool: str, arguments: str) -> None:
    theirs, ours = by_both(tool, *arguments.split())
    assert ours == theirs
