"""Clients of a simulated cluster: idempotent producers, careless ones, consumers, members of a group, and who creates the topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.core.controller.topic_changes import create_topics
from barnabas.core.groups.context import Caller
from barnabas.core.groups.shard import GroupShard
from barnabas.wire.errors import Error
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.heartbeat import HeartbeatRequest
from barnabas.wire.messages.join_group import JoinGroupRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from barnabas.wire.messages.sync_group import SyncGroupRequest
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record

from .broker import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cluster import Cluster
    from .node import Node
    from .replica import Answer, Replica

TIMEOUT_MS = 1500
RETRY_MS = 80
_FATAL = (Error.OUT_OF_ORDER_SEQUENCE_NUMBER, Error.INVALID_PRODUCER_EPOCH, Error.INVALID_RECORD, Error.CORRUPT_MESSAGE)
TOPIC = "t"


class Client:
    """Something outside of the cluster, with an end of its own on the network; it never dies."""

    incarnation = 0

    def __init__(self, cluster: Cluster, client_id: int) -> None:
        self.cluster = cluster
        self.id = client_id
        self._metadata: dict[tuple[str, int], tuple[int, int]] = {}

    def run(self, call: Callable[[], None]) -> None:
        call()

    def after(self, delay_ms: int, call: Callable[[], None]) -> None:
        self.cluster.call_in(delay_ms, call)

    def leader_of(self, topic: str, index: int) -> tuple[int, int] | None:
        """(node, leader epoch) as this client believes; None: it doesn't know, and has asked."""
        known = self._metadata.get((topic, index))
        if known is None:
            self.refresh()
        return known

    def refresh(self) -> None:
        """Ask some broker for the metadata. An older epoch than is known already doesn't count."""
        brokers = [node.id for node in self.cluster.nodes.values() if node.is_broker]

        def serve(peer: Node, reply: Callable[[list[tuple[str, int, int, int]]], None]) -> None:
            image = None if peer.broker is None or not peer.broker.is_serving else peer.broker.image
            topics = [] if image is None else image.topics.by_id.values()
            reply([(topic.name, index, found.leader, found.leader_epoch) for topic in topics for index, found in topic.partitions.items()])

        def answered(rows: list[tuple[str, int, int, int]]) -> None:
            for topic, index, leader, epoch in rows:
                if leader >= 0 and epoch >= self._newest_epoch.get((topic, index), 0):
                    self._metadata[topic, index] = (leader, epoch)
                    self._newest_epoch[topic, index] = epoch

        self.ask(self.cluster.random.choice(brokers), serve, answered, lambda: None)

    @property
    def _newest_epoch(self) -> dict[tuple[str, int], int]:
        return self.__dict__.setdefault("_epochs", {})

    def forget(self, topic: str, index: int) -> None:
        self._metadata.pop((topic, index), None)

    def ask(self, node_id: int, serve: Any, answered: Any, failed: Callable[[], None]) -> None:
        self.cluster.ask(self, node_id, serve, answered, failed, timeout_ms=TIMEOUT_MS)


class Operator(Client):
    """Creates the topics, as soon as somebody can."""

    def begin(self) -> None:
        self._create(self.cluster.random.choice(self.cluster.voter_ids))

    def _create(self, node_id: int) -> None:
        cluster = self.cluster
        rows = [(TOPIC, cluster.partitions), (GROUPS, 1)]
        topics = [
            CreateTopicsRequest.CreatableTopic(
                name=name, num_partitions=count, replication_factor=cluster.replication_factor, assignments=[], configs=[]
            )
            for name, count in rows
        ]
        request = CreateTopicsRequest(topics=topics, validate_only=False)

        def serve(peer: Node, reply: Callable[[Any], None]) -> None:
            assert peer.controller is not None
            peer.controller.run(lambda controller, now_ms: create_topics(controller, request, 7), lambda error, response: reply((error, response)))

        def answered(answer: Any) -> None:
            error, response = answer
            if error is not Error.NONE or any(row.error_code not in (Error.NONE, Error.TOPIC_ALREADY_EXISTS) for row in response.topics):
                again()

        def again() -> None:
            self.after(150, lambda: self._create(cluster.random.choice(cluster.voter_ids)))

        self.ask(node_id, serve, answered, again)


class _Sent:
    __slots__ = ("attempt", "data", "is_out", "number", "values")

    def __init__(self, data: bytes, values: list[bytes], number: int) -> None:
        self.data, self.values, self.number = data, values, number
        self.is_out = False
        self.attempt = 0


