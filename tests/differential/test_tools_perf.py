"""kafka-producer-perf-test and kafka-consumer-perf-test beside Apache Kafka's own, on the same node: lines, complaints, exit status; measured numbers apart."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.differential.tools import Outcome, by_barnabas, by_both, quickly_by_both

if TYPE_CHECKING:
    from pathlib import Path

    from tests.nodes import Node

pytestmark = pytest.mark.apache
PRODUCER, CONSUMER = "kafka-producer-perf-test", "kafka-consumer-perf-test"
_MEASURED = re.compile(r"(?<![\w.-])(\d+(\.\d+)?|NaN)(?= (records/sec|MB/sec|ms))")


@pytest.fixture(scope="module", params=["apache", pytest.param("barnabas", marks=pytest.mark.node)])
def node(request: pytest.FixtureRequest) -> Node:
    found: Node = request.getfixturevalue(f"{request.param}_node")
    return found


@pytest.fixture(scope="module")
def topic(node: Node) -> str:
    name = f"perf-{uuid.uuid4().hex[:6]}"
    done = by_barnabas("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", name, "--partitions", "2")
    assert done.status == 0, done
    return name


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("perf")
    (folder / "lines.txt").write_text("one\ntwo\nthree and more\n")
    (folder / "stars.txt").write_text("a**bb**ccc")
    (folder / "empty.txt").write_text("")
    (folder / "client.properties").write_text("linger.ms=1\n")
    return folder


def _masked(outcome: Outcome) -> Outcome:
    complaints = tuple(line for line in outcome.complaints if "(org.apache.kafka.clients." not in line)
    return outcome._replace(output=_MEASURED.sub("#", outcome.output), complaints=complaints)


@pytest.mark.parametrize(
    "arguments",
    [
        "--record-size 100 --throughput -1",
        "--record-size 10 --throughput 100000 --warmup-records 20",
        "--record-size 1 --throughput -1 --command-property acks=1 linger.ms=0 batch.size=100",
        "--record-size 50 --throughput -1 --command-property compression.type=lz4 enable.idempotence=false",
        "--payload-monotonic --throughput -1 --command-config {d}/client.properties",
        "--payload-file {d}/lines.txt --throughput -1 --producer-props acks=all",
        "--payload-file {d}/stars.txt --payload-delimiter \\*\\* --throughput -1 --producer.config {d}/client.properties",
        "--record-size 10 --throughput -1 --command-property acks=0",
        "--record-size 2000000 --throughput -1 --num-records 2",
    ],
)
def test_producing(node: Node, topic: str, files: Path, arguments: str) -> None:
    words = arguments.format(d=files).split()
    theirs, ours = by_both(PRODUCER, "--bootstrap-server", node.bootstrap, "--topic", topic, "--num-records", "100", *words)
    assert _masked(ours) == _masked(theirs)
    assert theirs.status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--help",
        "--topic t",
        "--topic t --num-records 5 --throughput -1",
        "--topic t --num-records 5 --throughput -1 --record-size 5",
        "--topic t --num-records 0 --throughput -1 --record-size 5 --bootstrap-server {n}",
        "--topic t --num-records 5 --throughput -1.5 --record-size 5 --bootstrap-server {n}",
        "--topic t --num-records x --throughput -1 --record-size 5 --bootstrap-server {n}",
        "--topic t --num-records 5 --throughput fast --record-size 5 --bootstrap-server {n}",
        "--topic t --num-records 5 --throughput -1 --record-size 0 --bootstrap-server {n}",
        "--topic t --num-records 5 --throughput -1 --record-size 5 --warmup-records 5 --bootstrap-server {n}",
        "--topic t --num-records 5 --throughput -1 --record-size 5 --reporting-interval 0 --bootstrap-server {n}",
        "--topic t --num-records 5 --throughput -1 --record-size 5 --transaction-duration-ms 0 --bootstrap-server {n}",
        "--topic t --num-records 5 --throughput -1 --record-size 5 --payload-monotonic --bootstrap-server {n}",
        "--topic t --num-records 5 --throughput -1 --record-size 5 --command-property a=b --producer-props c=d",
        "--topic t --num-records 5 --throughput -1 --record-size 5 --command-config a --producer.config c",
        "--topic t --num-records 5 --throughput -1 --record-size 5 --command-property acks --bootstrap-server {n}",
        "--topic t --num-records 5 --throughput -1 --payload-file {d}/none.txt --bootstrap-server {n}",
        "--topic t --num-records 5 --throughput -1 --payload-file {d}/empty.txt --bootstrap-server {n}",
        "--topic t --num-records 5 --throughput -1 --record-size 5 --command-config {d}/none.properties",
        "--topic t --num-records 5 --throughput -1 --record-size 5 --bootstrap-server no.such.host.invalid:9092",
        "--topic t --num-records 5 --throughput -1 --record-size 5 --broker-list {n}",
        "--topic t --num-records 5 --throughput -1 --record-size 5 --bootstrap-server {n} --command-property acks=7",
        "--topic t --num-records 5 --throughput -1 --record-size 5 --bootstrap-server {n} --command-property compression.type=zip",
        "--topic t --num-records 5 --throughput -1 --record-size 5 --bootstrap-server {n} --command-property batch.size=x",
        "--topic t/t --num-records 1 --throughput -1 --record-size 5 --bootstrap-server {n}",
    ],
)
def test_producers_refused(apache_node: Node, files: Path, arguments: str) -> None:
    words = arguments.format(n=apache_node.bootstrap, d=files).split()
    theirs, ours = quickly_by_both(PRODUCER, *words)
    if "usage" in ours.output:  # the help page, whose texts are ours
        ours, theirs = (Outcome(one.status, one.output.partition("\n\n")[0], one.complaints) for one in (ours, theirs))
    assert _masked(ours) == _masked(theirs)
