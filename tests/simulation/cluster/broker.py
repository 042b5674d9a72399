"""A node's broker: it registers, beats, follows the metadata with its replicas, serves clients and other brokers, fetches from leaders."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.core.controller.broker_life import HeartbeatReply, assign_replicas_to_dirs, process_broker_heartbeat
from barnabas.core.controller.isr_changes import alter_partition
from barnabas.core.controller.registrations import register_broker
from barnabas.core.metadata.features import SUPPORTED
from barnabas.core.metadata.partition import RECOVERED
from barnabas.core.partition.leadership import Outcome, Proposal
from barnabas.storage.log_config import LogConfig
from barnabas.storage.log_directory import LogDirectory
from barnabas.storage.partition_metadata import read_topic_id
from barnabas.wire.errors import Error
from barnabas.wire.messages.alter_partition import AlterPartitionRequest
from barnabas.wire.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest
from barnabas.wire.messages.broker_heartbeat import BrokerHeartbeatRequest
from barnabas.wire.messages.broker_registration import BrokerRegistrationRequest

from .groups import GroupHost
from .replica import LAG_MS, Answer, Key, Replica

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.metadata.image import MetadataImage
    from barnabas.core.metadata.registration import Broker as Registration
    from barnabas.core.partition.following import Following, Position

    from .controller import OnAnswer, Operation
    from .invariants import Invariants
    from .node import Node

HEARTBEAT_MS = 400
RETRY_MS = 100
REQUEST_TIMEOUT_MS = 1200
FETCH_WAIT_MS = 250
CHECKPOINT_MS = 1500
DELETE_MS = 1000
GROUPS = "__consumer_offsets"


class Wanted(NamedTuple):
    key: Key
    position: Position
    start_offset: int


class _Parked:
    """A follower's fetch that waits for something to tell."""

    __slots__ = ("follower_id", "is_done", "reply", "wanted")

    def __init__(self, follower_id: int, wanted: list[Wanted], reply: Callable[[list[Answer]], None]) -> None:
        self.follower_id = follower_id
        self.wanted = wanted
        self.reply = reply
        self.is_done = False