class Producer(Client):
    """Idempotent, acks=all, with up to five batches in flight to each partition, as many as a leader remembers. Never gives a batch up."""

    def begin(self) -> None:
        self.producer_id = -1
        self.is_over = False
        self.count = 0
        self._sequences: dict[int, int] = {}
        self._numbers = dict.fromkeys(range(self.cluster.partitions), 0)
        self._is_known: set[int] = set()
        self._queues: dict[int, list[_Sent]] = {index: [] for index in range(self.cluster.partitions)}
        self._init()

    @property
    def name(self) -> str:
        return f"producer {self.id}"

    @property
    def is_idle(self) -> bool:
        return not any(self._queues.values())

    def _init(self) -> None:
        brokers = [node.id for node in self.cluster.nodes.values() if node.is_broker]

        def serve(peer: Node, reply: Callable[[tuple[Error, int]], None]) -> None:
            if peer.broker is not None:
                peer.broker.init_producer_id(lambda error, producer_id: reply((error, producer_id)))

        def answered(answer: tuple[Error, int]) -> None:
            if answer[0] is Error.NONE and self.producer_id < 0:
                self.producer_id = answer[1]
                self._produce()
            elif self.producer_id < 0:
                again()

        def again() -> None:
            self.after(RETRY_MS, self._init)

        self.ask(self.cluster.random.choice(brokers), serve, answered, again)

    def _produce(self) -> None:
        """A new batch for some partition, for as long as it is wanted."""
        if self.is_over:
            return
        random = self.cluster.random
        self.produce_to(random.randrange(self.cluster.partitions))
        self.after(random.choice((5, 40, 100, 300)), self._produce)

    def produce_to(self, index: int) -> None:
        queue = self._queues[index]
        if self.producer_id < 0 or len(queue) >= 20:
            return
        self.count += 1
        values = [
            b"%d-%d-%d" % (self.id, self.count, number) + b"." * self.cluster.padding for number in range(self.cluster.random.choice((1, 1, 2, 5)))
        ]
        sequence = self._sequences.get(index, 0)
        self._numbers[index] += 1
        self._sequences[index] = sequence + len(values)
        records = [Record(timestamp=self.cluster.now_ms, value=value) for value in values]
        queue.append(
            _Sent(build_batch(records, producer_id=self.producer_id, producer_epoch=0, base_sequence=sequence), values, self._numbers[index])
        )
        self._pump(index)

    def _pump(self, index: int) -> None:
        leader = self.leader_of(TOPIC, index)
        queue = self._queues[index]
        if leader is None:
            if queue:
                self.after(RETRY_MS, lambda: self._pump(index))
            return
        # The first one alone: a leader that doesn't know the producer takes whatever comes, and only a connection would keep the order.
        in_flight = self.cluster.in_flight if index in self._is_known else 1
        for sent in queue:
            if not sent.is_out and sent.number < queue[0].number + in_flight:
                self._send(index, sent, leader)

    def _send(self, index: int, sent: _Sent, leader: tuple[int, int]) -> None:
        sent.is_out = True
        sent.attempt += 1
        attempt, was_first = sent.attempt, self._queues[index][0] is sent

        def serve(peer: Node, reply: Callable[[tuple[Error, int]], None]) -> None:
            found = _replica(peer, TOPIC, index)
            if found is None:
                reply((Error.UNKNOWN_TOPIC_OR_PARTITION, -1))
            else:
                found.produce(sent.data, leader[1], lambda error, offset: reply((error, offset)))

        def answered(answer: tuple[Error, int]) -> None:
            error, offset = answer
            if sent not in self._queues[index]:
                return
            if error is Error.NONE:
                self.cluster.invariants.acknowledged(TOPIC, index, offset, sent.values)
                self._queues[index].remove(sent)
                self._is_known.add(index)
                self._pump(index)
            elif attempt == sent.attempt:
                if error in _FATAL and was_first:
                    self.cluster.invariants.refused_for_good(self.name, error, TOPIC, index, sent.values)
                    self._queues[index].remove(sent)
                    self._pump(index)
                    return
                again()

        def again() -> None:
            if attempt == sent.attempt and sent in self._queues[index]:
                self.forget(TOPIC, index)
                self.after(RETRY_MS, retry)

        def retry() -> None:
            if attempt == sent.attempt:
                sent.is_out = False
                self._pump(index)

        self.ask(leader[0], serve, answered, again)


