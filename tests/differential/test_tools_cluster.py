"""The tools' views of a whole cluster, by Apache Kafka's tools and by ours on three nodes of either engine: all of them up, then one of them stopped."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from barnabas.client.admin import quorum, reassignments, topics
from barnabas.client.cluster import Cluster, Partition
from barnabas.client.consumer import Consumer, ConsumerSettings
from barnabas.client.group import GroupSettings
from barnabas.client.producer import Producer
from tests.differential import trio
from tests.differential.tools import Outcome, by_apache, by_both_alike, in_this_process
from tests.seeds import commands, rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.differential.trio import Trio

pytestmark = pytest.mark.apache
PATIENCE_S = 60.0

_MOVING = (
    (re.compile(r"\b1[67]\d{11}\b"), "TIME"),
    (re.compile(r"\d+ ms ago"), "N ms ago"),
    (re.compile(r"((?:HighWatermark|MaxFollowerLag|MaxFollowerLagTimeMs): +)-?\d+"), r"\1N"),
    (re.compile(r"\t\d+ +\t-?\d+ +\t(TIME|N ms ago)"), r"\tOFFSET\tLAG\t\1"),
    (re.compile(r" +\t"), "\t"),
    (re.compile(r"(Epoch: )\d+"), r"\1N"),
    (re.compile(r'"(size|offsetLag)":\d+'), r'"\1":N'),
)
"""What goes on while the two tools look."""


def still(outcome: Outcome) -> Outcome:
    output = outcome.output
    for pattern, replacement in _MOVING:
        output = pattern.sub(replacement, output)
    if " -> (\n" in output:  # kafka-broker-api-versions: brokers come in the order of a hash, and by lot where hashes meet
        output = "\n)\n".join(sorted(output.split("\n)\n")))
    return outcome._replace(output=output)


@pytest.fixture(scope="module")
def prefix(three: Trio) -> str:
    """Topics `-all` (three replicas each, min.insync.replicas=3), `-two` (two), `-one` (one), and a group on `-all`."""
    name = f"views-{uuid.uuid4().hex[:6]}"
    asyncio.run(asyncio.wait_for(_furnish(three.bootstrap, name), PATIENCE_S))
    return name


async def _furnish(bootstrap: str, name: str) -> None:
    async with Cluster(bootstrap) as cluster:
        made = [
            topics.NewTopic(f"{name}-all", assignments={0: [1, 2, 3], 1: [2, 3, 1], 2: [3, 1, 2]}, configs={"min.insync.replicas": "3"}),
            topics.NewTopic(f"{name}-two", assignments={0: [1, 2], 1: [2, 3], 2: [3, 1]}, configs={"min.insync.replicas": "2"}),
            topics.NewTopic(f"{name}-one", assignments={0: [1], 1: [2], 2: [3]}),
        ]
        assert not any((await topics.create(cluster, made)).values())
        producer = Producer(cluster)
        sent = [await producer.send(f"{name}-{end}", b"%d" % number, partition=number % 3) for number in range(30) for end in ("all", "two", "one")]
        await producer.close()
        await asyncio.gather(*sent)
        consumer = Consumer(cluster, ConsumerSettings(group=GroupSettings(f"{name}-group"), auto_offset_reset="earliest"))
        consumer.subscribe(lambda topic: topic == f"{name}-all", names=[f"{name}-all"])
        read = 0
        while read < 30:
            read += len(await consumer.poll(1000))
        await consumer.close()


VIEWS = [
    "kafka-topics {b} --describe",
    "kafka-topics {b} --describe --under-replicated-partitions",
    "kafka-topics {b} --describe --under-min-isr-partitions",
    "kafka-topics {b} --describe --at-min-isr-partitions",
    "kafka-topics {b} --describe --unavailable-partitions",
    "kafka-topics {b} --describe --topic {p}-all --under-replicated-partitions",
    "kafka-log-dirs {b} --describe --topic-list {p}-all,{p}-two",
    "kafka-log-dirs {b} --describe --broker-list 1,2,3 --topic-list {p}-one",
    "kafka-log-dirs {b} --describe --broker-list 2,1",
    "kafka-broker-api-versions {b}",
    "kafka-cluster cluster-id {b}",
    "kafka-cluster cluster-id {c}",
    "kafka-cluster list-endpoints {b}",
    "kafka-cluster list-endpoints {c}",
    "kafka-cluster list-endpoints {b} --include-fenced-brokers",
    "kafka-cluster unregister {b} --id 77",
    "kafka-cluster unregister {c} --id 77",
    "kafka-features {b} describe",
    "kafka-features {c} describe",
    "kafka-features {b} describe --node-id 2",
    "kafka-features {c} describe --node-id 1",
    "kafka-features {b} downgrade --metadata 3.9 --dry-run",
    "kafka-get-offsets {b} --topic-partitions {p}-all:0-2,{p}-two",
    "kafka-get-offsets {b} --topic {p}-.* --time -2 --partitions 0,1",
    "kafka-consumer-groups {b} --list",
    "kafka-consumer-groups {b} --describe --group {p}-group",
    "kafka-consumer-groups {b} --describe --group {p}-group --state",
    "kafka-consumer-groups {b} --describe --all-groups --members --verbose",
    "kafka-consumer-groups {b} --reset-offsets --group {p}-group --all-topics --to-earliest --dry-run",
    "kafka-metadata-quorum {b} describe --status",
    "kafka-metadata-quorum {c} describe --status",
    "kafka-metadata-quorum {b} describe --replication",
    "kafka-metadata-quorum {b} describe --replication --human-readable",
    "kafka-metadata-quorum {b} remove-controller -i 9 -d AAAAAAAAAAAAAAAAAAAAAQ",
    "kafka-configs {b} --describe --entity-type brokers",
    "kafka-configs {b} --describe --entity-type brokers --entity-name 2 --all",
    "kafka-configs {c} --describe --entity-type brokers --entity-name 1 --all",
    "kafka-leader-election {b} --election-type preferred --all-topic-partitions",
    "kafka-leader-election {b} --election-type unclean --all-topic-partitions",
    "kafka-leader-election {b} --election-type preferred --topic {p}-all --partition 1",
    "kafka-leader-election {b} --election-type preferred --path-to-json-file {j}",
    "kafka-leader-election {b} --election-type unclean --path-to-json-file {j}",
    "kafka-leader-election {b} --election-type preferred --topic {p}-one --partition 2",
    "kafka-leader-election {b} --election-type unclean --topic {p}-one --partition 2",
]


class Words:
    """Commands of VIEWS with what stands for their letters; only nodes that stay up are named."""

    def __init__(self, three: Trio, prefix: str, file: Path) -> None:
        brokers = ",".join(node.bootstrap for node in three.nodes[:2])
        controllers = ",".join(map(trio.controller_of, three.nodes[:2]))
        file.write_text(
            json.dumps({"partitions": [{"topic": f"{prefix}-{end}", "partition": number} for end in ("all", "one") for number in range(3)]})
        )
        self.letters = {"b": f"--bootstrap-server {brokers}", "c": f"--bootstrap-controller {controllers}", "p": prefix, "j": str(file)}

    def of(self, view: str) -> list[str]:
        return view.format(**self.letters).split()


@pytest.fixture
def words(three: Trio, prefix: str, tmp_path: Path) -> Words:
    return Words(three, prefix, tmp_path / "partitions.json")


@pytest.mark.parametrize("view", VIEWS)
def test_all_up(words: Words, view: str) -> None:
    theirs, ours = by_both_alike(*words.of(view), shown=still)
    assert ours == theirs


def test_a_voter_goes_and_comes_back(three: Trio) -> None:
    """By each tool in turn. It isn't the active controller; its node runs on, and follows as an observer meanwhile."""

    async def voters() -> tuple[int, set[int]]:
        async with Cluster(three.bootstrap) as cluster:
            found = await quorum.describe(cluster)
            return found.leader_id, {voter.replica_id for voter in found.voters}

    index = 1 if asyncio.run(voters())[0] == 3 else 2
    server = ("--bootstrap-server", three.bootstrap)
    remove = (*server, "remove-controller", "--controller-id", str(index + 1), "--controller-directory-id", three.directory_ids[index])
    add = (*server, "--command-config", str(three.nodes[index].properties_file), "add-controller")
    said = []
    for run in (by_apache, in_this_process):
        said.append([run("kafka-metadata-quorum", *remove, "--dry-run"), run("kafka-metadata-quorum", *remove)])
        assert index + 1 not in asyncio.run(voters())[1]
        said[-1] += [run("kafka-metadata-quorum", *remove), run("kafka-metadata-quorum", *add, "--dry-run"), run("kafka-metadata-quorum", *add)]
        assert index + 1 in asyncio.run(voters())[1]
        said[-1].append(run("kafka-metadata-quorum", *add))
    theirs, ours = said
    assert ours == theirs
    assert [outcome.status for outcome in ours] == [0, 0, 1, 0, 0, 1]


