"""How long a broker waits for others, and what it does then: for a controller that registers it, answers it, lets it go or hears of its dead disk; for
connections; for a group's commit to be replicated. Clusters of one controller and a broker or two.
"""

from __future__ import annotations

import json
import shutil
import time
from contextlib import closing, suppress
from pathlib import Path
from select import select
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from tests.cluster.cluster import Cluster, Plan
from tests.conftest import SUBJECT
from tests.differential.tools import in_this_process
from tests.differential.transcript import Client, Closed
from tests.nodes import Node, free_port, write_properties
from tests.system.requests import frame, produce, put, records
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.cluster import Member
    from tests.conftest import ClusterFactory

pytestmark = [pytest.mark.node, pytest.mark.alone]

LONG_MS = "600000"
ESTABLISHED, CLOSE_WAIT = 1, 8


def connections(*, to: tuple[str, int] | None = None, at: tuple[str, int] | None = None) -> Iterator[tuple[int, int]]:
    """State and unread bytes of this machine's connections whose other end, or own end, is this address."""
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, remote, state, queues, *_ = line.split()
            wanted, found = (to, remote) if to is not None else (at, local)
            assert wanted is not None
            if (
                found.partition(":")[0][-8:] == bytes(map(int, reversed(wanted[0].split(".")))).hex().upper()
                and int(found.partition(":")[2], 16) == wanted[1]
            ):
                yield int(state, 16), int(queues.split(":")[1], 16)


def client_of(member: Member) -> Client:
    host, port = member.address()
    found = Client(port, host)
    found.socket.settimeout(60)
    return found


def create_request(name: str) -> CreateTopicsRequest:
    topic = CreateTopicsRequest.CreatableTopic(name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[])
    return CreateTopicsRequest(topics=[topic], timeout_ms=60_000, validate_only=False)


def test_nobody_to_register_with(cluster_of: ClusterFactory) -> None:
    """initial.broker.registration.timeout.ms: a broker that no controller registers ends; one that is registered goes on."""
    key = "initial.broker.registration.timeout.ms"
    cluster = cluster_of(Plan([SUBJECT] * 2, controllers=[1], brokers=[2], overrides={key: "3000"}))
    controller, broker = cluster.members.values()
    cluster.spawn([broker])
    assert broker.process is not None
    assert broker.process.wait(60) == 1
    cluster.spawn([controller])
    cluster.wait_for("a leader of the quorum", lambda: "Kafka Server started" in controller.tail())
    cluster.start()
    second = twin(broker, cluster)
    assert second.spawn().wait(60) == 1, "there is a broker 2 already"
    assert key in second.tail()
    assert [controller.running(), broker.running()] == [True, True]


def twin(member: Member, cluster: Cluster) -> Node:
    """Another broker of the same id, with a disk of its own."""
    folder = cluster.directory / "twin"
    folder.mkdir()
    where = f"PLAINTEXT://127.0.0.1:{free_port()}"
    own = {"log.dirs": str(folder / "log"), "listeners": where, "advertised.listeners": where}
    file = write_properties(folder / "server.properties", {**member.properties, **own})
    formatted = in_this_process("kafka-storage", "format", "-t", member.cluster_id, "-c", str(file))
    assert formatted.status == 0, formatted
    return Node(SUBJECT, file)


def test_leaving_without_a_word(cluster_of: ClusterFactory, tmp_path: Path) -> None:
    """controlled.shutdown.enable: without, a broker that is stopped doesn't ask the controller to move its leaderships first."""
    key = "controlled.shutdown.enable"
    cluster = cluster_of(Plan([SUBJECT] * 3, controllers=[1], own={3: {key: "false"}})).start()
    cluster.create_topic("t", 3)
    cluster.wait_for_full_isr("t")
    for node_id in (2, 3):
        stop_and_start(cluster, cluster.members[node_id])
    cluster.members[1].stop()
    log = next(Path(cluster.members[1].properties["log.dirs"]).glob("__cluster_metadata-0/*.log"))
    shutil.copy(log, tmp_path / log.name)
    dumped = in_this_process("kafka-dump-log", "--cluster-metadata-decoder", "--files", str(tmp_path / log.name)).output
    changes = [json.loads(line.partition("payload: ")[2]) for line in dumped.splitlines() if "BROKER_REGISTRATION_CHANGE_RECORD" in line]
    assert {change["data"]["brokerId"] for change in changes if change["data"].get("inControlledShutdown") == 1} - {1} == {2}
    assert {2, 3} <= {change["data"]["brokerId"] for change in changes if change["data"].get("fenced") == 1}