class CarelessProducer(Client):
    """acks=1 and no idempotence: what it writes may be cut off again, which others must get over."""

    def begin(self) -> None:
        self.is_over = False
        self._count = 0
        self._produce()

    def _produce(self) -> None:
        if self.is_over:
            return
        random = self.cluster.random
        index = random.randrange(self.cluster.partitions)
        leader = self.leader_of(TOPIC, index)
        if leader is not None:
            self._count += 1
            data = build_batch([Record(timestamp=self.cluster.now_ms, value=b"careless %d" % self._count)])

            def serve(peer: Node, reply: Callable[[Error], None]) -> None:
                found = _replica(peer, TOPIC, index)
                if found is None or found.leading is None:
                    reply(Error.NOT_LEADER_OR_FOLLOWER)
                else:
                    found.produce_carelessly(data)
                    reply(Error.NONE)

            self.ask(leader[0], serve, lambda error: error and self.forget(TOPIC, index), lambda: self.forget(TOPIC, index))
        self.after(random.choice((50, 200, 400)), self._produce)


class Consumer(Client):
    """Reads every partition from its beginning."""

    def begin(self) -> None:
        self.positions = dict.fromkeys(range(self.cluster.partitions), 0)
        for index in self.positions:
            self._fetch(index)

    @property
    def name(self) -> str:
        return f"consumer {self.id}"

    def _fetch(self, index: int) -> None:
        leader = self.leader_of(TOPIC, index)
        if leader is None:
            self.after(RETRY_MS, lambda: self._fetch(index))
            return
        position = self.positions[index]

        def answered(answer: Answer | None) -> None:
            if answer is None or answer.error is not Error.NONE:
                if answer is not None and answer.error is Error.OFFSET_OUT_OF_RANGE:
                    self.cluster.invariants.out_of_range(self.name, TOPIC, index, position)
                again()
                return
            self.positions[index] = self.cluster.invariants.consumed(self.name, TOPIC, index, position, answer.records)
            self.after(20 if answer.records else 200, lambda: self._fetch(index))

        def again() -> None:
            self.forget(TOPIC, index)
            self.after(RETRY_MS, lambda: self._fetch(index))

        self.ask(leader[0], _reading(TOPIC, index, position, leader[1]), answered, again)


def _reading(topic: str, index: int, position: int, leader_epoch: int) -> Callable[[Node, Callable[[Any], None]], None]:
    def serve(peer: Node, reply: Callable[[Any], None]) -> None:
        found = _replica(peer, topic, index)
        reply(None if found is None else found.read_for_consumer(position, leader_epoch))

    return serve