def test_leaders_go_home(three: Trio, tmp_path: Path) -> None:
    """By each tool, two partitions whose first replica doesn't lead: by name, then by file, where one of them is in place already."""
    name = f"home-{uuid.uuid4().hex[:6]}"
    said = []
    for run, end in ((by_apache, "a"), (in_this_process, "b")):
        topic = f"{name}-{end}"
        asyncio.run(asyncio.wait_for(_leaders_away(three, topic), PATIENCE_S))
        path = tmp_path / f"{end}.json"
        path.write_text(json.dumps({"partitions": [{"topic": topic, "partition": number} for number in (0, 1)]}))
        start = ("--bootstrap-server", three.bootstrap, "--election-type", "preferred")
        done = [
            run("kafka-leader-election", *start, "--topic", topic, "--partition", "0"),
            run("kafka-leader-election", *start, "--path-to-json-file", str(path)),
        ]
        said.append([outcome._replace(output=outcome.output.replace(topic, "T")) for outcome in done])
    theirs, ours = said
    assert ours == theirs
    assert ours[0] == Outcome(0, "Successfully completed leader election (PREFERRED) for partitions T-0\n", ())
    assert "Valid replica already elected for partitions T-0" in ours[1].output


async def _leaders_away(three: Trio, topic: str) -> None:
    """A topic of two partitions on brokers 1 and 2, led by 1, whose first replica is then 2."""
    async with Cluster(three.bootstrap) as cluster:
        assert await topics.create(cluster, [topics.NewTopic(topic, assignments={0: [1, 2], 1: [1, 2]})]) == {topic: None}
        keys = [(topic, 0), (topic, 1)]
        while any((await reassignments.alter(cluster, dict.fromkeys(keys, (2, 1)))).values()):
            await asyncio.sleep(0.05)
        while any((place.leader, place.replicas) != (1, (2, 1)) for place in await _partitions(cluster, topic)):
            await asyncio.sleep(0.05)


