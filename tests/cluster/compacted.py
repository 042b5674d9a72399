"""Topics that are compacted while a cluster suffers: their traffic, and what must hold of them (D117-D125).

Owns: which record has which number, and that of each key the newest is in every replica, where it was written, and that nothing else is there. Doesn't own:
the producer (load.py), what happens meanwhile (stories.py, compaction_stories.py).
"""

from __future__ import annotations

import os
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4
from zlib import crc32

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from barnabas.storage.checkpoint_file import CLEANER_OFFSET, read_offsets
from barnabas.wire.records.record import decode_records
from tests.cluster.checkers import CAUGHT_UP_S, batches_in
from tests.cluster.load import Load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.cluster import Cluster, Member

EAGER = {"log.cleaner.backoff.ms": "100", "log.cleaner.io.max.bytes.per.second": "6000000"}
"""Nodes' settings: cleanings are many, and so slow that what happens to a node often happens in one."""
COMPACT = {
    "cleanup.policy": "compact",
    "internal.segment.bytes": "12000",
    "min.cleanable.dirty.ratio": "0.1",
    "delete.retention.ms": "120000",  # a replica that is away for longer misses what was deleted meanwhile, here as on Apache Kafka
    "file.delete.delay.ms": "500",
}
BOTH = {**COMPACT, "cleanup.policy": "compact,delete", "retention.bytes": "60000"}
KEYS = 100
A_SPELL = 2000  # records, after which there are other keys: what was deleted then is to stay so
_BATCH_BYTES = 4_000  # far less than a segment
_END = -191


