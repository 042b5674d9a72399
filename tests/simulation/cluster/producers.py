"""Producers of a simulated cluster: idempotent ones, which tell what they were acknowledged, and a careless one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record

from .clients import RETRY_MS, TOPIC, Client, replica_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from .node import Node

_FATAL = (Error.OUT_OF_ORDER_SEQUENCE_NUMBER, Error.INVALID_PRODUCER_EPOCH, Error.INVALID_RECORD, Error.CORRUPT_MESSAGE)


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
            found = replica_on(peer, TOPIC, index)
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
                found = replica_on(peer, TOPIC, index)
                if found is None or found.leading is None:
                    reply(Error.NOT_LEADER_OR_FOLLOWER)
                else:
                    found.produce_carelessly(data)
                    reply(Error.NONE)

            self.ask(leader[0], serve, lambda error: error and self.forget(TOPIC, index), lambda: self.forget(TOPIC, index))
        self.after(random.choice((50, 200, 400)), self._produce)