class Member(Client):
    """Of a classic group: joins, syncs, beats, reads its partitions from what the group has committed, commits. Leaves sometimes, and comes again."""

    group = "g"

    def begin(self) -> None:
        self.member_id = ""
        self.generation = -1
        self.positions: dict[int, int] = {}
        self._life = 0
        self._join()

    @property
    def name(self) -> str:
        return f"member {self.id}"

    def _call(self, method: Any, request: Any, version: int, answered: Callable[[Any], None], *extra: Any) -> None:
        """To the coordinator. None: no answer."""
        leader = self.leader_of(GROUPS, 0)
        life = self._life

        def serve(peer: Node, reply: Callable[[Any], None]) -> None:
            host = None if peer.broker is None or not peer.broker.is_serving else peer.broker.groups.get(0)
            if host is None:
                reply(None)
            else:
                host.call(method, type(request).decode(request.encode(version), version), *extra, reply=reply)

        def once(answer: Any) -> None:
            if life == self._life:
                if answer is None:
                    self.forget(GROUPS, 0)
                answered(answer)

        if leader is None:
            self.after(RETRY_MS, lambda: answered(None) if life == self._life else None)
        else:
            self.cluster.ask(self, leader[0], serve, once, lambda: once(None), timeout_ms=3 * TIMEOUT_MS)

    def _again(self) -> None:
        self._life += 1
        self.after(RETRY_MS, self._join)

    def _join(self) -> None:
        self.positions = {}
        request = JoinGroupRequest(
            group_id=self.group,
            session_timeout_ms=1500,
            rebalance_timeout_ms=2000,
            member_id=self.member_id,
            protocol_type="consumer",
            protocols=[JoinGroupRequest.Protocol(name="p", metadata=b"")],
        )

        def answered(answer: Any) -> None:
            if answer is None:
                self._again()
            elif answer.error_code == Error.NONE:
                self.member_id, self.generation = answer.member_id, answer.generation_id
                self._sync([member.member_id for member in answer.members] if answer.leader == answer.member_id else [])
            else:
                if answer.error_code == Error.MEMBER_ID_REQUIRED:
                    self.member_id = answer.member_id
                elif answer.error_code == Error.UNKNOWN_MEMBER_ID:
                    self.member_id = ""
                elif answer.error_code == Error.NOT_COORDINATOR:
                    self.forget(GROUPS, 0)
                self._again()

        self._call(GroupShard.join_group, request, 9, answered, Caller(self.name, "/sim", 9))

    def _sync(self, members: list[str]) -> None:
        """The leader deals the partitions out."""
        share: dict[str, list[int]] = {member: [] for member in members}
        for index in range(self.cluster.partitions):
            if members:
                share[members[index % len(members)]].append(index)
        request = SyncGroupRequest(
            group_id=self.group,
            generation_id=self.generation,
            member_id=self.member_id,
            protocol_type="consumer",
            protocol_name="p",
            assignments=[SyncGroupRequest.Assignment(member_id=member, assignment=bytes(indexes)) for member, indexes in share.items()],
        )

        def answered(answer: Any) -> None:
            if answer is None or answer.error_code != Error.NONE:
                self._lost(answer)
                return
            self.cluster.invariants.assigned(self.group, self.generation, self.member_id, list(answer.assignment))
            self._begin_at(list(answer.assignment))

        self._call(GroupShard.sync_group, request, 5, answered)

    def _lost(self, answer: Any) -> None:
        if answer is not None and answer.error_code == Error.UNKNOWN_MEMBER_ID:
            self.member_id = ""
        if answer is not None and answer.error_code == Error.NOT_COORDINATOR:
            self.forget(GROUPS, 0)
        self._again()

    def _begin_at(self, indexes: list[int]) -> None:
        topics = OffsetFetchRequest.Group.Topics(name=TOPIC, partition_indexes=indexes)
        request = OffsetFetchRequest(groups=[OffsetFetchRequest.Group(group_id=self.group, topics=[topics])])
        life = self._life
        floors = {index: self.cluster.invariants.group_floor(self.group, index) for index in indexes}

        def answered(answer: Any) -> None:
            if answer is None or answer.error_code != Error.NONE:
                self._lost(answer)
                return
            committed = {row.partition_index: row.committed_offset for topic in answer.topics for row in topic.partitions}
            for index in indexes:
                position = committed.get(index, -1)
                self.cluster.invariants.resumed(self.name, index, position, floors[index])
                self.positions[index] = max(position, 0)
                self._read(index, life)
            self._beat()

        self._call(_fetch_offsets, request, 8, answered)

    def _read(self, index: int, life: int) -> None:
        if life != self._life:
            return
        leader = self.leader_of(TOPIC, index)
        if leader is None:
            self.after(RETRY_MS, lambda: self._read(index, life))
            return
        position = self.positions[index]

        def answered(answer: Answer | None) -> None:
            if life != self._life:
                return
            if answer is None or answer.error is not Error.NONE:
                again()
                return
            self.positions[index] = self.cluster.invariants.consumed(self.name, TOPIC, index, position, answer.records)
            self.after(60, lambda: self._read(index, life))

        def again() -> None:
            self.forget(TOPIC, index)
            self.after(RETRY_MS, lambda: self._read(index, life))

        self.ask(leader[0], _reading(TOPIC, index, position, leader[1]), answered, again)

    def _beat(self) -> None:
        """A heartbeat and a commit in turns; both tell when there is a rebalance."""
        life = self._life
        if self.cluster.random.random() < 0.02:
            self.member_id = ""  # it forgets who it was, as a new process would; its session ends
            self._again()
            return
        request = HeartbeatRequest(group_id=self.group, generation_id=self.generation, member_id=self.member_id)

        def answered(answer: Any) -> None:
            if answer is None or answer.error_code != Error.NONE:
                self._lost(answer)
            else:
                self._commit(life)

        self._call(GroupShard.heartbeat, request, 4, answered)

    def _commit(self, life: int) -> None:
        positions = dict(self.positions)
        rows = [
            OffsetCommitRequest.Topic.Partition(partition_index=index, committed_offset=offset, committed_metadata=None)
            for index, offset in positions.items()
        ]
        request = OffsetCommitRequest(
            group_id=self.group,
            generation_id_or_member_epoch=self.generation,
            member_id=self.member_id,
            topics=[OffsetCommitRequest.Topic(name=TOPIC, partitions=rows)],
        )

        def answered(answer: Any) -> None:
            errors = set() if answer is None else {row.error_code for topic in answer.topics for row in topic.partitions}
            if answer is not None and not errors - {Error.NONE}:
                for index, offset in positions.items():
                    self.cluster.invariants.group_committed(self.group, index, offset)
            elif errors & {Error.UNKNOWN_MEMBER_ID, Error.ILLEGAL_GENERATION}:
                self._again()
                return
            self.after(300, lambda: self._beat() if life == self._life else None)

        self._call(GroupShard.commit_offsets, request, 9, answered, 9)


def _fetch_offsets(shard: GroupShard, request: OffsetFetchRequest, token: Any, now_ms: int) -> None:
    shard.fetch_offsets(request.groups[0], False, 8, token, now_ms)


def _replica(peer: Node, topic: str, index: int) -> Replica | None:
    return None if peer.broker is None else peer.broker.partition_of(topic, index)