def keyed(number: int) -> dict[str, object]:
    """The record of this number: a key that comes again for a while, and a value, or none in every fifth."""
    chance = crc32(b"%d" % number)
    value = None if chance % 5 == 0 else b"%d" % number + b"x" * (chance % 301)
    return {"key": b"key-%d-%d" % (number // A_SPELL, chance // 1024 % KEYS), "value": value, "headers": [("number", b"%d" % number)]}


def two_directories(path: Path) -> dict[int, dict[str, str]]:
    """Properties of three nodes, to move replicas on them."""
    return {n: {"log.dirs": ",".join(str(path / str(n) / name) for name in "ab")} for n in (1, 2, 3)}


class Kept(NamedTuple):
    offset: int
    number: int


class Compacted:
    """A topic of three replicas with a producer that rewrites and deletes keys."""

    def __init__(
        self, cluster: Cluster, topic: str, configs: dict[str, str], *, partitions: int = 3, per_second: int = 300, **client: object
    ) -> None:
        self.topic = topic
        self.partitions = partitions
        self.is_shortened = "delete" in configs["cleanup.policy"]
        """Whether what is old may be gone, whatever it is."""
        self._cluster = cluster
        cluster.create_topic(topic, partitions, 3, **configs)
        self.load = Load(cluster.bootstrap, topic, partitions, per_second=per_second, record=keyed, **{"batch.size": _BATCH_BYTES, **client})

    def wait_until_cleaned(self, *members: Member, to: dict[int, int] | None = None) -> None:
        """Until each of these nodes, all that run if none is named, has cleaned each partition anew, or up to these offsets."""
        nodes = members or self._cluster.running(self._cluster.brokers)
        before = {member.node_id: self.cleaned(member) for member in nodes}

        def is_done() -> bool:
            for member in nodes:
                offsets, old = self.cleaned(member), before[member.node_id]
                if any(offsets[p] <= old[p] if to is None else offsets[p] < to[p] for p in range(self.partitions)):
                    return False
            return True

        self._cluster.wait_for(f"{self.topic} is cleaned by {[member.node_id for member in nodes]}", is_done, CAUGHT_UP_S)

    def cleaned(self, member: Member) -> dict[int, int]:
        """Up to where a node cleaned each partition."""
        found = dict.fromkeys(range(self.partitions), 0)
        for directory in member.properties["log.dirs"].split(","):
            with suppress(FileNotFoundError):
                offsets = read_offsets(f"{directory}/{CLEANER_OFFSET}")
                found.update({partition: offset for (topic, partition), offset in offsets.items() if topic == self.topic})
        return found

    def ends(self) -> dict[int, int]:
        """Behind the last record that was acknowledged with its offset, by partition."""
        ends = dict.fromkeys(range(self.partitions), 0)
        for row in list(self.load.acknowledged):
            ends[row.partition] = max(ends[row.partition], (row.offset or 0) + 1)
        return ends

    def check(self) -> int:
        """Of the newest record of each key, in every replica, and as consumers see them. The producer has ended. Returns how many records are left."""
        assert not self.load.failed, f"{len(self.load.failed)} records were given up: {self.load.failed[:3]}"
        self.wait_until_cleaned(to=dict.fromkeys(range(self.partitions), 1))
        left = 0
        for row in self._cluster.partitions(self.topic):
            partition = row.partition_index
            replicas = self._replicas(partition, row.replica_nodes)
            for node_id, kept in replicas.items():
                self._judge(f"{self.topic}-{partition} on node {node_id}", partition, kept, self._start(self._cluster.members[node_id], partition))
            by_offset: dict[int, int] = {}
            for node_id, kept in replicas.items():
                differ = [found for found in kept if by_offset.setdefault(found.offset, found.number) != found.number]
                assert not differ, f"{self.topic}-{partition}: node {node_id} has other records at {differ[:5]}"
            seen = consumed(self._cluster.bootstrap, self.topic, partition)
            self._judge(
                f"{self.topic}-{partition}, consumed", partition, seen, max(self._start(self._cluster.members[n], partition) for n in replicas)
            )
            left += len(seen)
        assert left < len(self.load.acknowledged), f"{self.topic} wasn't compacted"
        return left

    def _judge(self, where: str, partition: int, kept: list[Kept], start: int) -> None:
        offsets, numbers = [found.offset for found in kept], [found.number for found in kept]
        assert offsets == sorted(set(offsets)), f"{where}: offsets don't rise"
        assert numbers == sorted(set(numbers)), f"{where}: records are there twice, or out of order"
        never = [found for found in kept if found.number >= self.load.sent or found.number % self.partitions != partition]
        assert not never, f"{where}: never written: {never[:5]}"
        acknowledged = {row.number: row.offset for row in self.load.acknowledged if row.partition == partition and row.offset is not None}
        moved = [(found, acknowledged[found.number]) for found in kept if acknowledged.get(found.number, found.offset) != found.offset]
        assert not moved, f"{where}: records lie elsewhere than where they were acknowledged: {moved[:5]}"
        there: dict[object, int] = {}
        for number in numbers:
            there[keyed(number)["key"]] = number
        wanted: dict[object, int] = {}
        for number in range(partition, self.load.sent, self.partitions):
            wanted[keyed(number)["key"]] = number
        first = numbers[0] if numbers else self.load.sent
        wrong = []
        for key, number in wanted.items():
            if there.get(key) == number or (keyed(number)["value"] is None and (key not in there or keyed(there[key])["value"] is None)):
                continue
            offset = acknowledged.get(number)
            if self.is_shortened and key not in there and (number < first if offset is None else offset < start):
                continue
            wrong.append((key, number, offset, there.get(key)))
        assert not wrong, f"{where}, from offset {start}: {len(wrong)} keys lack their newest record: (key, number, offset, number there) {wrong[:5]}"

    def _replicas(self, partition: int, nodes: list[int]) -> dict[int, list[Kept]]:
        """What each has, once all have the last record."""
        deadline = time.monotonic() + CAUGHT_UP_S
        while True:
            found = {n: list(kept_in(self._cluster.members[n], self.topic, partition)) for n in nodes if self._cluster.members[n].running()}
            ends = {n: kept[-1].offset if kept else -1 for n, kept in found.items()}
            if len(set(ends.values())) == 1:
                return found
            assert time.monotonic() < deadline, f"{self.topic}-{partition}: last records by node {ends}"
            time.sleep(0.1)

    def _start(self, member: Member, partition: int) -> int:
        """A replica's first segment."""
        directory = member.partition_directory(self.topic, partition)
        assert directory is not None
        return min(int(name.removesuffix(".log")) for name in os.listdir(directory) if name.endswith(".log"))


def kept_in(member: Member, topic: str, partition: int) -> list[Kept]:
    """The records that are on a node's disk."""
    while True:
        directory = member.partition_directory(topic, partition)
        assert directory is not None, f"node {member.node_id} has no {topic}-{partition}"
        with suppress(FileNotFoundError):
            before = _files(directory)
            found = [
                Kept(record.offset, int(dict(record.headers)["number"] or b""))
                for batch in batches_in(directory)
                for record in decode_records(batch.data)
            ]
            if before == _files(directory) and not any(name.endswith(".swap") for name, _ in before):
                return found  # none was replaced meanwhile


def _files(directory: str) -> set[tuple[str, int]]:
    with os.scandir(directory) as entries:
        return {(entry.name, entry.inode()) for entry in entries if ".log" in entry.name}


def consumed(bootstrap: str, topic: str, partition: int) -> list[Kept]:
    """What a consumer is given that begins at the start."""
    settings = {"group.id": uuid4().hex, "enable.partition.eof": True, "check.crcs": True, "auto.offset.reset": "earliest"}
    with closing(Consumer({"bootstrap.servers": bootstrap, **settings})) as consumer:
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        return list(_until_end(consumer))


def _until_end(consumer: Consumer) -> Iterator[Kept]:
    deadline = time.monotonic() + CAUGHT_UP_S
    while time.monotonic() < deadline:
        for message in consumer.consume(1000, 1.0):
            error = message.error()
            if error is not None:
                assert error.code() == _END, error
                return
            numbers = dict(message.headers() or [])
            yield Kept(message.offset() or 0, int(numbers["number"] or b""))
    raise AssertionError(f"no end within {CAUGHT_UP_S:.0f} s")
