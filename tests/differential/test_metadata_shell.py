"""kafka-metadata-shell against Apache Kafka's own on the same files: a snapshot with every kind of record, a node's log, and lines typed into the shell."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from barnabas.core.metadata.record_versions import encode_record
from barnabas.storage.metadata_snapshot import SnapshotId, snapshot_batches, write_snapshot
from barnabas.wire.logs import cluster_metadata as records
from tests.apache import release
from tests.differential.tools import Outcome, by_both, in_this_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from barnabas.wire.schema import Message
    from tests.nodes import Node

pytestmark = pytest.mark.apache
TOOL = "kafka-metadata-shell"
LINES = [
    *("ls", "cd image", "pwd", "ls", "cd nope", "cd provenance", "cd ..", "cat image/provenance", "history", "history 2", "foo", "cat", "ls -l"),
    *("he", "c", "history x", "man nope", '"ls" image/acls', "pwd a b", "cd image/topics", "find", "ls byName b*", "cd", "pwd", ""),
    *("ls /image/{acls,scram} /image/topics/byName/a.b*c /image/pro* /image/{", "find /image/cluster image/topics", "tree /image/clientQuotas /x"),
    "cat /image/features/finalized_nope /image /nope /image/topics/by*/orders/0 /image/topics/byName/orders/00 /image/../local/version",
    "cat /image/topics/byId/nope/x /image/topics/byName/*/name /image/to?ics/byName/orders/1*",
    *("exit", "ls"),
]


def _id(number: int) -> bytes:
    return (number + (77 << 100)).to_bytes(16, "big")


def _everything() -> list[tuple[Message, int]]:
    """A record of each kind that an image keeps, with its version."""
    Broker, Controller, Quota = records.RegisterBrokerRecord, records.RegisterControllerRecord, records.ClientQuotaRecord
    point = {"name": "PLAINTEXT", "host": "127.0.0.1", "port": 9092, "security_protocol": 0}
    levels = [("metadata.version", 7, 30), ("kraft.version", 1, 1), ("group.version", 1, 2**15 - 1)]
    features = [{"name": name, "min_supported_version": least, "max_supported_version": most} for name, least, most in levels]
    topic = _id(60)
    configs = [
        (2, "orders", "retention.ms", "1000"),
        (2, "orders", "no.such.key", "1"),
        (4, "", "log.cleaner.threads", "2"),
        (16, "m", "interval.ms", "5"),
    ]
    configs += [(4, "1", "ssl.keystore.password", "secret"), (32, "g", "consumer.session.timeout.ms", "50000")]
    quotas = [([("user", "al(i)ce\\x"), ("client-id", "c")], 1.5e9), ([("ip", "10.0.0.1")], 12.0), ([("user", None)], 0.0001)]
    return [
        (records.FeatureLevelRecord(name="metadata.version", feature_level=30), 0),
        (records.FeatureLevelRecord(name="group.version", feature_level=1), 0),
        (
            Broker(
                broker_id=1,
                incarnation_id=_id(1),
                broker_epoch=7,
                end_points=[Broker.BrokerEndpoint(**point | {"name": "SASL", "security_protocol": 3}), Broker.BrokerEndpoint(**point)],
                features=[Broker.BrokerFeature(**feature) for feature in features],
                rack="r1",
                fenced=False,
                log_dirs=[_id(50), _id(40)],
                cordoned_log_dirs=[],
            ),
            4,
        ),
        (Broker(broker_id=10, incarnation_id=_id(2), broker_epoch=8, end_points=[], features=[], rack=None, fenced=True, log_dirs=[]), 3),
        (Controller(controller_id=3, incarnation_id=_id(3), end_points=[Controller.ControllerEndpoint(**point)], features=[]), 0),
        (records.TopicRecord(name="orders", topic_id=topic), 0),
        (
            records.PartitionRecord(
                partition_id=0,
                topic_id=topic,
                replicas=[1, 10],
                isr=[1],
                leader=1,
                leader_epoch=2,
                partition_epoch=5,
                directories=[_id(50), bytes(16)],
                eligible_leader_replicas=[10],
                last_known_elr=[],
            ),
            2,
        ),
        (
            records.PartitionRecord(
                partition_id=10,
                topic_id=topic,
                replicas=[1],
                isr=[1],
                removing_replicas=[1],
                adding_replicas=[10],
                leader=-1,
                leader_recovery_state=1,
                leader_epoch=2,
                partition_epoch=5,
                directories=[_id(50)],
            ),
            2,
        ),
        (records.TopicRecord(name="a.b*c", topic_id=_id(61)), 0),
        *((records.ConfigRecord(resource_type=kind, resource_name=name, name=key, value=value), 0) for kind, name, key, value in configs),
        *(
            (Quota(entity=[Quota.EntityData(entity_type=kind, entity_name=name) for kind, name in entity], key="producer_byte_rate", value=value), 0)
            for entity, value in quotas
        ),
        (records.ProducerIdsRecord(broker_id=1, broker_epoch=7, next_producer_id=4000), 0),
        (
            records.AccessControlEntryRecord(
                id=_id(70), resource_type=2, resource_name="t", pattern_type=4, principal="User:a", host="*", operation=3, permission_type=3
            ),
            0,
        ),
        (records.UserScramCredentialRecord(name="alice", mechanism=1, salt=b"\x01\xff", stored_key=b"ab", server_key=b"cd", iterations=4096), 0),
        (
            records.DelegationTokenRecord(
                owner="User:o",
                requester="User:r",
                renewers=["User:x", "User:y"],
                issue_timestamp=1_700_000_000_000,
                max_timestamp=1_800_000_000_000,
                expiration_timestamp=1_750_000_000_000,
                token_id="tok1",
            ),
            0,
        ),
    ]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("shell") / "__cluster_metadata-0"
    directory.mkdir()
    name = SnapshotId(3, 500)
    values = [encode_record(record, version) for record, version in _everything()]
    write_snapshot(str(directory), name, snapshot_batches(values, epoch=3, now_ms=1_700_000_000_120, last_timestamp_ms=1_700_000_000_000))
    return directory / name.file_name


def _cleaned(outcome: Outcome) -> Outcome:
    """Without which build it is, and what Apache's reader of snapshots and its terminal say on their own account."""
    noise = ("Ignoring control record", "\tat ", "org.jline", "WARNING: Unable to create a system terminal", "Caused by: ")
    complaints = tuple(line for line in outcome.complaints if line and not any(words in line for words in noise))
    return Outcome(outcome.status, outcome.output.replace("26b251a451ce941d", "barnabas"), complaints)


