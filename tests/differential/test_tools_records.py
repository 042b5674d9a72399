"""The console tools and kafka-dump-log against Apache Kafka's own: what one writes the other reads, and both print the same."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING

import kafka
import pytest

from tests.differential.tools import by_apache, by_barnabas, by_both, by_both_alike, by_each, in_this_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.nodes import Node

pytestmark = pytest.mark.apache
COLUMNS = [
    word
    for column in ("key", "value", "timestamp", "offset", "partition", "headers", "epoch")
    for word in ("--formatter-property", f"print.{column}=true")
]


@pytest.fixture(scope="module")
def topic(node: Node) -> str:
    """One partition with plain, keyed, compressed and headed records, some by either tool."""
    name = f"records-{uuid.uuid4().hex[:6]}"
    server = ("--bootstrap-server", node.bootstrap)
    assert in_this_process("kafka-topics", *server, "--create", "--topic", name, "--partitions", "1").status == 0
    headed = ("--reader-property", "parse.key=true", "--reader-property", "parse.headers=true", "--reader-property", "null.marker=NULL")
    for run in (by_apache, by_barnabas):
        produce = ("kafka-console-producer", *server, "--topic", name)
        assert run(*produce, stdin="plain\n\nzwölf Boxkämpfer\nlast without end").status == 0
        assert run(*produce, *headed, stdin="h1:v1,h2:NULL\tkey\tvalue\nNULL\tNULL\tvalue\nh:\tk\tNULL\n").status == 0
        for codec in ("gzip", "snappy", "lz4", "zstd"):
            assert run(*produce, "--compression-codec", codec, stdin="".join(f"{codec} {i}\n" for i in range(200))).status == 0
    return name


@pytest.mark.parametrize(
    "arguments",
    [
        [*COLUMNS, "--from-beginning", "--max-messages", "1614"],
        ["--partition", "0", "--offset", "5", "--max-messages", "3"],
        ["--partition", "0", "--offset", "earliest", "--max-messages", "3", *COLUMNS, "--formatter-property", "key.separator=|"],
        ["--from-beginning", "--timeout-ms", "2500", "--max-messages", "2000", "--isolation-level", "read_committed"],
        ["--from-beginning", "--max-messages", "2", "--value-deserializer", "org.apache.kafka.common.serialization.BytesDeserializer"],
        ["--from-beginning", "--max-messages", "2", "--property", "print.key=true", "--property", "null.literal=nil"],
        ["--offset", "1"],
        ["--partition", "0", "--offset", "soon"],
        ["--partition", "0", "--group", "g"],
        ["--from-beginning", "--consumer-property", "auto.offset.reset=latest"],
        ["--formatter", "no.such.Formatter"],
        ["--include", "x"],
    ],
)
def test_consumer(node: Node, topic: str, arguments: list[str]) -> None:
    theirs, ours = by_both_alike("kafka-console-consumer", "--bootstrap-server", node.bootstrap, "--topic", topic, *arguments)
    assert ours == theirs


def test_group_continues_where_the_other_tool_stopped(node: Node, topic: str) -> None:
    group = f"g-{topic}"
    words = (
        "kafka-console-consumer",
        "--bootstrap-server",
        node.bootstrap,
        "--topic",
        topic,
        "--group",
        group,
        "--from-beginning",
        "--max-messages",
        "2",
    )
    read = [run(*words).output for run in (by_apache, by_barnabas, by_apache, by_barnabas)]
    whole = by_barnabas("kafka-console-consumer", "--bootstrap-server", node.bootstrap, "--topic", topic, "--from-beginning", "--max-messages", "8")
    assert "".join(read) == whole.output


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["--reader-property", "parse.key=true"], "no separator\n"),
        (["--reader-property", "headers.delimiter=,"], "x\n"),
        (["--reader-property", "null.marker=,"], "x\n"),
        (["--compression-codec", "nonsense"], "x\n"),
        (["--producer-property", "acks=7"], "x\n"),
        (["--reader-property", "a=b", "--property", "c=d"], "x\n"),
        (["--batch-size", "many"], "x\n"),
        (["--nonsense"], "x\n"),
    ],
)
def test_producer_refuses(node: Node, topic: str, arguments: list[str], line: str) -> None:
    theirs, ours = by_both("kafka-console-producer", "--bootstrap-server", node.bootstrap, "--topic", topic, *arguments, stdin=line)
    assert (ours.status, ours.output) == (theirs.status, theirs.output)
    assert ours.complaints[:1] == theirs.complaints[:1]


@pytest.mark.parametrize("group", [False, True], ids=["alone", "in a group"])
def test_begins_with_records_of_an_age(node: Node, group: bool) -> None:
    """auto.offset.reset=by_duration: what is older is left out."""
    topic = f"aged-{uuid.uuid4().hex[:6]}"
    hour_ms = 3_600_000
    now_ms = time.time_ns() // 1_000_000
    producer = kafka.KafkaProducer(bootstrap_servers=node.bootstrap)
    for value, age_ms in ((b"old", 3 * hour_ms), (b"young", hour_ms), (b"new", 0)):
        producer.send(topic, value, timestamp_ms=now_ms - age_ms).get(20)
    producer.close()
    for duration, lines in (("PT2H", "young\nnew\n"), ("P1D", "old\nyoung\nnew\n")):
        words = ["--bootstrap-server", node.bootstrap, "--topic", topic, "--command-property", f"auto.offset.reset=by_duration:{duration}"]
        words += ["--group", f"%-{topic}-{duration}"] if group else []
        theirs, ours = by_each("kafka-console-consumer", *words, "--max-messages", str(lines.count("\n")), "--timeout-ms", "20000")
        assert theirs.output == lines
        assert ours == theirs


@pytest.mark.parametrize(
    "settings",
    [
        "producer acks=1 enable.idempotence=true",
        "producer retries=0 enable.idempotence=true",
        "producer max.in.flight.requests.per.connection=6",
        "producer max.in.flight.requests.per.connection=6 acks=1",
        "producer delivery.timeout.ms=10",
        "producer acks=0 transactional.id=t",
        "producer linger.ms=-5",
        "producer buffer.memory=x",
        "consumer heartbeat.interval.ms=45000",
        "consumer heartbeat.interval.ms=-5",
        "consumer enable.auto.commit=x",
        "consumer auto.offset.reset=sometimes",
    ],
)
def test_settings_that_clients_refuse(barnabas_node: Node, settings: str) -> None:
    kind, *given = settings.split()
    group = ("--group", "never-made") if kind == "consumer" else ()
    server = ("--bootstrap-server", barnabas_node.bootstrap, "--topic", "never-made")
    theirs, ours = by_both(f"kafka-console-{kind}", *server, *group, *(word for setting in given for word in ("--command-property", setting)))
    assert theirs.status == 1
    assert ours == theirs


@pytest.mark.node
def test_producer_reports_a_lost_record_and_goes_on(barnabas_node: Node) -> None:
    topic = f"small-{uuid.uuid4().hex[:6]}"
    server = ("--bootstrap-server", barnabas_node.bootstrap)
    assert in_this_process("kafka-topics", *server, "--create", "--topic", topic, "--config", "max.message.bytes=200").status == 0
    theirs, ours = by_both_alike("kafka-console-producer", *server, "--topic", topic, "--timeout", "0", stdin="x" * 1000 + "\n")
    assert ours == theirs


# kafka-dump-log

TRANSACTIONS = """
from kafka import KafkaProducer
import sys
producer = KafkaProducer(bootstrap_servers=sys.argv[1], transactional_id="tools-dump", api_version=(2, 6))
producer.init_transactions()
for ending in ("commit", "abort", "commit"):
    producer.begin_transaction()
    producer.send("dumped", b"in a transaction", key=b"k", headers=[("h", b"v")]).get(20)
    producer.commit_transaction() if ending == "commit" else producer.abort_transaction()