def stop_and_start(cluster: Cluster, member: Member) -> None:
    member.stop()
    others = [other for other in cluster.brokers if other is not member]
    gone = (-1, member.node_id)
    cluster.wait_for("leaders elsewhere", lambda: all(row.leader_id not in gone for by in others for row in cluster.partitions("t", by)), 60)
    cluster.start([member])
    cluster.wait_for_full_isr("t")


def freeze(member: Member) -> None:
    """None of its threads runs any more."""
    member.freeze()
    wait_until(lambda: all(") T " in path.read_text() for path in Path(f"/proc/{member.pid}/task").glob("*/stat")))


@pytest.mark.parametrize("timeout_ms", ["1000", LONG_MS])
def test_a_dead_disk_that_nobody_can_be_told_of(cluster_of: ClusterFactory, timeout_ms: str) -> None:
    """log.dir.failure.timeout.ms: without a controller a broker with a dead disk ends after that."""
    cluster = cluster_of(Plan([SUBJECT] * 2, controllers=[1], brokers=[2], overrides={"log.dir.failure.timeout.ms": timeout_ms}))
    controller, broker = cluster.members.values()
    dying, other = cluster.directory / "dying", cluster.directory / "other"
    file = broker.properties_file
    write_properties(file, {**broker.properties, "log.dirs": f"{other},{dying}", "metadata.log.dir": str(other)})
    broker.properties["log.dirs"] = f"{other},{dying}"
    shutil.rmtree(cluster.directory / "2" / "log", ignore_errors=True)
    broker.format_for(controller.cluster_id)
    cluster.start()
    cluster.create_topic("t", 2, 1, **{"segment.bytes": "1048576"})
    partition = next(number for number in range(2) if (dying / f"t-{number}").exists())
    with closing(client_of(broker)) as client:
        assert put(client, "t", partition, records(b"x" * 600_000)).error_code == 0
        freeze(controller)
        dying.rename(cluster.directory / "gone")
        with suppress(Closed, OSError):  # it may have ended already
            wait_until(lambda: put(client, "t", partition, records(b"x" * 600_000)).error_code != 0)
    assert broker.process is not None
    if timeout_ms == LONG_MS:
        time.sleep(2)
        assert broker.running()
        controller.thaw()
        cluster.wait_for("no leader", lambda: [row.leader_id for row in cluster.partitions("t", broker)].count(-1) == 1, 30)
    else:
        assert broker.process.wait(60) == 1
        assert "log.dir.failure.timeout.ms" in broker.tail()


@pytest.mark.parametrize("timeout_ms", ["300", LONG_MS])
def test_a_controller_that_hangs(cluster_of: ClusterFactory, timeout_ms: str) -> None:
    """controller.socket.timeout.ms: so long one connection to it is trusted; what was asked is asked again on another one."""
    quiet = {f"controller.quorum.{name}.timeout.ms": LONG_MS for name in ("fetch", "request")}
    quiet |= {"broker.heartbeat.interval.ms": "200000", "broker.session.timeout.ms": LONG_MS}
    cluster = cluster_of(Plan([SUBJECT] * 2, controllers=[1], brokers=[2], overrides={**quiet, "controller.socket.timeout.ms": timeout_ms})).start()
    controller, broker = cluster.members.values()
    given_up = lambda: sum(state == CLOSE_WAIT for state, _ in connections(at=controller.address("CONTROLLER")))  # noqa: E731
    with closing(client_of(broker)) as client:
        made = client.call(create_request("first"), 7).topics[0].error_code
        assert made in (0, Error.TOPIC_ALREADY_EXISTS), "asked again where the machine stands still for that long"
        before = given_up()
        freeze(controller)
        client.send(frame(create_request("second"), 7))
        if timeout_ms == LONG_MS:
            time.sleep(1.5)
            assert given_up() == before
        else:
            wait_until(lambda: given_up() >= before + 3)
        controller.thaw()
        cluster.wait_for("the topic", lambda: cluster.partitions("second", broker))


