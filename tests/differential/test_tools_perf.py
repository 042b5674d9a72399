"""kafka-producer-perf-test and kafka-consumer-perf-test beside Apache Kafka's own, on the same node: lines, complaints, exit status; measured numbers apart."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.differential.tools import ATTEMPTS, Outcome, by_both, by_both_alike, in_this_process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.nodes import Node

pytestmark = pytest.mark.apache
PRODUCER, CONSUMER = "kafka-producer-perf-test", "kafka-consumer-perf-test"
_MEASURED = re.compile(r"(?<![\w.-])(\d+(\.\d+)?|NaN)(?= (records/sec|MB/sec|ms))")


@pytest.fixture(scope="module")
def topic(node: Node) -> str:
    name = f"perf-{uuid.uuid4().hex[:6]}"
    done = in_this_process("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", name, "--partitions", "2")
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
    theirs, ours = by_both_alike(PRODUCER, "--bootstrap-server", node.bootstrap, "--topic", topic, "--num-records", "100", *words, shown=_masked)
    assert ours == theirs
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
    theirs, ours = by_both(PRODUCER, *words)
    if "usage" in ours.output:  # the help page, whose texts are ours
        ours, theirs = (Outcome(one.status, one.output.partition("\n\n")[0], one.complaints) for one in (ours, theirs))
    assert _masked(ours) == _masked(theirs)


_TIMES = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3}")


@pytest.fixture(scope="module")
def filled(node: Node) -> str:
    """A topic of one partition with 1200 records of 10 bytes, all but the first 700 of them compressed."""
    name = f"filled-{uuid.uuid4().hex[:6]}"
    server = ("--bootstrap-server", node.bootstrap)
    assert in_this_process("kafka-topics", *server, "--create", "--topic", name, "--partitions", "1").status == 0
    for count, more in (("700", ()), ("500", ("--command-property", "compression.type=zstd"))):
        done = in_this_process(PRODUCER, *server, "--topic", name, "--num-records", count, "--record-size", "10", "--throughput", "-1", *more)
        assert done.output.startswith(f"{count} records sent"), done
    return name


def _columns(outcome: Outcome) -> Outcome:
    """Without times and what is computed of them; the data that was consumed stays."""
    lines = []
    for line in outcome.output.splitlines():
        cells = line.split(", ")
        if len(cells) == 10 and cells[2][0].isdigit():
            cells = [_TIMES.sub("TIME", cells[0]), _TIMES.sub("TIME", cells[1]), cells[2], "#", cells[4], "#", "#", "#", "#", "#"]
        lines.append(", ".join(cells))
    return _masked(outcome)._replace(output="\n".join(lines))


@pytest.mark.parametrize(
    "arguments",
    [
        "--num-records 1200",
        "--num-records 900",
        "--num-records 100 --hide-header",
        "--messages 700 --fetch-size 1000",
        "--num-records 1200 --consumer.config {d}/client.properties --date-format yyyyMMdd",
        "--num-records 0",
        "--num-records 1300 --timeout 1500",
        "--num-records 100 --from-latest --timeout 500",
        "--num-records 1200 --show-detailed-stats",
    ],
)
def test_consuming(node: Node, filled: str, files: Path, arguments: str) -> None:
    words = ("--bootstrap-server", node.bootstrap, "--topic", filled, *arguments.format(d=files).split())
    theirs, ours = by_both_alike(CONSUMER, *words, shown=_columns)
    assert ours == theirs
    assert theirs.status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--help",
        "--topic t --num-records 5",
        "--bootstrap-server {n} --num-records 5",
        "--bootstrap-server {n} --topic t --include t --num-records 5",
        "--bootstrap-server {n} --topic t",
        "--bootstrap-server {n} --topic t --num-records 5 --messages 5",
        "--bootstrap-server {n} --topic t --num-records 5 --consumer.config a --command-config b",
        "--bootstrap-server {n} --topic t --num-records 5 --threads 1",
        "--bootstrap-server {n} --topic t --num-records x",
        "--bootstrap-server {n} --topic t --num-records 5 --fetch-size x",
        "--bootstrap-server {n} --topic t --num-records 5 --reporting-interval x",
        "--bootstrap-server {n} --topic t --num-records 5 --reporting-interval 0",
        "--bootstrap-server {n} --topic t --num-records 5 --date-format bb",
        "--bootstrap-server {n} --topic t --num-records 5 --command-config {d}/none.properties",
        "--bootstrap-server {n} --topic t --num-records 5 --command-property isolation.level=maybe",
        "--bootstrap-server no.such.host.invalid:9092 --topic t --num-records 5",
        "--broker-list {n} --topic t --num-records 5",
        "--version",
    ],
)
def test_consumers_refused(apache_node: Node, files: Path, arguments: str) -> None:
    theirs, ours = by_both(CONSUMER, *arguments.format(n=apache_node.bootstrap, d=files).split())
    assert _columns(ours) == _columns(theirs)


def _metrics(outcome: Outcome) -> set[str]:
    table = outcome.output.partition("\nMetric Name ")[2].splitlines()[1:]
    return {name for name in (line.split(" : ")[0].strip() for line in table) if name.endswith("}")}


def test_metrics_have_the_releases_names(node: Node, filled: str) -> None:
    server = ("--bootstrap-server", node.bootstrap, "--topic", filled, "--num-records", "10", "--print-metrics")
    for tool, more in ((PRODUCER, ("--record-size", "10", "--throughput", "-1")), (CONSUMER, ("--hide-header",))):
        for _ in range(ATTEMPTS):  # a tool that ends soon may not have come to all of them
            theirs, ours = map(_metrics, by_both(tool, *server, *more))
            if ours <= theirs:
                break
        assert len(ours) > 3
        assert ours <= theirs


def test_transactions_are_refused_by_name() -> None:
    words = ("--bootstrap-server", "localhost:1", "--topic", "t", "--num-records", "1", "--record-size", "1", "--throughput", "-1")
    for more in (("--transactional-id", "x"), ("--transaction-duration-ms", "5"), ("--command-property", "transactional.id=x")):
        done = in_this_process(PRODUCER, *words, *more)
        assert done.status == 1
        assert "transactions aren't served yet" in done.complaints[0]


def test_nobody_there() -> None:
    """The time runs out, which is told, and no error."""
    words = ("--bootstrap-server", "localhost:1", "--topic", "t", "--num-records", "10", "--timeout", "300")
    theirs, ours = by_both(CONSUMER, *words)
    assert _columns(ours) == _columns(theirs)