def _run(command: list[str], typed: str) -> Outcome:
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60)
    return Outcome(done.returncode, done.stdout, tuple(done.stderr.splitlines()))


def _by_both(*words: str, typed: str = "", sees: str = "") -> tuple[Outcome, Outcome]:
    """Apache's shell may begin before it has read its file: it is asked again until its output has `sees`. It doesn't end in the JVM of all tools."""
    ours = _run([sys.executable, "-m", "barnabas.cli.kafka", TOOL, *words], typed) if typed else in_this_process(TOOL, *words)
    for _ in range(20):
        theirs = _run(release.java_command("org.apache.kafka.shell.MetadataShell", list(words)), typed)
        if sees in theirs.output:
            break
    return _cleaned(theirs), _cleaned(ours)


def test_the_whole_tree(snapshot: Path) -> None:
    theirs, ours = _by_both("-s", str(snapshot), "tree", "/", sees="tok1")
    assert ours == theirs
    assert "StandardAcl[resourceType=TOPIC" in ours.output


def test_typed_lines(snapshot: Path) -> None:
    theirs, ours = _by_both("--snapshot", str(snapshot), typed="".join(f"{line}\n" for line in LINES), sees="epoch 3")
    assert ours == theirs
    assert "clientId(c)_user(al\\(i\\)ce\\\\x)" in ours.output


@pytest.mark.parametrize(
    "words",
    [["find", "/image/clientQuotas"], ["cd"], ["", "ls"], ["ls", "-x"]],
)
def test_refusals(snapshot: Path, words: list[str]) -> None:
    for _ in range(20):
        theirs, ours = _by_both("--snapshot", str(snapshot), *words)
        if ours == theirs:  # or its image was empty
            break
    assert ours == theirs


@pytest.mark.parametrize("words", [["--snapshot"], ["--snapshot", "/no/such/file", "ls"], ["--command", "x"]])
def test_no_snapshot(words: list[str]) -> None:
    theirs, ours = map(_cleaned, by_both(TOOL, *words))
    assert ours == theirs
    assert ours.status == 1
    assert words[0] == "--snapshot" or "unrecognized arguments: '--command'" in "".join(ours.complaints)


@pytest.mark.node
def test_a_node_s_log(barnabas_nodes: Callable[..., Node]) -> None:
    """A segment as Apache's shell shows it once the node has stopped; while it runs, a file is refused and the directory is read."""
    node = barnabas_nodes()
    assert in_this_process("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", "seen", "--partitions", "3").status == 0
    segment = node.log_dir / "__cluster_metadata-0" / "00000000000000000000.log"
    theirs, ours = _by_both("--snapshot", str(segment), "ls", "/")
    assert ours == theirs
    assert "Unable to lock" in ours.complaints[0]
    running = in_this_process(TOOL, "--snapshot", str(node.log_dir), "ls", "/image/topics/byName/seen")
    assert (running.status, running.output) == (0, "0\n1\n2\nid\nname\n")
    _follow(node)
    node.stop()
    theirs, ours = _by_both("--snapshot", str(segment), "tree", "/", sees="seen")
    assert ours == theirs


def _follow(node: Node) -> None:
    """A shell over a running node's directory shows, with each command, what is so by then."""
    command = [sys.executable, "-m", "barnabas.cli.kafka", TOOL, "--snapshot", str(node.log_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        try:
            shell.stdin.write("cd /image/topics/byName\n")
            for topic in ("later", "latest"):
                shell.stdin.write(f"cat {topic}/name\n")
                assert "No such file or directory" in next(line for line in shell.stdout if topic in line)
                made = in_this_process("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", topic)
                assert made.status == 0, made
                shell.stdin.write(f"cat {topic}/name\n")
                assert next(line for line in shell.stdout if topic in line) == f">> {topic}\n"
        finally:
            shell.kill()
