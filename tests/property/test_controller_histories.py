"""Random histories of a cluster: the controller's own state, the image made by deltas, and the image made from a snapshot always agree."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from barnabas.core.controller import config_changes
from barnabas.core.controller.broker_life import fence_stale_broker
from barnabas.core.controller.elections import elect_leaders, elect_preferred, elect_unclean
from barnabas.core.controller.isr_changes import alter_partition
from barnabas.core.controller.reassignments import alter_partition_reassignments
from barnabas.core.controller.registrations import unregister_broker
from barnabas.core.controller.result import ApiError, Result
from barnabas.core.controller.topic_changes import create_partitions, create_topics, delete_topics
from barnabas.core.metadata.image import BROKER, TOPIC
from barnabas.core.metadata.partition import NO_LEADER
from barnabas.core.metadata.snapshot import image_records
from barnabas.wire.messages.alter_partition import AlterPartitionRequest
from barnabas.wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from barnabas.wire.messages.create_partitions import CreatePartitionsRequest
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.elect_leaders import ElectLeadersRequest
from tests.property.examples import examples
from tests.unit.core.controller.cluster import BOOTSTRAP, Cluster, create_request, image_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.controller.controller import Controller

BROKERS = (1, 2, 3, 4)
NAMES = ("a", "b", "c.d", "c_d")


class History:
    """A few brokers that come, go and crash, and users who create, change and delete."""

    def __init__(self, seed: int, *, elr: bool) -> None:
        self.random = Random(seed)
        bootstrap = BOOTSTRAP if elr else BOOTSTRAP[:1]
        self.cluster = Cluster(bootstrap, seed)
        self.incarnation = dict.fromkeys(BROKERS, 0)
        self.actions: list[Callable[[], None]] = [
            self.start, self.start, self.beat, self.beat, self.stop, self.wait, self.fence, self.create, self.create, self.delete, self.grow,
            self.configure, self.elect, self.periodic, self.alter_isr, self.alter_isr, self.reassign, self.unregister,
        ]  # fmt: skip

    @property
    def controller(self) -> Controller:
        return self.cluster.controller

    def step(self) -> None:
        self.random.choice(self.actions)()

    def attempt(self, operation: Callable[[], Result]) -> None:
        """Run it; sometimes leave it uncommitted for a while."""
        try:
            result = operation()
        except ApiError:
            return
        self.cluster.append(result)
        if self.random.random() < 0.7:
            self.cluster.commit()

    def broker(self) -> int:
        return self.random.choice(BROKERS)

    def start(self) -> None:
        broker = self.broker()
        existing = self.controller.brokers.registrations.get(broker)
        clean = existing is not None and self.random.random() < 0.5
        self.incarnation[broker] += 1
        try:
            self.cluster.register(
                broker, incarnation=self.incarnation[broker], previous_epoch=existing.epoch if clean and existing else -1, directories=broker % 2 + 1
            )
        except ApiError:
            return
        self.cluster.beat(broker)

    def beat(self) -> None:
        broker = self.broker()
        if broker in self.controller.brokers.registrations:
            offline = [self.controller.brokers.registrations[broker].directories[0]] if self.random.random() < 0.1 else []
            if len(self.controller.brokers.registrations[broker].directories) < 2:
                offline = []
            self.cluster.beat(broker, offline_log_dirs=offline)

    def stop(self) -> None:
        broker = self.broker()
        if broker in self.controller.brokers.registrations:
            self.cluster.beat(broker, want_shut_down=True)

    def wait(self) -> None:
        self.cluster.now_ms += self.random.randrange(12_000)

    def fence(self) -> None:
        self.attempt(lambda: fence_stale_broker(self.controller, self.cluster.now_ms))

    def create(self) -> None:
        request = create_request(self.random.choice(NAMES), self.random.randint(1, 3), self.random.randint(1, 3))
        self.attempt(lambda: create_topics(self.controller, request, 7))

    def delete(self) -> None:
        request = DeleteTopicsRequest(topic_names=[self.random.choice(NAMES)], timeout_ms=1)
        self.attempt(lambda: delete_topics(self.controller, request))

    def grow(self) -> None:
        topic = CreatePartitionsRequest.Topic(name=self.random.choice(NAMES), count=self.random.randint(2, 5), assignments=None)
        self.attempt(lambda: create_partitions(self.controller, CreatePartitionsRequest(topics=[topic], timeout_ms=1, validate_only=False)))

    def configure(self) -> None:
        resource = self.random.choice([(TOPIC, self.random.choice(NAMES)), (BROKER, ""), (BROKER, "1")])
        name = self.random.choice(["min.insync.replicas", "unclean.leader.election.enable"])
        value = self.random.choice(["1", "2"] if name.startswith("min") else ["true", "false"])
        operation = self.random.choice([config_changes.SET, config_changes.SET, config_changes.DELETE])
        changes = {resource: {name: (operation, value)}}
        self.attempt(lambda: config_changes.incremental_alter(self.controller, changes, validate_only=False, forwarded=True))

    def elect(self) -> None:
        request = ElectLeadersRequest(election_type=self.random.randint(0, 1), topic_partitions=None)
        self.attempt(lambda: elect_leaders(self.controller, request))

    def periodic(self) -> None:
        self.attempt(lambda: self.random.choice([elect_preferred, elect_unclean])(self.controller))

    def unregister(self) -> None:
        if self.random.random() < 0.2:
            self.attempt(lambda: unregister_broker(self.controller, self.broker()))

    def some_partition(self) -> tuple[bytes, int] | None:
        keys = [(topic.id, number) for topic in self.controller.topics.by_id.current.values() for number in topic.partitions]
        return self.random.choice(keys) if keys else None

    def alter_isr(self) -> None:
        key = self.some_partition()
        if key is None or self.controller.topics.partition(key).leader == NO_LEADER:
            return
        partition = self.controller.topics.partition(key)
        members = {partition.leader, *self.random.sample(partition.replicas, self.random.randint(0, len(partition.replicas)))}
        asked = AlterPartitionRequest.TopicData.PartitionData(
            partition_index=key[1],
            leader_epoch=partition.leader_epoch,
            new_isr_with_epochs=[AlterPartitionRequest.TopicData.PartitionData.BrokerState(broker_id=member) for member in sorted(members)],
            leader_recovery_state=0,
            partition_epoch=partition.partition_epoch,
        )
        topic = AlterPartitionRequest.TopicData(topic_id=key[0], partitions=[asked])
        epoch = self.controller.brokers.registrations[partition.leader].epoch
        request = AlterPartitionRequest(broker_id=partition.leader, broker_epoch=epoch, topics=[topic])
        self.attempt(lambda: alter_partition(self.controller, request, 3))

    def reassign(self) -> None:
        key = self.some_partition()
        if key is None:
            return
        target = None if self.random.random() < 0.3 else self.random.sample(BROKERS, self.random.randint(1, 3))
        asked = AlterPartitionReassignmentsRequest.ReassignableTopic.ReassignablePartition(partition_index=key[1], replicas=target)
        name = self.controller.topics.by_id[key[0]].name
        topic = AlterPartitionReassignmentsRequest.ReassignableTopic(name=name, partitions=[asked])
        self.attempt(lambda: alter_partition_reassignments(self.controller, AlterPartitionReassignmentsRequest(topics=[topic])))


def check_agreement(cluster: Cluster) -> None:
    controller, image = cluster.controller, cluster.image
    assert image.cluster.brokers == controller.brokers.registrations.current
    assert image.configs == controller.configs.data.current
    assert {name: topic.id for name, topic in image.topics.by_name.items()} == controller.topics.by_name.current
    assert {topic.id: topic.partitions for topic in image.topics.by_id.values()} == {
        topic.id: topic.partitions.current for topic in controller.topics.by_id.current.values()
    }
    assert image.features.metadata_version == controller.features.metadata_version
    assert image.features.levels == controller.features.levels.current
    assert image_of(list(image_records(image))).same_contents_as(image)


def check_indexes(controller: Controller) -> None:
    topics = controller.topics
    every = {(topic.id, number): partition for topic in topics.by_id.current.values() for number, partition in topic.partitions.current.items()}
    for broker in (*BROKERS, NO_LEADER):
        assert set(topics.in_isr.of(broker)) == {key for key, partition in every.items() if broker in partition.isr}
        assert set(topics.in_elr.of(broker)) == {key for key, partition in every.items() if broker in partition.elr}
        assert set(topics.led_by.of(broker)) == {key for key, partition in every.items() if partition.leader == broker}
    assert set(topics.imbalanced) == {key for key, partition in every.items() if partition.leader != partition.preferred_leader}
    assert set(topics.reassigning) == {key for key, partition in every.items() if partition.is_reassigning}
    plain = [name.replace(".", "_") for name in topics.by_name if "." in name or "_" in name]
    assert sorted(plain) == sorted(name for name, holders in topics.colliding.current.items() for _ in holders)


def check_sense(cluster: Cluster) -> None:
    """What must hold of every partition at every moment."""
    controller = cluster.controller
    for topic in controller.topics.by_id.current.values():
        for partition in topic.partitions.current.values():
            assert set(partition.isr) <= set(partition.replicas)
            assert not set(partition.isr) & set(partition.elr)
            assert partition.leader == NO_LEADER or partition.leader in partition.isr
            assert len(partition.directories) == len(partition.replicas)
            if not controller.features.elr_enabled:
                assert partition.isr and not partition.elr


@settings(max_examples=examples(30), deadline=None)
@given(seed=st.integers(0, 2**32), elr=st.booleans())
def test_controller_image_and_snapshot_agree(seed: int, elr: bool) -> None:
    history = History(seed, elr=elr)
    for _ in range(60):
        history.step()
        check_sense(history.cluster)
    history.cluster.commit()
    check_agreement(history.cluster)
    check_indexes(history.controller)


@settings(max_examples=examples(20), deadline=None)
@given(seed=st.integers(0, 2**32))
def test_losing_leadership_takes_back_what_had_not_committed_c2(seed: int) -> None:
    history = History(seed, elr=True)
    for _ in range(30):
        history.step()
    history.cluster.commit()
    committed = history.cluster.image
    length = len(history.cluster.log)
    commit, history.cluster.commit = history.cluster.commit, lambda: None  # type: ignore[method-assign]
    for _ in range(10):
        history.step()
    history.controller.deactivate()
    del history.cluster.log[length:]
    history.cluster.commit = commit  # type: ignore[method-assign]
    history.cluster.image = committed
    check_agreement(history.cluster)
    check_indexes(history.controller)
    history.cluster.append(history.controller.activate(length + 1, BOOTSTRAP, history.cluster.now_ms))
    for _ in range(10):
        history.step()
    history.cluster.commit()
    check_agreement(history.cluster)
    check_indexes(history.controller)