@pytest.mark.parametrize("size", ["8192", "1048576"])
def test_receive_buffers_of_followers(cluster_of: ClusterFactory, size: str) -> None:
    """replica.socket.receive.buffer.bytes: what the system keeps for a follower that doesn't read."""
    cluster = cluster_of(
        Plan([SUBJECT] * 2, controllers=[1], overrides={"replica.socket.receive.buffer.bytes": size, "broker.session.timeout.ms": LONG_MS})
    )
    cluster.start()
    cluster.create_topic("t", 1, 2, **{"min.insync.replicas": "1"})
    cluster.wait_for_full_isr("t")
    leader, follower = cluster.members[1], cluster.members[2]
    if cluster.leader("t") is follower:
        stop_and_start(cluster, follower)
    freeze(follower)
    with closing(client_of(leader)) as client:
        host, port = leader.address()
        for _ in range(2):
            client.send(frame(produce("t", 0, records(b"x" * 900_000), acks=1), 9))
        unread = lambda: max(unread for state, unread in connections(to=(host, port)) if state == ESTABLISHED)  # noqa: E731
        if size == "8192":
            wait_until(unread)
            time.sleep(0.5)
            assert unread() < 100_000
        else:
            wait_until(lambda: unread() > 100_000)
    follower.thaw()


def test_a_commit_that_is_not_replicated(cluster_of: ClusterFactory) -> None:
    """offsets.commit.timeout.ms: it is refused after that, though a producer that asked before it still waits."""
    overrides = {"offsets.commit.timeout.ms": "300", "broker.session.timeout.ms": LONG_MS, "replica.lag.time.max.ms": LONG_MS}
    overrides |= {"offsets.topic.num.partitions": "1", "min.insync.replicas": "2"}
    cluster = cluster_of(Plan([SUBJECT] * 3, controllers=[1], brokers=[2, 3], overrides=overrides)).start()
    cluster.create_topic("t", 1, 2)
    with closing(client_of(cluster.members[2])) as client:
        asked = FindCoordinatorRequest(key_type=0, coordinator_keys=["g"])
        cluster.wait_for("a coordinator", lambda: client.call(asked, 4).coordinators[0].error_code == 0)
        coordinator = cluster.members[client.call(asked, 4).coordinators[0].node_id]
    cluster.wait_for_full_isr("t", "__consumer_offsets")
    part = OffsetCommitRequest.Topic
    rows = [part(name="t", partitions=[part.Partition(partition_index=0, committed_offset=1, committed_metadata="")])]
    commit = OffsetCommitRequest(group_id="g", generation_id_or_member_epoch=-1, member_id="", topics=rows)
    other = next(member for member in cluster.brokers if member is not coordinator)
    if cluster.leader("t") is other:
        stop_and_start(cluster, other)
    with closing(client_of(coordinator)) as client, closing(client_of(cluster.leader("t"))) as producer:
        cluster.wait_for("a commit", lambda: client.call(commit, 8).topics[0].partitions[0].error_code == Error.NONE)
        freeze(other)
        request = produce("t", 0, records(b"x"))
        request.timeout_ms = int(LONG_MS)
        producer.send(frame(request, 9))
        assert client.call(commit, 8).topics[0].partitions[0].error_code == Error.COORDINATOR_NOT_AVAILABLE
        assert select([producer.socket], [], [], 0) == ([], [], [])
        other.thaw()
        cluster.wait_for("a commit", lambda: client.call(commit, 8).topics[0].partitions[0].error_code == Error.NONE)
