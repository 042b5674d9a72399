"""Brokers that die, hang, stop and come back, on three real nodes: when their partitions move, and when they don't (C22-C31, O1-O3)."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.describe_quorum import DescribeQuorumRequest
from barnabas.wire.messages.elect_leaders import ElectLeadersRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.metadata import MetadataRequest
from tests.cluster.cluster import Cluster, Member, Plan
from tests.differential.transcript import Client
from tests.nodes import BARNABAS
from tests.system.test_patience import CLOSE_WAIT, ESTABLISHED, connections
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from barnabas.wire.schema import Message
    from tests.cluster.disks import SmallDisk

pytestmark = pytest.mark.node

LONG_MS, SHORT_MS = "600000", "3000"  # sessions


def ask(member: Member, request: Message, version: int) -> object:
    host, port = member.address()
    with closing(Client(port, host)) as client:
        return client.call(request, version)


def led_by(cluster: Cluster, member: Member, seen_by: Member) -> int:
    return sum(row.leader_id == member.node_id for row in cluster.partitions("life", seen_by))


def wait_until_moved(cluster: Cluster, gone: Member) -> None:
    """Until all others that serve know other leaders than `gone`."""
    others = [member for member in cluster.running(cluster.brokers) if member is not gone]

    def moved() -> bool:
        return all((rows := cluster.partitions("life", by)) and all(row.leader_id not in (gone.node_id, -1) for row in rows) for by in others)

    cluster.wait_for(f"leaders other than {gone.node_id}", moved, 60)


def elect_preferred(cluster: Cluster, by: Member) -> None:
    cluster.wait_for_full_isr("life")
    ask(by, ElectLeadersRequest(election_type=0, topic_partitions=None, timeout_ms=10_000), 2)
    cluster.wait_for(
        "preferred leaders",
        lambda: all(row.leader_id == row.replica_nodes[0] for each in cluster.brokers for row in cluster.partitions("life", each)),
        60,
    )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Sessions don't end by themselves, and leaders go back only when asked for."""
    overrides = {"broker.session.timeout.ms": LONG_MS, "auto.leader.rebalance.enable": "false"}
    with Cluster(Plan([BARNABAS] * 3, overrides=overrides), tmp_path_factory.mktemp("life")) as made:
        made.start()
        made.create_topic("life", 6)
        made.wait_for_full_isr("life")
        yield made


def followers(cluster: Cluster) -> list[Member]:
    """Brokers that aren't the active controller."""
    active = cluster.active_controller()
    return [member for member in cluster.brokers if member is not active]


def test_a_killed_broker_is_fenced_and_comes_back_long_before_its_session_ends(cluster: Cluster) -> None:
    victim, other = followers(cluster)
    assert led_by(cluster, victim, other) == 2
    victim.kill()
    wait_until_moved(cluster, victim)
    cluster.start([victim])
    elect_preferred(cluster, other)


def test_the_active_controller_killed(cluster: Cluster) -> None:
    victim = cluster.active_controller()
    other = followers(cluster)[0]
    assert led_by(cluster, victim, other) == 2
    victim.kill()
    wait_until_moved(cluster, victim)
    cluster.start([victim])
    elect_preferred(cluster, other)


@pytest.mark.alone
def test_nobody_is_told_of_a_leader_that_has_just_died(cluster: Cluster) -> None:
    """Whoever asks at once hears of the new leaders: the answer waits until the controller has found them, for a second, which a busy machine may take."""
    assert any(_told_after_a_death(cluster) for _ in range(3))


def _told_after_a_death(cluster: Cluster) -> bool:
    """Whether everybody tells of partitions' new leaders once the dead one's connections have ended."""
    elect_preferred(cluster, cluster.brokers[0])
    gone = followers(cluster)[0]
    others = cluster.others(gone)
    asked = {other.node_id: Client(*reversed(other.address())) for other in others}
    led = [row.partition_index for row in cluster.partitions("life") if row.leader_id == gone.node_id]
    assert led
    gone.kill()
    wait_until(lambda: not {state for state, _ in connections(to=gone.address())} & {ESTABLISHED, CLOSE_WAIT})
    try:
        request = MetadataRequest(topics=[MetadataRequest.Topic(name="life")])
        told = {node_id: client.call(request, 12).topics[0].partitions for node_id, client in asked.items()}
    finally:
        for client in asked.values():
            client.close()
        cluster.start([gone])
        elect_preferred(cluster, others[0])
    return all(row.leader_id in asked for rows in told.values() for row in rows if row.partition_index in led)


def test_a_hung_broker_keeps_its_leaderships_until_its_session_ends(cluster: Cluster) -> None:
    victim, other = followers(cluster)
    victim.freeze()
    try:
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            assert led_by(cluster, victim, other) == 2
            time.sleep(0.1)
    finally:
        victim.thaw()
    cluster.wait_for_full_isr("life")


def test_a_clean_stop_moves_leaders_first_and_allows_a_start_at_once(cluster: Cluster) -> None:
    victim, other = followers(cluster)
    active = cluster.active_controller()  # the others hear of it a moment later
    victim.stop()
    assert led_by(cluster, victim, active) == 0, "moved before the process ended"
    cluster.start([victim])
    elect_preferred(cluster, other)


