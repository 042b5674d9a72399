"""Three nodes: what is acknowledged stays, what isn't committed isn't shown, followers come and go, and consumers read nearby. R20-R37, M26.

One cluster for all; each test has topics of its own. Longer stories are tests/cluster/stories.py.
"""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_records import DeleteRecordsRequest
from barnabas.wire.messages.fetch import FetchRequest
from tests.cluster import checkers
from tests.cluster.cluster import Cluster, Plan
from tests.cluster.load import Load
from tests.cluster.proxy import Fault, Proxy
from tests.conftest import SUBJECT, scratch
from tests.differential.transcript import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.cluster import Member
    from tests.conftest import ClusterFactory

pytestmark = pytest.mark.node

SETTINGS = {
    "broker.session.timeout.ms": "30000",
    "broker.heartbeat.interval.ms": "500",
    "replica.lag.time.max.ms": "2500",
    "replica.fetch.wait.max.ms": "300",
    "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
    "num.replica.fetchers": "2",
    "min.insync.replicas": "1",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    folder = scratch()
    with Cluster(Plan([SUBJECT] * 3, racks={1: "a", 2: "b", 3: "c"}, overrides=SETTINGS), folder / "cluster") as made:
        yield made.start()
    shutil.rmtree(folder, ignore_errors=True)


def isr(cluster: Cluster, topic: str, by: Member, led_by: Member | None = None) -> set[int]:
    """Of its first partition, or of the one that a node leads."""
    rows = cluster.partitions(topic, by)
    return set(next(row for row in rows if led_by is None or row.leader_id == led_by.node_id).isr_nodes)


def end_of(member: Member, topic: str) -> int:
    """The offset that a consumer sees as the end."""
    with closing(Consumer({"bootstrap.servers": member.bootstrap, "group.id": "ends"})) as consumer:
        return int(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1])


def produce(bootstrap: str, topic: str, count: int = 1, **settings: object) -> str | None:
    """What the last record was refused with."""
    outcome: list[str | None] = []
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, **settings})
    for number in range(count):
        producer.produce(topic, b"%d" % number, partition=0, on_delivery=lambda error, _: outcome.append(error and error.name()))
    producer.flush(20)
    assert len(outcome) == count
    return outcome[-1]


def test_a_leader_dies_under_load(cluster: Cluster) -> None:
    cluster.create_topic("killed", 6)
    load = Load(cluster.bootstrap, "killed", 6, per_second=1000)
    load.wait_for_all_partitions()
    cluster.wait_for_full_isr("killed")
    victim = cluster.leader("killed")
    victim.kill()
    load.wait_for_all_partitions()
    cluster.start([victim])
    cluster.wait_for_full_isr("killed")
    load.wait_for_all_partitions()
    load.stop()
    checkers.nothing_lost(cluster, load)
    assert checkers.logs_are_equal(cluster, "killed") > 100
    checkers.epochs_agree(cluster, "killed")
    checkers.nobody_died(cluster)


def test_too_few_in_sync(cluster: Cluster) -> None:
    """With one of two replicas away acks=all is refused, and what acks=1 wrote is shown to nobody before it is back (R21, R27, T12)."""
    cluster.create_topic("few", 1, 2, **{"min.insync.replicas": "2"})
    leader = cluster.leader("few")
    follower = cluster.members[next(n for n in isr(cluster, "few", leader) if n != leader.node_id)]
    assert produce(leader.bootstrap, "few", 5, acks="all") is None
    follower.stop()
    cluster.wait_for("the follower is out", lambda: isr(cluster, "few", leader) == {leader.node_id})
    assert produce(leader.bootstrap, "few", acks="all", retries=0) == "NOT_ENOUGH_REPLICAS"
    assert produce(leader.bootstrap, "few", 5, acks=1) is None
    assert end_of(leader, "few") == 5
    cluster.start([follower])
    cluster.wait_for_full_isr("few")
    cluster.wait_for("all is shown", lambda: end_of(leader, "few") == 10)
    checkers.logs_are_equal(cluster, "few")


def test_a_follower_hangs(cluster: Cluster) -> None:
    """replica.lag.time.max.ms takes it out of the in-sync set, long before its session ends, and acks=all goes on; deleting records waits for it."""
    cluster.create_topic("hangs", 1)
    leader = cluster.leader("hangs")
    active = cluster.active_controller()
    follower = next(m for m in cluster.others(leader) if m is not active)
    assert produce(leader.bootstrap, "hangs", 10, acks="all") is None
    follower.freeze()
    try:
        assert _delete(leader, "hangs", 5, timeout_ms=200) == (Error.REQUEST_TIMED_OUT, -1)
        assert produce(leader.bootstrap, "hangs", 5, acks="all") is None
        cluster.wait_for("all have heard of it", lambda: follower.node_id not in isr(cluster, "hangs", leader))
        assert follower.node_id in {broker.node_id for broker in leader.metadata("hangs").brokers}, "not fenced yet"
    finally:
        follower.thaw()
    cluster.wait_for_full_isr("hangs")
    assert _delete(leader, "hangs", 6, timeout_ms=20_000) == (Error.NONE, 6)
    checkers.logs_are_equal(cluster, "hangs")