producer.close()
"""


@pytest.fixture(scope="module")
def log_dir(apache_libs: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Log directories of a stopped Apache node that has seen groups, transactions, configs and quotas."""
    from tests import nodes

    node = nodes.new_node(nodes.APACHE, tmp_path_factory.mktemp("dumped")).start()
    try:
        server = ("--bootstrap-server", node.bootstrap)
        for words in (
            ("kafka-topics", *server, "--create", "--topic", "dumped", "--partitions", "1", "--config", "segment.bytes=1048576"),
            ("kafka-configs", *server, "--alter", "--user", "u", "--add-config", "producer_byte_rate=1.5E9"),
            ("kafka-configs", *server, "--alter", "--topic", "dumped", "--add-config", "index.interval.bytes=100"),
        ):
            assert in_this_process(*words).status == 0, words
        subprocess.run([sys.executable, "-c", TRANSACTIONS, node.bootstrap], check=True, timeout=60)
        lines = "".join(f"{i:0100d}\n" for i in range(12000))
        assert by_barnabas("kafka-console-producer", *server, "--topic", "dumped", stdin=lines).status == 0
        assert (
            by_barnabas("kafka-console-consumer", *server, "--topic", "dumped", "--group", "g", "--from-beginning", "--max-messages", "5").status == 0
        )
    finally:
        node.stop()
    return node.log_dir


def _files(log_dir: Path, pattern: str) -> str:
    found = sorted(str(path) for path in log_dir.glob(pattern))
    assert found, pattern
    return ",".join(found)