def test_the_last_one_stops_without_a_controller(cluster: Cluster) -> None:
    """Nobody is left to let it go: it sees that, or waits for five seconds where it can't."""
    first, second = followers(cluster)
    last = cluster.active_controller()
    first.stop()
    second.kill()
    last.stop()
    assert "Stopping without the controller's leave: too few of the quorum's voters run" in last.tail()
    cluster.start()
    elect_preferred(cluster, last)


def test_every_broker_takes_what_only_the_controller_answers(cluster: Cluster) -> None:
    for member in cluster.brokers:
        name = f"by-{member.node_id}"
        topic = CreateTopicsRequest.CreatableTopic(name=name, num_partitions=1, replication_factor=3, assignments=[], configs=[])
        for error in (0, 36):
            made = ask(member, CreateTopicsRequest(topics=[topic], timeout_ms=10_000, validate_only=False), 7)
            assert [(row.name, row.error_code) for row in made.topics] == [(name, error)]  # type: ignore[attr-defined]
        of = IncrementalAlterConfigsRequest.AlterConfigsResource
        changes = [
            of(resource_type=kind, resource_name=resource, configs=[of.AlterableConfig(name=key, config_operation=0, value=value)])
            for kind, resource, key, value in (
                (2, name, "retention.ms", "5000"),
                (2, "absent", "retention.ms", "5000"),
                (4, "77", "log.retention.ms", "5000"),
                (8, str(member.node_id), "root", "INFO"),
            )
        ]
        changed = ask(member, IncrementalAlterConfigsRequest(resources=changes, validate_only=False), 1)
        assert [row.error_code for row in changed.responses] == [0, 3, 42, 0]  # type: ignore[attr-defined]
        partition = DescribeQuorumRequest.TopicData.PartitionData(partition_index=0)
        quorum = DescribeQuorumRequest.TopicData(topic_name="__cluster_metadata", partitions=[partition])
        described = ask(member, DescribeQuorumRequest(topics=[quorum]), 2)
        assert described.topics[0].partitions[0].leader_id == cluster.active_controller().node_id  # type: ignore[attr-defined]
        deleted = [DeleteTopicsRequest.DeleteTopicState(name=name, topic_id=bytes(16))]
        gone = ask(member, DeleteTopicsRequest(topics=deleted, timeout_ms=10_000), 6)
        assert [row.error_code for row in gone.responses] == [0]  # type: ignore[attr-defined]


def test_a_session_that_ends_and_leaderships_that_go_back(tmp_path: Path) -> None:
    overrides = {"broker.session.timeout.ms": SHORT_MS, "broker.heartbeat.interval.ms": "300", "leader.imbalance.check.interval.seconds": "1"}
    with Cluster(Plan([BARNABAS] * 3, overrides=overrides), tmp_path / "sessions") as cluster:
        cluster.start()
        cluster.create_topic("life", 6)
        cluster.wait_for_full_isr("life")
        victim, other = followers(cluster)
        victim.freeze()
        wait_until_moved(cluster, victim)
        victim.thaw()
        cluster.wait_for("it leads again", lambda: led_by(cluster, victim, other) == 2, 60)


def test_the_only_controller_s_full_disk(tmp_path: Path, small_disk: SmallDisk) -> None:
    """What the controller found meanwhile and couldn't write down it finds again: one broker died, another one that was fenced came back."""
    overrides = {"broker.session.timeout.ms": SHORT_MS, "broker.heartbeat.interval.ms": "300", "auto.leader.rebalance.enable": "false"}
    own = {1: {"metadata.log.dir": str(small_disk.path / "metadata")}}
    with Cluster(Plan([BARNABAS] * 3, controllers=[1], overrides=overrides, own=own), tmp_path / "full") as cluster:
        cluster.start()
        cluster.create_topic("life", 6)
        cluster.wait_for_full_isr("life")
        active, dies, comes_back = cluster.brokers
        comes_back.freeze()
        cluster.wait_for("it is fenced", lambda: led_by(cluster, comes_back, active) == 0)
        small_disk.fill()
        for number in range(100):
            topic = CreateTopicsRequest.CreatableTopic(name=f"new-{number}", num_partitions=1, replication_factor=1, assignments=[], configs=[])
            if ask(active, CreateTopicsRequest(topics=[topic], timeout_ms=1_000, validate_only=False), 7).topics[0].error_code:  # type: ignore[attr-defined]
                break
        time.sleep(1.5)  # no-ops take what is left of the last page
        dies.kill()
        comes_back.thaw()
        cluster.wait_for("it wants to come back", lambda: "Heartbeat refused: KAFKA_STORAGE_ERROR" in comes_back.tail(1 << 20))
        time.sleep(int(SHORT_MS) / 1000)
        assert led_by(cluster, dies, active), "there was room"
        small_disk.make_room()
        wait_until_moved(cluster, dies)
        cluster.wait_for("it is in sync", lambda: all(comes_back.node_id in row.isr_nodes for row in cluster.partitions("life", active)), 60)
