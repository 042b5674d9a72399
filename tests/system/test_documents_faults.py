"""What the documents say of a cluster in trouble, on one cluster of three for all: a broker is lost, a majority is lost, a disk is replaced, a node belongs to
another cluster. And what stands in front of it: a load balancer; and a roll to a newer version of its features.
"""

from __future__ import annotations

import re
import shutil
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from tests.cluster import checkers
from tests.cluster.cluster import Cluster, Plan
from tests.cluster.load import Load
from tests.conftest import SUBJECT, scratch
from tests.differential.tools import Outcome, in_this_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.cluster import Member
    from tests.conftest import ClusterFactory

pytestmark = pytest.mark.node

SETTINGS = {
    "auto.leader.rebalance.enable": "false",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    "initial.broker.registration.timeout.ms": "20000",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """With static voters, as the documents have them: a node whose disk is replaced is still one of them."""
    folder = scratch()
    with Cluster(Plan([SUBJECT] * 3, static=True, racks={1: "a", 2: "a", 3: "b"}, overrides=SETTINGS), folder / "cluster") as made:
        yield made.start()
    shutil.rmtree(folder, ignore_errors=True)


def tool(name: str, member: Member, *words: str) -> Outcome:
    return in_this_process(name, "--bootstrap-server", member.bootstrap, *words)


def replicas(member: Member, topic: str) -> list[tuple[int, set[int], set[int]]]:
    """Leader, replicas and in-sync replicas of each partition, as kafka-topics prints them."""
    printed = tool("kafka-topics", member, "--describe", "--topic", topic).output
    rows = re.findall(r"Leader: (\w+)\tReplicas: ([\d,]+)\tIsr: ([\d,]*)", printed)
    return [(int(leader) if leader != "none" else -1, *({int(n) for n in found.split(",") if n} for found in sets)) for leader, *sets in rows]


def under_replicated(member: Member) -> str:
    done = tool("kafka-topics", member, "--describe", "--under-replicated-partitions")
    assert done.status == 0, done
    return done.output


def test_a_broker_is_lost_under_load(cluster: Cluster) -> None:
    """kill -9 of a leader stops nothing and loses nothing with three replicas, two of them in sync, and acks=all. Its replicas stay its own; it isn't elected
    before it is back in sync.
    """
    cluster.create_topic("kept", 6)
    cluster.wait_for_full_isr("kept")
    load = Load(cluster.bootstrap, "kept", 6, per_second=600)
    load.wait_for_all_partitions()
    victim = cluster.leader("kept")
    left = cluster.others(victim)
    victim.kill()
    cluster.wait_for("others lead", lambda: all(leader not in (victim.node_id, -1) for leader, _, _ in replicas(left[0], "kept")), 60)
    load.wait_for_all_partitions()
    found = replicas(left[0], "kept")
    assert all(leader in in_sync and every == {1, 2, 3} for leader, every, in_sync in found)
    cluster.wait_for("it is seen to be missing", lambda: under_replicated(left[1]).count("Topic: kept") == 6)
    refused = tool(
        "kafka-leader-election", left[0], "--election-type", "preferred", "--topic", "kept", "--partition", str(_led_first(cluster, victim))
    )
    assert refused.status == 1
    assert "preferred leader was not available" in refused.output + "".join(refused.complaints)
    words = ("--alter", "--entity-type", "brokers", "--entity-default", "--add-config", "num.replica.fetchers=2")
    assert tool("kafka-configs", left[0], *words).status == 0
    cluster.start([victim])
    cluster.wait_for("nothing is under-replicated", lambda: not under_replicated(victim), 60)
    assert tool("kafka-leader-election", left[0], "--election-type", "preferred", "--all-topic-partitions").status == 0
    cluster.wait_for("preferred leaders", lambda: all(row.leader_id == row.replica_nodes[0] for row in cluster.partitions("kept", victim)))
    load.wait_for_all_partitions()
    load.stop()
    assert not load.failed
    checkers.nothing_lost(cluster, load)


def _led_first(cluster: Cluster, member: Member) -> int:
    """A partition whose preferred leader this is."""
    return next(row.partition_index for row in cluster.partitions("kept") if row.replica_nodes[0] == member.node_id)


def test_a_majority_is_lost(cluster: Cluster) -> None:
    """One of three controllers may be away; with two the cluster decides nothing any more, and goes on once a majority is back."""
    first, second, third = cluster.members.values()
    first.kill()
    cluster.wait_for("a leader among two", lambda: leader_by(second) in (2, 3), 60)
    assert created(second, "with-two")
    third.kill()
    cluster.wait_for("no leader", lambda: leader_by(second) is None, 60)
    assert not created(second, "with-one", timeout_ms=4000)
    cluster.start([third])
    cluster.wait_for("a leader", lambda: leader_by(second) in (2, 3), 60)
    cluster.start([first])
    assert created(first, "with-three")
    cluster.wait_for_full_isr("with-two", "with-three")


def leader_by(member: Member) -> int | None:
    """Whom a controller, asked itself, takes for the quorum's leader."""
    host, port = member.address("CONTROLLER")
    file = member.properties_file.with_suffix(".client")
    file.write_text("default.api.timeout.ms=1000\nrequest.timeout.ms=1000\n")
    done = in_this_process("kafka-metadata-quorum", "--bootstrap-controller", f"{host}:{port}", "--command-config", str(file), "describe", "--status")
    found = re.search(r"LeaderId: +(\d+)", done.output)
    return int(found[1]) if found and done.status == 0 else None


def created(member: Member, topic: str, timeout_ms: int = 30_000) -> bool:
    file = member.properties_file.with_suffix(".client")
    file.write_text(f"default.api.timeout.ms={timeout_ms}\nrequest.timeout.ms={timeout_ms}\n")
    words = ("--command-config", str(file), "--create", "--topic", topic, "--partitions", "3")
    return f"Created topic {topic}." in tool("kafka-topics", member, *words).output


def test_a_disk_is_replaced(cluster: Cluster) -> None:
    """The same node.id and cluster id on an empty, formatted disk: everything comes back by replication."""
    cluster.create_topic("copied", 3)
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all"})
    for number in range(300):
        producer.produce("copied", b"%d" % number, partition=number % 3)
    assert producer.flush(30) == 0
    active = cluster.active_controller()
    victim = next(member for member in cluster.brokers if member is not active)
    victim.kill()
    victim.replace_disk()
    cluster.start([victim])
    cluster.wait_for("in sync again", lambda: all(in_sync == {1, 2, 3} for _, _, in_sync in replicas(victim, "copied")), 60)
    assert checkers.logs_are_equal(cluster, "copied") > 0


def test_one_cluster_id_for_all(cluster: Cluster) -> None:
    """A disk that belongs to another cluster isn't formatted again, and a node on one doesn't get in."""
    stranger = cluster.members[3]
    words = ("format", "-c", str(stranger.properties_file), "-t")
    refused = in_this_process("kafka-storage", *words, "4L6g3nShT-eMCtK--X86sw")
    assert refused.status != 0, refused
    stranger.stop()
    properties = stranger.properties_file.read_text()
    stranger.properties_file.write_text(f"{properties}initial.broker.registration.timeout.ms=3000\n")
    kept = f"{stranger.properties['log.dirs']}-kept"
    shutil.move(stranger.properties["log.dirs"], kept)
    assert in_this_process("kafka-storage", *words, "4L6g3nShT-eMCtK--X86sw").status == 0
    process = stranger.spawn()
    try:
        assert process.wait(90) == 1
        assert "initial.broker.registration.timeout.ms" in stranger.tail(2000)
        assert {broker.node_id for broker in cluster.members[1].metadata().brokers} == {1, 2}
    finally:
        stranger.kill()
        stranger.properties_file.write_text(properties)
        shutil.rmtree(stranger.properties["log.dirs"])
        shutil.move(kept, stranger.properties["log.dirs"])
        cluster.start([stranger])


def test_replicas_are_spread_over_racks(cluster: Cluster) -> None:
    """Two replicas in two racks, of which one has two brokers: the one broker of the other has a replica of everything."""
    cluster.create_topic("spread", 6, 2)
    assert all(3 in every and len(every) == 2 for _, every, _ in replicas(cluster.members[1], "spread"))


def test_a_load_balancer_in_front(cluster: Cluster) -> None:
    """It is asked once, for the brokers; then clients go to the addresses that the brokers advertise, each partition's leader, without it."""
    cluster.create_topic("balanced", 3)
    member = cluster.members[2]
    with socket.create_server(("127.0.0.1", 0)) as front:
        stop = threading.Event()
        thread = threading.Thread(target=_balance, args=(front, member.address(), stop), daemon=True)
        thread.start()
        producer = Producer({"bootstrap.servers": f"127.0.0.1:{front.getsockname()[1]}", "acks": "all"})
        assert len(producer.list_topics("balanced", 30).topics["balanced"].partitions) == 3
        stop.set()
        thread.join(10)
    for number in range(30):
        producer.produce("balanced", b"%d" % number, partition=number % 3)
    assert producer.flush(30) == 0


def _balance(front: socket.socket, to: tuple[str, int], stop: threading.Event) -> None:
    """Pass on what connections bring, until `stop`."""
    front.settimeout(0.05)
    pairs: list[tuple[socket.socket, socket.socket]] = []
    while not stop.is_set():
        with suppress(TimeoutError):
            near = front.accept()[0]
            far = socket.create_connection(to)
            pairs += [(near, far), (far, near)]
        for source, target in pairs:
            source.setblocking(False)
            with suppress(BlockingIOError, ConnectionError):
                target.sendall(source.recv(65536))
    for source, _ in pairs:
        source.close()


def test_a_roll_to_newer_features(cluster_of: ClusterFactory) -> None:
    """Formatted for an older release; the nodes are restarted one by one while the others serve; then the features are raised, for all at once."""
    cluster = cluster_of(Plan([SUBJECT] * 3, overrides=SETTINGS))
    for member in cluster.members.values():
        shutil.rmtree(member.properties["log.dirs"])
        member.format(member.cluster_id, [*member._quorum, "--release-version", "4.0-IV3"])
    cluster.start()
    cluster.create_topic("kept", 3)
    load = Load(cluster.bootstrap, "kept", 3, per_second=300)
    for member in cluster.members.values():
        load.wait_for_all_partitions()
        member.stop()
        cluster.start([member])
        cluster.wait_for_full_isr("kept")
    described = tool("kafka-features", cluster.members[1], "describe").output
    assert re.search(r"metadata.version.*FinalizedVersionLevel: 4\.0-IV3", described), described
    assert tool("kafka-features", cluster.members[1], "upgrade", "--release-version", "4.3").status == 0
    for member in cluster.members.values():
        cluster.wait_for("4.3 everywhere", lambda by=member: "FinalizedVersionLevel: 4.3-IV0" in tool("kafka-features", by, "describe").output)
    load.wait_for_all_partitions()
    load.stop()
    checkers.nothing_lost(cluster, load)