async def _partitions(cluster: Cluster, topic: str) -> list[Partition]:
    await cluster.refresh([topic])
    known = cluster.topics.get(topic)
    return list(known.partitions.values()) if known else [Partition(0, -1, -1, (), ())]


@pytest.fixture(scope="module")
def without_the_third(three: Trio) -> Iterator[None]:
    three.nodes[2].stop()
    three.wait_for([1, 2])
    yield
    three.nodes[2].spawn()
    three.wait_for([1, 2, 3])


@pytest.mark.usefixtures("without_the_third")
@pytest.mark.parametrize("view", VIEWS)
def test_one_stopped(words: Words, view: str) -> None:
    theirs, ours = by_both_alike(*words.of(view), shown=still)
    assert ours == theirs
    if "--unavailable" in view:
        assert f"\tTopic: {words.letters['p']}-one\tPartition: 2\tLeader: none" in ours.output


@pytest.mark.usefixtures("without_the_third")
@pytest.mark.parametrize(
    "view",
    [
        "kafka-get-offsets {b} --topic {p}-.* --command-config {s}",
        "kafka-log-dirs {b} --describe --broker-list 1,3 --command-config {s}",
        "kafka-configs {b} --describe --entity-type brokers --entity-name 3 --command-config {s}",
        "kafka-configs {b} --describe --entity-type brokers --entity-name 3 --all --command-config {s}",
    ],
)
def test_what_only_the_stopped_one_knows(words: Words, tmp_path: Path, view: str) -> None:
    """Waited for as long as the settings say. Of a partition without a leader our tool says that, Apache's only that the time is over."""
    settings = tmp_path / "client.properties"
    settings.write_text("default.api.timeout.ms=1200\nrequest.timeout.ms=600\n")
    words.letters["s"] = str(settings)
    theirs, ours = by_both_alike(*words.of(view), shown=_without_reason)
    assert ours == theirs


def _without_reason(outcome: Outcome) -> Outcome:
    return outcome._replace(complaints=tuple(re.sub(r"(due to error: ).*", r"\1...", line) for line in outcome.complaints))


@pytest.mark.node
@pytest.mark.parametrize("row_id", ["topics-create-rf3", "topics-create-high-throughput", "topics-create-compacted"])
def test_the_documents_topics(three_barnabas: Trio, row_id: str) -> None:
    """Each replica of a partition lies on a broker of its own, so in a rack of its own."""
    row = rows.rows()[row_id]
    place = commands.Place(three_barnabas.nodes[0].bootstrap, "", "", 0)
    done = commands.run(row["run"], place)
    assert (done.status, done.complaint) == (0, "")
    name = row["run"].split("--topic ")[1].split()[0]
    assert done.output == f"Created topic {name}.\n"
    wanted = int(row["run"].split("--partitions ")[1].split()[0])
    described: list[str] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(described) != wanted:  # each broker learns of a new topic by itself
        assert time.monotonic() < deadline, described
        described = commands.run(f"kafka-topics.sh --bootstrap-server localhost:9092 --describe --topic {name}", place).output.splitlines()[1:]
    assert all(sorted(line.split("Replicas: ")[1].split("\t")[0].split(",")) == ["1", "2", "3"] for line in described)
