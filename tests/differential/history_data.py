"""Histories of a log: producers with sequences, fetches with and without sessions, parked ones, offsets by time, deletions, in an order that a seed makes up.

What each step asks depends on what was answered before, so steps are only the same for both nodes while their answers are.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from barnabas.wire.messages.alter_configs import AlterConfigsRequest
from barnabas.wire.messages.create_partitions import CreatePartitionsRequest
from barnabas.wire.messages.delete_records import DeleteRecordsRequest
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.describe_configs import DescribeConfigsRequest
from barnabas.wire.messages.describe_producers import DescribeProducersRequest
from barnabas.wire.messages.fetch import FetchRequest
from barnabas.wire.messages.list_offsets import ListOffsetsRequest
from barnabas.wire.messages.metadata import MetadataRequest
from barnabas.wire.messages.offset_for_leader_epoch import OffsetForLeaderEpochRequest
from barnabas.wire.messages.produce import ProduceRequest
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record
from tests.differential.lockstep import Line, World
from tests.differential.transcript import wait_for_leaders, with_topics_once

if TYPE_CHECKING:
    from tests.nodes import Node

LAST_SEQUENCE = 0x7FFFFFFF
NAMES = {"told-a": 2, "told-b": 1, "told-c": 1}
PLAIN = "told-c"  # never compressed, in one segment: its batches have one size in both engines
LINES = 4
_CHECKPOINT_S = 0.5  # much longer than log.flush.start.offset.checkpoint.interval.ms
_CONFIGS = {
    "compression.type": ["producer", "gzip", "snappy", "lz4", "zstd", "uncompressed"],
    "message.timestamp.type": ["CreateTime", "LogAppendTime"],
    "max.message.bytes": ["1048588", "150"],
    "message.timestamp.before.max.ms": ["9223372036854775807", "1000"],
}
KINDS = {"produce": 30, "repeat": 8, "fetch": 14, "park": 8, "session": 22, "offsets": 10, "epochs": 4, "delete_records": 5, "configure": 3, "producers": 4,
         "again": 2, "grow": 1, "metadata": 1}  # fmt: skip


class Producer:
    """One producer of one partition as it sees itself."""

    def __init__(self, producer_id: int, sequence: int) -> None:
        self.id = producer_id
        self.epoch = 0
        self.sequence = sequence
        self.sent: list[tuple[int, int, bytes]] = []  # (epoch, sequence, batch)


class Session:
    def __init__(self, by_id: bool, version: int) -> None:
        self.id = 0
        self.epoch = 0
        self.by_id = by_id
        self.version = version


class DataWorld(World):
    """The steps. A topic has all ids that it ever had: old ones are asked for too."""

    def __init__(self, node: Node, when_ms: int) -> None:
        super().__init__(node, LINES)
        self.when_ms = when_ms
        self.ids: dict[str, list[bytes]] = {name: [] for name in NAMES}
        self.partitions = dict(NAMES)
        self.producers: dict[tuple[str, int, int], Producer] = {}
        self.producer_ids = 4000
        self.sessions: list[Session] = []
        self.clock = when_ms
        for name in NAMES:
            self.create(name)

    def create(self, name: str) -> None:
        self.partitions[name] = NAMES[name]
        self.ids[name].append(self.script.create_topic(name, NAMES[name]))
        self.know_topic(name, self.ids[name][-1], len(self.ids[name]))

    def before_stop(self, *, is_kill: bool) -> None:
        """Every setting is given: Apache Kafka may bring those of a deleted topic back. After a kill other batches of producers are known (docs/differences.md)."""
        self.seen = {}
        for line in self.lines:
            line.close()
        self.lines = [Line(self.node.port) for _ in self.lines]
        if is_kill:
            self.producers = {}
        for name in NAMES:
            self.configure(name, {key: values[0] for key, values in _CONFIGS.items()})
        if is_kill:
            time.sleep(_CHECKPOINT_S)

    def reconnect(self) -> None:
        super().reconnect()
        for name, partitions in self.partitions.items():
            wait_for_leaders(self.script.client, name, partitions)

    def a_name(self) -> str:
        return self.random.choice(["told-a", "told-a", "told-a", "told-b", "told-b", "told-c"])

    def a_place(self) -> tuple[str, int]:
        name = self.a_name()
        return name, self.random.choice([*range(self.partitions[name])] * 4 + [self.partitions[name]])

    def an_id(self, name: str) -> bytes:
        if self.random.random() < 0.06:
            return name.encode().ljust(16, b"?")  # one that never was
        return self.random.choice([*self.ids[name], *[self.ids[name][-1]] * 12])

    def a_line(self) -> int:
        return self.random.choice(self.free_lines())

    def an_epoch(self) -> int:
        return self.random.choice([-1] * 12 + [0, 0, 1, 5])

    # Writing

    def next_producer_id(self) -> int:
        self.producer_ids += 1
        return self.producer_ids

    def a_batch(self, place: tuple[str, int]) -> bytes:
        chosen = self.random
        records = []
        for _ in range(chosen.choice([1, 1, 2, 3, 5])):
            self.clock += chosen.choice([0, 1, 1, 50, -40])
            headers = (("h", chosen.choice([b"", b"1", None])),) if chosen.random() < 0.2 else ()
            stamp = self.clock if chosen.random() < 0.97 else -1
            records.append(
                Record(timestamp=stamp, key=chosen.choice([None, b"k1", b"k2"]), value=chosen.choice([None, b"v", b"x" * 40]), headers=headers)
            )
        codec = 0 if place[0] == PLAIN else chosen.choice([0, 0, 0, 1, 2, 3, 4])
        number = chosen.randrange(6)
        if number > 2:
            return build_batch(records, codec=codec)
        key = (*place, number)
        if key not in self.producers:
            self.producers[key] = Producer(self.next_producer_id(), chosen.choice([0, 0, 0, 7, LAST_SEQUENCE - 2]))
        producer = self.producers[key]
        luck = chosen.random()
        epoch, sequence, kept = producer.epoch, producer.sequence, True
        if luck < 0.05:
            producer.epoch = epoch = epoch + 1
            sequence = producer.sequence = 0
        elif luck < 0.08:
            epoch, kept = epoch + 1, False
            sequence = chosen.choice([1, producer.sequence])
            kept = sequence == 0
            producer.epoch += kept
        elif luck < 0.11:
            epoch, kept = epoch - 1, False
        elif luck < 0.16:
            sequence, kept = (sequence + chosen.choice([1, -1, 100])) & LAST_SEQUENCE, False
        if epoch < 0:
            epoch = 0
        batch = build_batch(records, codec=codec, producer_id=producer.id, producer_epoch=epoch, base_sequence=sequence)
        if kept:
            producer.sent = [*producer.sent[-7:], (epoch, sequence, batch)]
            producer.sequence = (sequence + len(records)) & LAST_SEQUENCE
        return batch

    def produce(self, parts: list[tuple[tuple[str, int], bytes]]) -> None:
        version = self.random.choice([3, 5, 7, 8, 9, 10, 11, 12, 13, 13])
        data = ProduceRequest.TopicProduceData
        topics: dict[str, ProduceRequest.TopicProduceData] = {}
        for (name, index), batch in parts:
            topic_id = self.an_id(name)
            topic = topics.setdefault(name, data(name=name, topic_id=topic_id, partition_data=[]))
            if index not in [part.index for part in topic.partition_data]:
                topic.partition_data.append(data.PartitionProduceData(index=index, records=batch))
        acks = self.random.choice([-1, -1, 1])
        self.call(self.a_line(), ProduceRequest(acks=acks, timeout_ms=30_000, topic_data=list(topics.values())), version)

    def step_produce(self) -> None:
        places = {self.a_place() for _ in range(self.random.choice([1, 1, 1, 2]))}
        self.produce([(place, self.a_batch(place)) for place in sorted(places)])

    def step_repeat(self) -> None:
        """What a producer sends again: of its last batches one, or several in turn."""
        known = [(key, producer) for key, producer in self.producers.items() if producer.sent]
        if known:
            (name, index, _), producer = self.random.choice(known)
            for epoch, _, batch in self.random.choice([producer.sent[-1:], producer.sent[-3:], producer.sent[:1], producer.sent[-5:-4]]):
                if epoch <= producer.epoch:
                    self.produce([((name, index), batch)])

    def step_delete_records(self) -> None:
        name, index = self.a_place()
        if self.waiting() and name == PLAIN:  # what waits for more than a byte learns of it sooner here: docs/differences.md
            return
        topic = DeleteRecordsRequest.Topic
        offset = self.random.choice([-1, 0, 3, 5, 10, 20, 40, 1000, -2])
        part = topic.Partition(partition_index=index, offset=offset)
        request = DeleteRecordsRequest(topics=[topic(name=name, partitions=[part])], timeout_ms=30_000)
        self.call(self.a_line(), request, self.random.randint(0, 2))

    def step_configure(self) -> None:
        name = self.a_name()
        configs = {key: self.random.choice(values) for key, values in _CONFIGS.items() if self.random.random() < 0.6}
        self.configure(name, {key: value for key, value in configs.items() if name != PLAIN or key == "max.message.bytes"})

    def configure(self, name: str, configs: dict[str, str]) -> None:
        resource = AlterConfigsRequest.Resource
        entries = [resource.AlterableConfig(name=key, value=value) for key, value in ({"retention.ms": "-1"} | configs).items()]
        request = AlterConfigsRequest(resources=[resource(resource_type=2, resource_name=name, configs=entries)], validate_only=False)
        self.call(self.a_line(), request, 2)
        self.note(f"{name} {configs}")
        self.script.settle()

    def step_again(self) -> None:
        """A topic is deleted, and made again with its name."""
        name = self.a_name()
        self.call(self.a_line(), DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name=name)], timeout_ms=30_000), 6)
        self.script.settle()
        self.note(name)
        self.create(name)
        self.producers = {key: producer for key, producer in self.producers.items() if key[0] != name}

    def step_grow(self) -> None:
        name = self.a_name()
        count = self.partitions[name] + 1
        topic = CreatePartitionsRequest.Topic(name=name, count=count, assignments=None)
        if count > 3:
            return
        self.call(self.a_line(), CreatePartitionsRequest(topics=[topic], timeout_ms=30_000, validate_only=False), 3)
        self.partitions[name] = count
        self.script.settle()

    # Reading

    def fetch_topics(self, places: list[tuple[str, int]]) -> list[Any]:
        topics: dict[str, FetchRequest.Topic] = {}
        for name, index in places:
            topic = topics.setdefault(name, FetchRequest.Topic(topic=name, topic_id=self.an_id(name), partitions=[]))
            if index in [part.partition for part in topic.partitions]:
                continue
            topic.partitions.append(
                FetchRequest.Topic.Partition(
                    partition=index,
                    current_leader_epoch=self.an_epoch(),
                    fetch_offset=self.random.choice([0, 0, 1, 2, 5, 9, 10, 20, 30, 60, 1000, -1]),
                    last_fetched_epoch=self.random.choice([-1] * 10 + [0, 1]),
                    partition_max_bytes=1 << 20,
                )
            )
        return list(topics.values())

    @staticmethod
    def as_of(version: int, topics: list[Any]) -> list[Any]:
        """Without what a version can't say."""
        for part in [part for topic in topics for part in topic.partitions] if version < 12 else []:
            part.last_fetched_epoch = -1
        return topics

    def step_fetch(self) -> None:
        places = [self.a_place() for _ in range(self.random.choice([1, 1, 2, 4]))]
        version = self.random.randint(4, 18)
        request = FetchRequest(
            max_wait_ms=self.random.choice([0, 0, 0, 1, 50]),
            min_bytes=self.random.choice([0, 1, 1, 100, 1 << 20]),
            max_bytes=self.random.choice([1, 1 << 20, 1 << 20]),
            isolation_level=self.random.randrange(2),
            topics=self.as_of(version, self.fetch_topics(places)),
        )
        self.call(self.a_line(), request, version)

    def step_park(self) -> None:
        """A fetch at the end of a partition or two, which others' writes will end; one connection always stays free."""
        if len(self.free_lines()) == 1:
            return
        topics: dict[str, FetchRequest.Topic] = {}
        min_bytes = self.random.choice([1, 1, 90, 250])
        places = [self.a_place() for _ in range(self.random.choice([1, 2, 3]))]  # one of a topic: of several, either engine lets another go first
        for name, index in sorted(dict(places).items()) if min_bytes == 1 else [(PLAIN, 0)]:
            end = self.end_of(name, index)
            topic = topics.setdefault(name, FetchRequest.Topic(topic=name, topic_id=self.ids[name][-1], partitions=[]))
            topic.partitions.append(FetchRequest.Topic.Partition(partition=index, fetch_offset=end, partition_max_bytes=1 << 20))
        request = FetchRequest(max_wait_ms=600_000, min_bytes=min_bytes, max_bytes=1 << 20, topics=list(topics.values()))
        self.ask(self.a_line(), request, self.random.choice([4, 7, 11, 12, 13, 16, 18]))

    def end_of(self, name: str, index: int) -> int:
        part = ListOffsetsRequest.Topic.Partition(partition_index=index, timestamp=-1)
        request = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsRequest.Topic(name=name, partitions=[part])])
        return max(0, self.script.client.call(request, 5).topics[0].partitions[0].offset)

    def step_session(self) -> None:
        chosen = self.random
        if not self.sessions or chosen.random() < 0.12:
            version = chosen.choice([7, 9, 11, 12, 13, 15, 16, 18])
            session = Session(version >= 13, version)
            self.sessions = [*self.sessions[-3:], session]
            places = [self.a_place() for _ in range(chosen.choice([1, 2, 4, 5]))]
            self.session_fetch(session, 0, 0, self.fetch_topics(places), [])
            return
        session = chosen.choice(self.sessions)
        luck = chosen.random()
        epoch, number = session.epoch, session.id
        if luck < 0.04:
            epoch += chosen.choice([1, -1, 5])
        elif luck < 0.06:
            epoch = -1
        elif luck < 0.08:
            number += 1
        places = [self.a_place() for _ in range(chosen.choice([0, 0, 0, 1, 2]))]
        forgotten = []
        for _ in range(chosen.choice([0, 0, 0, 1, 2])):
            name, index = self.a_place()
            forgotten.append(FetchRequest.ForgottenTopic(topic=name, topic_id=self.an_id(name), partitions=[index]))
        self.session_fetch(session, number, epoch, self.fetch_topics(places), forgotten)

    def session_fetch(self, session: Session, number: int, epoch: int, topics: list[Any], forgotten: list[Any]) -> None:
        version = session.version
        if self.random.random() < 0.03:
            version = 12 if version > 12 else 13
        request = FetchRequest(
            max_wait_ms=self.random.choice([0, 0, 0, 30]),
            min_bytes=self.random.choice([0, 1, 1, 200]),
            max_bytes=self.random.choice([1, 1, 1 << 20]),
            session_id=number,
            session_epoch=epoch,
            topics=self.as_of(version, topics),
            forgotten_topics_data=forgotten,
        )
        reply = self.call(self.a_line(), request, version)
        if reply is not None and reply.error_code == 0:
            session.id = reply.session_id
            session.epoch = epoch + 1
        if reply is None or reply.error_code or not session.id:
            self.sessions = [known for known in self.sessions if known is not session or self.random.random() < 0.5]

    def plain(self, reply: Any) -> Any:
        return with_topics_once(reply)

    # Looking

    def step_offsets(self) -> None:
        asked = ListOffsetsRequest.Topic
        topics = []
        for name in {self.a_name() for _ in range(2)}:
            parts = []
            for index in range(self.partitions[name] + 1):
                near = [self.clock, self.clock - 60, self.clock + 1, self.when_ms, self.when_ms + 100, int(time.time() * 1000)]
                stamp = self.random.choice([-1, -2, -3, -3, -4, -5, 0, *near])
                parts.append(asked.Partition(partition_index=index, current_leader_epoch=self.an_epoch(), timestamp=stamp))
            topics.append(asked(name=name, partitions=parts))
        version = self.random.randint(1, 11)
        for part in [part for topic in topics for part in topic.partitions] if version < 4 else []:
            part.current_leader_epoch = -1
        isolation = self.random.randrange(2) if version > 1 else 0
        request = ListOffsetsRequest(replica_id=-1, isolation_level=isolation, topics=sorted(topics, key=lambda t: t.name))
        self.call(self.a_line(), request, version)

    def step_epochs(self) -> None:
        asked = OffsetForLeaderEpochRequest.OffsetForLeaderTopic
        name = self.a_name()
        parts = [
            asked.OffsetForLeaderPartition(partition=n, current_leader_epoch=self.an_epoch(), leader_epoch=self.random.choice([-1, 0, 1, 2, 3, 5]))
            for n in range(self.partitions[name] + 1)
        ]
        self.call(self.a_line(), OffsetForLeaderEpochRequest(replica_id=-1, topics=[asked(topic=name, partitions=parts)]), self.random.randint(2, 4))

    def step_producers(self) -> None:
        name = self.a_name()
        asked = DescribeProducersRequest.Topic(name=name, partition_indexes=list(range(self.partitions[name] + 1)))
        self.call(self.a_line(), DescribeProducersRequest(topics=[asked]), 0)

    def step_metadata(self) -> None:
        topics = [MetadataRequest.Topic(name=name) for name in NAMES]
        self.call(self.a_line(), MetadataRequest(topics=topics, allow_auto_topic_creation=False), self.random.randint(4, 13))
        resource = DescribeConfigsRequest.Resource
        asked = [resource(resource_type=2, resource_name=name, configuration_keys=sorted(_CONFIGS)) for name in NAMES]
        self.call(self.a_line(), DescribeConfigsRequest(resources=asked), 4)