@pytest.mark.parametrize(
    "pattern, arguments",
    [
        ("__cluster_metadata-0/*.log", ["--cluster-metadata-decoder"]),
        ("__cluster_metadata-0/*.checkpoint", ["--cluster-metadata-decoder"]),
        ("bootstrap.checkpoint", ["--cluster-metadata-decoder", "--skip-record-metadata"]),
        ("dumped-0/*.log", []),
        ("dumped-0/*.log", ["--print-data-log"]),
        ("dumped-0/*.log", ["--deep-iteration", "--max-bytes", "30000"]),
        ("dumped-0/*.index", []),
        ("dumped-0/*.timeindex", []),
        ("dumped-0/*index", ["--index-sanity-check"]),
        ("dumped-0/*.index", ["--verify-index-only"]),
        ("dumped-0/*.snapshot", []),
        ("dumped-0/*.txnindex", []),
        ("__consumer_offsets-*/*.log", ["--offsets-decoder"]),
        ("__transaction_state-*/*.log", ["--transaction-log-decoder"]),
        ("__transaction_state-*/*.log", ["--offsets-decoder"]),
        ("dumped-0/*checkpoint", []),
        ("dumped-0/*.log", ["--value-decoder-class", "no.such.Decoder"]),
        ("dumped-0/*.log", ["--value-decoder-class", "org.apache.kafka.tools.api.IntegerDecoder", "--print-data-log"]),
        ("__consumer_offsets-*/*.log", ["--value-decoder-class", "org.apache.kafka.tools.api.LongDecoder"]),
        ("dumped-0/*.log", ["--print-data-log", "--key-decoder-class", "org.apache.kafka.tools.api.LongDecoder"]),
        ("dumped-0/*.log", ["--offsets-decoder"]),
    ],
)
def test_dump_log(log_dir: Path, pattern: str, arguments: list[str]) -> None:
    theirs, ours = by_both("kafka-dump-log", "--files", _files(log_dir, pattern), *arguments)
    assert (ours.status, ours.output) == (theirs.status, theirs.output)
    if "--key-decoder-class" in arguments:
        assert ours.status == 1
        assert ours.complaints[0].startswith(theirs.complaints[0])
    elif "no.such.Decoder" not in arguments:
        assert ours.complaints == theirs.complaints


def test_dump_log_of_a_torn_and_a_gapped_log(log_dir: Path, tmp_path: Path) -> None:
    whole = next(log_dir.glob("dumped-0/00000000000000000000.log")).read_bytes()
    (tmp_path / "00000000000000000000.log").write_bytes(whole[:5000])
    (tmp_path / "00000000000000000100.log").write_bytes(whole[:5000])
    (tmp_path / "00000000000000000200.log").write_bytes(whole[:100] + bytes(100))
    for name in ("00000000000000000000.log", "00000000000000000100.log", "00000000000000000200.log", "missing.log", "00000000000000000300.log"):
        theirs, ours = by_both("kafka-dump-log", "--files", str(tmp_path / name), "--deep-iteration")
        assert ours == theirs, name


@pytest.mark.node
def test_dump_log_of_a_barnabas_node(barnabas_nodes: Callable[..., Node]) -> None:
    """Every file that our node leaves, by both tools: all batches valid, every record of its metadata known."""
    node = barnabas_nodes({"log.index.interval.bytes": "100"})
    server = ("--bootstrap-server", node.bootstrap)
    assert in_this_process("kafka-topics", *server, "--create", "--topic", "ours", "--partitions", "2", "--config", "retention.ms=100000").status == 0
    assert by_barnabas("kafka-console-producer", *server, "--topic", "ours", stdin="".join(f"{i:0100d}\n" for i in range(3000))).status == 0
    assert by_barnabas("kafka-console-consumer", *server, "--topic", "ours", "--group", "g", "--from-beginning", "--max-messages", "5").status == 0
    node.stop()
    for pattern, arguments in (
        ("__cluster_metadata-0/*.log", ["--cluster-metadata-decoder"]),
        ("bootstrap.checkpoint", ["--cluster-metadata-decoder"]),
        ("ours-*/*.log", ["--print-data-log"]),
        ("ours-*/*index", []),
        ("ours-*/*index", ["--index-sanity-check"]),
        ("__consumer_offsets-*/*.log", ["--offsets-decoder"]),
    ):
        theirs, ours = by_both("kafka-dump-log", "--files", _files(node.log_dir, pattern), *arguments)
        assert ours == theirs, pattern
        assert theirs.status == 0
        assert not theirs.complaints
        assert "isvalid: false" not in theirs.output
        assert "Error at" not in theirs.output