def _delete(member: Member, topic: str, offset: int, timeout_ms: int) -> tuple[Error, int]:
    part = DeleteRecordsRequest.Topic
    request = DeleteRecordsRequest(topics=[part(name=topic, partitions=[part.Partition(partition_index=0, offset=offset)])], timeout_ms=timeout_ms)
    with closing(Client(member.port, member.address()[0])) as client:
        client.socket.settimeout(30)
        answered = client.call(request, 2).topics[0].partitions[0]
    return Error(answered.error_code), answered.low_watermark


def test_who_is_fenced_while_it_fetches_joins_again(cluster_of: ClusterFactory) -> None:
    """What it asks its leader arrives, its heartbeats don't. Once they do it is in sync again, though nothing is written (R23, O18)."""
    network = Proxy()
    settings = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "300"}
    cluster = cluster_of(Plan([SUBJECT] * 3, overrides=settings), network).start()
    cluster.create_topic("idle", 3)
    cluster.wait_for_full_isr("idle")
    controller = cluster.active_controller()
    leader, follower = cluster.others(controller)
    rest = {leader.node_id, controller.node_id}
    network.set(Fault(silent=True), [(follower.node_id, controller.node_id)])
    cluster.wait_for("the follower is out", lambda: isr(cluster, "idle", leader, leader) == rest)
    network.heal()
    cluster.wait_for("the follower is in sync again", lambda: isr(cluster, "idle", leader, leader) == {*rest, follower.node_id})


def test_consumers_read_nearby(cluster: Cluster) -> None:
    """A leader names the replica in the consumer's rack, which serves what is committed (KIP-392)."""
    cluster.create_topic("racks", 1)
    leader = cluster.leader("racks")
    near = cluster.others(leader)[0]
    assert produce(leader.bootstrap, "racks", 20, acks="all") is None
    racks = {1: "a", 2: "b", 3: "c"}
    topic_id = leader.metadata("racks").topics[0].topic_id
    assert _fetch(leader, topic_id, racks[leader.node_id])[1] == -1
    cluster.wait_for("the near one is named", lambda: _fetch(leader, topic_id, racks[near.node_id]) == (0, near.node_id, 0))
    cluster.wait_for("it has what is committed", lambda: _fetch(near, topic_id, racks[near.node_id])[2] > 0)
    settings = {"bootstrap.servers": cluster.bootstrap, "group.id": "racks", "auto.offset.reset": "earliest", "client.rack": racks[near.node_id]}
    with closing(Consumer(settings)) as consumer:
        consumer.assign([TopicPartition("racks", 0, 0)])
        got = 0
        deadline = time.monotonic() + 20
        while got < 20 and time.monotonic() < deadline:
            got += sum(not message.error() for message in consumer.consume(20, 0.2))
        assert got == 20


def _fetch(member: Member, topic_id: bytes, rack: str) -> tuple[int, int, int]:
    """(error, preferred replica, bytes)"""
    wanted = FetchRequest.Topic.Partition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
    request = FetchRequest(max_wait_ms=0, min_bytes=0, topics=[FetchRequest.Topic(topic_id=topic_id, partitions=[wanted])], rack_id=rack)
    with closing(Client(member.port, member.address()[0])) as client:
        row = client.call(request, 17).responses[0].partitions[0]
    return row.error_code, row.preferred_read_replica, len(row.records or b"")


def test_groups_move_with_their_partitions(cluster: Cluster) -> None:
    """A group's coordinator dies: another node has its offsets (C66, G10)."""
    cluster.create_topic("grouped", 1)
    assert produce(cluster.bootstrap, "grouped", 10, acks="all") is None
    settings = {"bootstrap.servers": cluster.bootstrap, "group.id": "moved", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    place = TopicPartition("grouped", 0, 7)
    with closing(Consumer(settings)) as consumer:
        _until_done(lambda: consumer.commit(offsets=[place], asynchronous=False))
        (row,) = [row for row in cluster.partitions("__consumer_offsets") if row.partition_index == _partition_of("moved")]
    coordinator = cluster.members[row.leader_id]
    coordinator.stop()
    with closing(Consumer(settings)) as consumer:
        (found,) = _until_done(lambda: consumer.committed([place], timeout=10))
    assert found.offset == 7
    cluster.start([coordinator])
    cluster.wait_for_full_isr()


def _partition_of(group: str) -> int:
    from barnabas.core.groups.partitioning import partition_for

    return partition_for(group, 4)


def _until_done(call: object) -> list[TopicPartition]:
    deadline = time.monotonic() + 30
    while True:
        try:
            return call()  # type: ignore[operator, no-any-return]
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