class Broker:
    """One life. `epoch` is -1 until it is registered."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.incarnation_id = node.cluster.random.randbytes(16)
        self.epoch = -1
        self.is_fenced = True
        self.is_serving = False
        self.is_stopping = False
        self.replicas: dict[Key, Replica] = {}
        self.groups: dict[int, GroupHost] = {}
        self.files: LogDirectory
        self.image: MetadataImage | None = None
        self._fetching: set[int] = set()
        self._parked: list[_Parked] = []
        self._told: dict[tuple[int, Key], int] = {}
        self._producer_ids: list[int] = []

    @property
    def now_ms(self) -> int:
        return self.node.cluster.now_ms

    @property
    def min_isr(self) -> int:
        return self.node.cluster.min_isr

    @property
    def invariants(self) -> Invariants:
        return self.node.cluster.invariants

    @property
    def brokers(self) -> dict[int, Registration]:
        return {} if self.image is None else self.image.cluster.brokers

    # --- life

    def load(self) -> None:
        """What is on disk, then register. Replicas neither lead nor follow before the metadata has this registration."""
        self.files = LogDirectory(self.node.disk.root)
        clean = self.files.was_clean
        self._previous_epoch = -1 if self.files.broker_epoch is None else self.files.broker_epoch
        found = self.files.partitions()
        self.files.begin_loading()
        for entry in found:
            topic_id = read_topic_id(entry.path)
            if entry.suffix:
                self.files.remove_later(entry.path, self.now_ms, DELETE_MS)
            elif topic_id is not None:
                self._open(entry.topic, topic_id, entry.partition, entry.path, clean=clean)
        self.invariants.loaded(self)
        self._register()
        self.node.after(CHECKPOINT_MS, self._checkpoint)
        self.node.after(LAG_MS // 2, self._check_lag)

    def _open(self, topic: str, topic_id: bytes, index: int, path: str, *, clean: bool) -> Replica:
        cluster = self.node.cluster
        config = LogConfig(segment_bytes=cluster.segment_bytes, segment_index_bytes=960, index_interval_bytes=200, retention_ms=-1)
        if cluster.syncs_each_batch:
            config = config._replace(flush_messages=1)
        replica = self.replicas[topic_id, index] = Replica(self, topic, topic_id, index, path, config, clean=clean)
        return replica

    def _register(self) -> None:
        request = BrokerRegistrationRequest(
            broker_id=self.node.id,
            cluster_id=self.node.cluster.id,
            incarnation_id=self.incarnation_id,
            listeners=[BrokerRegistrationRequest.Listener(name="PLAINTEXT", host=f"node{self.node.id}", port=9092, security_protocol=0)],
            features=[
                BrokerRegistrationRequest.Feature(name=name, min_supported_version=least, max_supported_version=most)
                for name, (least, most) in SUPPORTED.items()
            ],
            rack=None,
            log_dirs=[self.node.directory_id],
            previous_broker_epoch=self._previous_epoch,
        )

        def answered(error: Error, epoch: Any) -> None:
            if error is Error.NONE:
                self.epoch = epoch
                self._beat()
            else:
                self.node.after(RETRY_MS, self._register)

        self.ask_controller(lambda controller, now_ms: register_broker(controller, request, 4, now_ms), answered)

    def _beat(self) -> None:
        request = BrokerHeartbeatRequest(
            broker_id=self.node.id,
            broker_epoch=self.epoch,
            current_metadata_offset=self.node.metadata.image.offset if self.image is not None else -1,
            want_fence=False,
            want_shut_down=self.is_stopping,
            cordoned_log_dirs=[],
        )

        def answered(error: Error, reply: HeartbeatReply | None) -> None:
            if error is Error.STALE_BROKER_EPOCH:
                self.node.after(RETRY_MS, self._register)
                return
            if reply is not None:
                self.is_fenced = reply.is_fenced
                if not reply.is_fenced and not self.is_serving:
                    self._begin_to_serve()
                if reply.should_shut_down and self.is_stopping:
                    self._stop()
                    return
            self.node.after(30 if self.is_fenced or self.is_stopping else HEARTBEAT_MS, self._beat)

        self.ask_controller(lambda controller, now_ms: process_broker_heartbeat(controller, request, now_ms), answered)

    def _begin_to_serve(self) -> None:
        self.is_serving = True
        for replica in self.replicas.values():
            if replica.leading is not None:
                self.led(replica, replica.leading.leader_epoch)
                replica.advance()

    def _stop(self) -> None:
        """A clean stop: everything synced and promised (D84)."""
        for replica in self.replicas.values():
            replica.log.close()
        self.write_checkpoints()
        self.files.close(self.epoch)
        self.node.cluster.stopped(self.node)

    def ask_controller(self, operation: Operation, on_answer: OnAnswer) -> None:
        """Of whoever leads the quorum, as far as this node knows. NETWORK_EXCEPTION: nobody answered."""
        leader_id = self.node.metadata.quorum.leader_id
        if leader_id < 0:
            self.node.after(RETRY_MS, lambda: on_answer(Error.NETWORK_EXCEPTION, None))
            return

        def serve(peer: Node, reply: Callable[[tuple[Error, Any]], None]) -> None:
            if peer.controller is None:
                reply((Error.NOT_CONTROLLER, None))
            else:
                peer.controller.run(operation, lambda error, response: reply((error, response)))

        self.node.cluster.ask(
            self.node,
            leader_id,
            serve,
            lambda answer: on_answer(*answer),
            lambda: on_answer(Error.NETWORK_EXCEPTION, None),
            timeout_ms=REQUEST_TIMEOUT_MS,
        )

    # --- the metadata

    def follow(self, image: MetadataImage) -> None:
        """What is older than this registration was meant for an earlier life, which had another log perhaps. A host may wait for the registration, or follow
        what it finds at once, as long as nobody is served and nothing written before it is unfenced, its own coordinators' records neither.
        """
        registered = image.cluster.brokers.get(self.node.id)
        is_mine = registered is not None and registered.epoch == self.epoch
        if self.is_stopping or not (is_mine or self.node.cluster.follows_early):
            return
        self.image = image
        for key, replica in list(self.replicas.items()):
            topic = image.topics.by_id.get(key[0])
            if topic is not None and self.node.id not in topic.partitions[key[1]].replicas:
                self._delete(replica)
        misplaced = []
        for topic in image.topics.by_id.values():
            for index, partition in topic.partitions.items():
                if self.node.id in partition.replicas:
                    replica = self.replicas.get((topic.id, index))
                    if replica is None:
                        path = self.files.create_partition(topic.name, index)
                        replica = self._open(topic.name, topic.id, index, path, clean=True)
                    if partition.directory_of(self.node.id) != self.node.directory_id:
                        misplaced.append((topic.id, index))
                    replica.follow_metadata(partition)
        if misplaced:
            self._assign_directory(misplaced)
        self._fetch_all()

    def _delete(self, replica: Replica) -> None:
        """It was reassigned to another broker."""
        del self.replicas[replica.key]
        replica.retire()
        replica.log.rename_for_deletion(self.files, replica.topic, replica.index, self.now_ms, DELETE_MS)

    def _assign_directory(self, keys: list[Key]) -> None:
        """Tell the controller that these replicas are in this node's directory, which it doesn't know (C26)."""
        data = AssignReplicasToDirsRequest.DirectoryData
        topics = [data.TopicData(topic_id=topic_id, partitions=[data.TopicData.PartitionData(partition_index=index)]) for topic_id, index in keys]
        directories = [data(id=self.node.directory_id, topics=topics)]
        request = AssignReplicasToDirsRequest(broker_id=self.node.id, broker_epoch=self.epoch, directories=directories)
        self.ask_controller(lambda controller, now_ms: assign_replicas_to_dirs(controller, request), self._directories_assigned)

    def _directories_assigned(self, error: Error, response: Any) -> None:
        """If it failed, the next image says so still."""
        if error is not Error.NONE and self.image is not None:
            self.node.after(RETRY_MS, lambda: self.follow(self.node.metadata.image))

    def led(self, replica: Replica, epoch: int) -> None:
        """From a new epoch on. What this broker leads by an earlier life's registration it must not write to: its log may have lost what others have."""
        if not self.is_serving:
            return
        self.invariants.leads(replica, epoch)
        if replica.topic == GROUPS:
            if replica.index in self.groups:
                self.groups.pop(replica.index).close()
            self.groups[replica.index] = GroupHost(replica)

    def leads_no_longer(self, replica: Replica) -> None:
        if replica.topic == GROUPS and replica.index in self.groups:
            self.groups.pop(replica.index).close()

    def high_watermark_moved(self, replica: Replica) -> None:
        host = self.groups.get(replica.index)
        if replica.topic == GROUPS and host is not None:
            host.committed()

    # --- periodic work

    def _checkpoint(self) -> None:
        for replica in self.replicas.values():
            if replica.log.needs_flush(self.now_ms):
                replica.log.flush_in_background(nullcontext())
        self.write_checkpoints()
        self.files.remove_due(self.now_ms)
        self.node.after(CHECKPOINT_MS, self._checkpoint)

    def write_checkpoints(self) -> None:
        replicas = self.replicas.values()
        self.files.write_recovery_points({(replica.topic, replica.index): replica.log.recovery_point for replica in replicas})
        self.files.write_high_watermarks({(replica.topic, replica.index): replica.high_watermark for replica in replicas})

    def _check_lag(self) -> None:
        for replica in list(self.replicas.values()):
            replica.check_lag()
        self.node.after(LAG_MS // 2, self._check_lag)

    def send_proposal(self, replica: Replica, proposal: Proposal) -> None:
        data = AlterPartitionRequest.TopicData
        states = [data.PartitionData.BrokerState(broker_id=member, broker_epoch=epoch) for member, epoch in proposal.isr]
        row = data.PartitionData(
            partition_index=replica.index,
            leader_epoch=proposal.leader_epoch,
            new_isr_with_epochs=states,
            leader_recovery_state=RECOVERED,
            partition_epoch=proposal.partition_epoch,
        )
        request = AlterPartitionRequest(broker_id=self.node.id, broker_epoch=self.epoch, topics=[data(topic_id=replica.topic_id, partitions=[row])])

        def answered(error: Error, response: Any) -> None:
            outcome = Outcome(error)
            if error is Error.NONE:
                row = response.topics[0].partitions[0]
                outcome = Outcome(Error(row.error_code), row.leader_epoch, tuple(row.isr), row.partition_epoch)
            if replica.leading is None:
                return
            if replica.leading.answered(proposal, outcome):
                self.node.after(RETRY_MS, lambda: self.send_proposal(replica, proposal))
            elif replica.leading is not None:
                replica.advance()

        self.ask_controller(lambda controller, now_ms: alter_partition(controller, request, 3), answered)

    # --- fetching from leaders

    def _fetch_all(self) -> None:
        for leader_id in sorted({replica.leader for replica in self.replicas.values() if replica.following is not None and replica.leader >= 0}):
            self._fetch(leader_id)

    def _fetch(self, leader_id: int) -> None:
        if leader_id in self._fetching:
            return
        followed = [replica for replica in self.replicas.values() if replica.leader == leader_id and replica.following is not None]
        wanted = [Wanted(replica.key, found, replica.log.start_offset) for replica in followed if (found := replica.position()) is not None]
        if not followed:
            return
        self._fetching.add(leader_id)
        if not wanted:
            self.node.after(RETRY_MS // 2, lambda: self._fetch_again(leader_id))
            return
        follower_id, epoch = self.node.id, self.epoch

        def serve(peer: Node, reply: Callable[[list[Answer]], None]) -> None:
            if peer.broker is not None:
                peer.broker.serve_fetch(follower_id, epoch, wanted, reply)

        def answered(answers: list[Answer]) -> None:
            for one, answer in zip(wanted, answers, strict=True):
                replica = self.replicas.get(one.key)
                if replica is not None and replica.leader == leader_id:
                    replica.receive(one.position, answer)
            self._fetch_again(leader_id)

        self.node.cluster.ask(
            self.node,
            leader_id,
            serve,
            answered,
            lambda: self.node.after(RETRY_MS, lambda: self._fetch_again(leader_id)),
            timeout_ms=FETCH_WAIT_MS + REQUEST_TIMEOUT_MS,
        )

    def _fetch_again(self, leader_id: int) -> None:
        self._fetching.discard(leader_id)
        self._fetch(leader_id)

    def serve_fetch(self, follower_id: int, epoch: int, wanted: list[Wanted], reply: Callable[[list[Answer]], None]) -> None:
        answers = [self._answer(follower_id, epoch, one) for one in wanted]
        if self._is_news(follower_id, wanted, answers):
            reply(answers)
            return
        parked = _Parked(follower_id, wanted, reply)
        self._parked.append(parked)
        self.node.after(FETCH_WAIT_MS, lambda: self._unpark(parked))

    def _answer(self, follower_id: int, epoch: int, one: Wanted) -> Answer:
        replica = self.replicas.get(one.key)
        if replica is None or not self.is_serving:
            return Answer(Error.UNKNOWN_TOPIC_ID)
        return replica.fetched(follower_id, one.position, one.start_offset, epoch)

    def _is_news(self, follower_id: int, wanted: list[Wanted], answers: list[Answer]) -> bool:
        """Records, an error, or a high watermark that this follower hasn't heard of."""
        news = False
        for one, answer in zip(wanted, answers, strict=True):
            if self._told.get((follower_id, one.key)) != answer.high_watermark:
                self._told[follower_id, one.key] = answer.high_watermark
                news = True
            news = news or answer.says_something
        return news

    def wake(self, replica: Replica) -> None:
        """There is something new in a partition: fetches that wait for it are answered, after what happens now."""
        parked = [one for one in self._parked if any(wanted.key == replica.key for wanted in one.wanted)]
        for one in parked:
            self._parked.remove(one)
            self.node.after(0, lambda one=one: self._unpark(one))  # type: ignore[misc]

    def _unpark(self, parked: _Parked) -> None:
        if parked.is_done:
            return
        parked.is_done = True
        if parked in self._parked:
            self._parked.remove(parked)
        answers = []
        for one in parked.wanted:
            replica = self.replicas.get(one.key)
            answers.append(Answer(Error.UNKNOWN_TOPIC_ID) if replica is None else replica.read_for_follower(one.position))
        self._is_news(parked.follower_id, parked.wanted, answers)
        parked.reply(answers)

    def ask_offsets(self, replica: Replica, following: Following, leader_epoch: int) -> None:
        """ListOffsets, latest and earliest."""

        def serve(peer: Node, reply: Callable[[tuple[Error, int, int]], None]) -> None:
            found = None if peer.broker is None or not peer.broker.is_serving else peer.broker.replicas.get(replica.key)
            if found is None or found.leading is None or found.leading.leader_epoch != leader_epoch:
                reply((Error.NOT_LEADER_OR_FOLLOWER, -1, -1))
            else:
                reply((Error.NONE, found.log.end_offset, found.log.start_offset))

        def answered(answer: tuple[Error, int, int]) -> None:
            if answer[0] is Error.NONE:
                replica.learned(following, answer[1], answer[2])
            else:
                following.not_learned(answer[0], self.now_ms)

        self.node.cluster.ask(
            self.node,
            replica.leader,
            serve,
            answered,
            lambda: following.not_learned(Error.NETWORK_EXCEPTION, self.now_ms) and None,
            timeout_ms=REQUEST_TIMEOUT_MS,
        )

    # --- what clients ask

    def partition_of(self, topic: str, index: int) -> Replica | None:
        """For data and groups; None while this broker serves nobody."""
        for replica in self.replicas.values():
            if (replica.topic, replica.index) == (topic, index) and self.is_serving:
                return replica
        return None

    def init_producer_id(self, done: Callable[[Error, int], None]) -> None:
        if self._producer_ids:
            done(Error.NONE, self._producer_ids.pop(0))
            return
        if self.epoch < 0:
            done(Error.COORDINATOR_NOT_AVAILABLE, -1)
            return
        broker_id, epoch = self.node.id, self.epoch

        def answered(error: Error, block: Any) -> None:
            if error is Error.NONE:
                self._producer_ids = list(range(block[0], block[0] + 5))
                done(Error.NONE, self._producer_ids.pop(0))
            else:
                done(Error.COORDINATOR_NOT_AVAILABLE, -1)

        self.ask_controller(lambda controller, now_ms: controller.allocate_producer_ids(broker_id, epoch), answered)
