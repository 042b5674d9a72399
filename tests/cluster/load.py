"""What users do to a cluster while it suffers: an idempotent producer that notes every acknowledgement with its time, a consumer group, topics that come and go.

Owns: the threads, and what each of them saw. Doesn't own: what must hold of it (checkers.py).
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Consumer, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from barnabas.client.admin import topics
from barnabas.wire.errors import Error
from tests.cluster.cluster import tolerant

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.client.cluster import Cluster as Client
    from tests.cluster.cluster import Cluster

PROGRESS_S = 60.0
SESSION_MS = 10_000
"""Of a group's members. One that got lost with its coordinator's connection holds the others up for as long: far less than they are waited for."""
_PARTITION_EOF = -191
OFFSETS = "__consumer_offsets"


class Acknowledged(NamedTuple):
    partition: int
    offset: int | None
    """None where librdkafka concludes it from the acknowledgement of a later batch, or the broker said only that it has the batch."""
    number: int
    at_s: float  # time.monotonic()


def number_alone(number: int) -> dict[str, object]:
    """A record, as `Producer.produce` takes it: its number is its value."""
    return {"value": b"%d" % number}


class Load:
    """An idempotent librdkafka producer, acks=all, that goes on over crashes. Records are numbered, to each partition in turn; `record` makes one of its number.

    `gap` is a client's own view, with librdkafka's default settings, at `per_second` records a second over all partitions; None: as fast as 50 a poll go.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        partitions: int,
        *,
        per_second: int | None = None,
        record: Callable[[int], dict[str, object]] = number_alone,
        **settings: object,
    ) -> None:
        self.topic = topic
        self.partitions = partitions
        self.sent = 0
        self._record = record
        self.acknowledged: list[Acknowledged] = []
        self.failed: list[str] = []
        self._per_second = per_second
        self._stop = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 1,
                "delivery.timeout.ms": 120_000,
                "log_level": 0,
                **settings,
            }
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stop.is_set():
            due = self.sent + 50 if self._per_second is None else int((time.monotonic() - began) * self._per_second)
            while self.sent < due and len(self._producer) < 90_000:
                number = self.sent
                delivered = partial(self._delivered, number)
                self._producer.produce(self.topic, partition=number % self.partitions, on_delivery=delivered, **self._record(number))  # type: ignore[arg-type]
                self.sent += 1
            self._producer.poll(0.002)
        self._producer.flush(PROGRESS_S)

    def _delivered(self, number: int, error: object, message: object) -> None:
        if error is not None:
            self.failed.append(str(error))
        else:
            at = time.monotonic()
            self.acknowledged.append(Acknowledged(message.partition(), message.offset(), number, at))  # type: ignore[attr-defined]

    def wait_for_more(self, count: int, timeout_s: float = PROGRESS_S) -> None:
        """Until so many more records are acknowledged, over all partitions."""
        target, deadline = len(self.acknowledged) + count, time.monotonic() + timeout_s
        while len(self.acknowledged) < target:
            assert time.monotonic() < deadline, f"no progress: {len(self.acknowledged)} acknowledged, {self.failed[:3]}"
            time.sleep(0.01)

    def wait_for_all_partitions(self, timeout_s: float = PROGRESS_S) -> None:
        """Until something that was acknowledged after this call is there in every partition."""
        seen, waiting, deadline = len(self.acknowledged), set(range(self.partitions)), time.monotonic() + timeout_s
        while waiting:
            assert time.monotonic() < deadline, f"partitions {sorted(waiting)} take nothing; {self.failed[:3]}"
            fresh = self.acknowledged[seen:]
            seen += len(fresh)
            waiting -= {row.partition for row in fresh}
            time.sleep(0.005)

    def gaps(self, since_s: float) -> dict[int, float]:
        """The longest time without an acknowledgement in each partition, from `since_s` to its last one."""
        latest = dict.fromkeys(range(self.partitions), since_s)
        longest = dict.fromkeys(range(self.partitions), 0.0)
        for row in list(self.acknowledged):
            if row.at_s >= since_s:
                longest[row.partition] = max(longest[row.partition], row.at_s - latest[row.partition])
                latest[row.partition] = row.at_s
        return longest

    def gap(self, since_s: float) -> float:
        return max(self.gaps(since_s).values())

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


class Group:
    """A consumer group; each member commits what it has read. Notes every record with the member that saw it."""

    def __init__(self, bootstrap: str, topic: str, members: int = 2) -> None:
        self.seen: dict[int, set[int]] = defaultdict(set)  # partition -> offsets
        self.jumps: list[tuple[int, int, int]] = []  # partition, offset expected, offset seen
        self.errors: list[str] = []
        self._bootstrap = bootstrap
        self._group_id = f"group-of-{topic}"
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(topic,), daemon=True) for _ in range(members)]
        for thread in self._threads:
            thread.start()

    def _run(self, topic: str) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": self._group_id,
                "auto.offset.reset": "error",
                "auto.commit.interval.ms": 500,
                "session.timeout.ms": SESSION_MS,
                # librdkafka forgets to join when the broker that it asked for the topic dies and leaves the cluster; it looks again with the next refresh
                "topic.metadata.refresh.interval.ms": 10_000,
                "log_level": 0,
            }
        )
        next_offset: dict[int, int] = {}

        def assigned(_: object, partitions: list) -> None:  # type: ignore[type-arg]
            next_offset.clear()
            for partition in partitions:
                partition.offset = max(self._committed(consumer, partition), 0)
            consumer.assign(partitions)

        consumer.subscribe([topic], on_assign=assigned)
        while not self._stop.is_set():
            for message in consumer.consume(500, timeout=0.2):
                if message.error():
                    self.errors.append(str(message.error()))
                    continue
                partition, offset = message.partition(), message.offset()
                expected = next_offset.get(partition, offset)
                if offset > expected:
                    self.jumps.append((partition, expected, offset))
                next_offset[partition] = offset + 1
                self.seen[partition].add(offset)
        consumer.close()

    def _committed(self, consumer: Consumer, partition: TopicPartition) -> int:
        """A coordinator that hangs answers nobody: asked again."""
        while True:
            try:
                return int(consumer.committed([partition], timeout=20)[0].offset)
            except KafkaException as error:
                self.errors.append(str(error))
                if self._stop.is_set():
                    raise

    def wait_until_seen(self, ends: dict[int, int], timeout_s: float = PROGRESS_S) -> None:
        """Until every offset below these ends was seen by some member."""
        deadline = time.monotonic() + timeout_s
        while any(len(self.seen[partition]) < end for partition, end in ends.items()):
            left = {partition: (len(self.seen[partition]), end) for partition, end in ends.items() if len(self.seen[partition]) < end}
            assert time.monotonic() < deadline, f"the group stands still: (seen, end) by partition {left}; {self.errors[-3:]}\n{self._described()}"
            time.sleep(0.05)

    def _described(self) -> str:
        """How the brokers see the group and its coordinator's partitions, and where its members' threads are."""
        client = AdminClient({"bootstrap.servers": self._bootstrap})
        try:
            group = client.describe_consumer_groups([self._group_id])[self._group_id].result(20)
            topic = client.describe_topics(TopicCollection([OFFSETS]))[OFFSETS].result(20)
        except KafkaException as error:
            return f"it can't be described: {error}"
        partitions = [(row.id, row.leader.id, [node.id for node in row.isr]) for row in topic.partitions]
        members = [(member.member_id, [(row.topic, row.partition) for row in member.assignment.topic_partitions]) for member in group.members]
        alive = [thread.is_alive() for thread in self._threads]
        return f"{group.state}, coordinator {group.coordinator}, members {members}; (partition, leader, isr) {partitions}; threads alive: {alive}"

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Churn:
    """Topics that are made and deleted, one after the other. What was acknowledged must be so in the end."""

    def __init__(self, cluster: Cluster, pause_s: float = 1.0) -> None:
        self.made: set[str] = set()
        self.deleted: set[str] = set()
        self.perhaps_deleted: set[str] = set()
        self.refused: list[str] = []
        self._cluster = cluster
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(self._pause_s):
            name = f"churn-{number}"
            made = tolerant(lambda name=name: self._cluster.ask(lambda client: _make(client, name)))
            self._note(self.made, name, made, Error.TOPIC_ALREADY_EXISTS)
            if number % 2 and f"churn-{number - 1}" in self.made:
                gone = f"churn-{number - 1}"
                self.perhaps_deleted.add(gone)
                deleted = tolerant(lambda gone=gone: self._cluster.ask(lambda client: _delete(client, gone)))
                self._note(self.deleted, gone, deleted, Error.UNKNOWN_TOPIC_OR_PARTITION)
            number += 1

    def _note(self, done: set[str], name: str, failure: object, done_before: Error) -> None:
        """`done_before`: the answer where the client asked again, since the first answer was lost."""
        if failure is None or getattr(failure, "error", None) is done_before:
            done.add(name)
        else:
            self.refused.append(f"{name}: {failure!r}")

    def wait_for_another(self, timeout_s: float = PROGRESS_S) -> None:
        """Until one more topic is made."""
        count, deadline = len(self.made), time.monotonic() + timeout_s
        while len(self.made) <= count:
            assert time.monotonic() < deadline, f"no topic could be made: {self.refused[-3:]}"
            time.sleep(0.02)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


async def _make(client: Client, name: str) -> object:
    return (await topics.create(client, [topics.NewTopic(name, 2, 3)]))[name]


async def _delete(client: Client, name: str) -> object:
    return (await topics.delete(client, [name]))[name]
