"""Producers on several connections and threads, consumers that follow them, while everything about the topic changes under their feet:
nothing acknowledged is lost or answered with a wrong offset, nothing is given out twice, nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.create_partitions import CreatePartitionsRequest
from barnabas.wire.messages.delete_records import DeleteRecordsRequest
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.list_offsets import ListOffsetsRequest
from barnabas.wire.messages.produce import ProduceResponse
from barnabas.wire.records.record import decode_records
from tests.differential.transcript import Client
from tests.system.requests import batches, create_topics, fetch, frame, produce, put, records

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import NodeFactory
    from tests.nodes import Node

PARTITIONS = 2
SECONDS = 4
CYCLES = 6
SETTINGS = (
    ("retention.ms", "1"),
    ("retention.ms", "604800000"),
    ("retention.bytes", "3000000"),
    ("max.message.bytes", "60000"),
    ("max.message.bytes", "1048588"),
    ("compression.type", "producer"),
    ("compression.type", "gzip"),
    ("compression.type", "zstd"),
    ("segment.bytes", "1048576"),
    ("segment.bytes", "2097152"),
    ("message.timestamp.type", "CreateTime"),
    ("message.timestamp.type", "LogAppendTime"),
)


class Storm:
    def __init__(self, node: Node) -> None:
        self.node = node
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.acknowledged: list[tuple[int, int, list[bytes]]] = []  # partition, base offset, values
        self.seen: dict[tuple[int, int], bytes | None] = {}  # None: deleted before it was read
        self.refused: Counter[int] = Counter()
        self.cycles = 0
        self.producing = 0
        self.failures: list[BaseException] = []

    def run(self, seconds: float) -> None:
        jobs: list[Callable[[Client], None]] = [self.alter, self.recreate]
        jobs += [lambda client, job=job: self.produce(client, *job) for job in ((1, 40_000, 3), (2, 100, 16), (3, 1000, 5), (4, 100_000, 2))]
        jobs += [lambda client, partition=partition: self.follow(client, partition) for partition in range(PARTITIONS)]
        threads = [threading.Thread(target=self.guard, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        self.stop.wait(seconds)
        deadline = time.monotonic() + 60
        while self.cycles < CYCLES and time.monotonic() < deadline and not self.stop.wait(0.05):
            pass
        self.stop.set()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), "somebody waits for ever"

    def guard(self, job: Callable[[Client], None]) -> None:
        client = Client(self.node.port)
        client.socket.settimeout(15)
        try:
            job(client)
        except BaseException as error:
            self.failures.append(error)
            self.stop.set()
        finally:
            client.close()

    def produce(self, client: Client, who: int, size: int, together: int) -> None:
        with self.lock:
            self.producing += 1
        try:
            self.produce_until_stopped(client, who, size, together)
        finally:
            with self.lock:
                self.producing -= 1

    def produce_until_stopped(self, client: Client, who: int, size: int, together: int) -> None:
        random, number = Random(who), 0
        while not self.stop.is_set():
            sent = []
            for _ in range(together):
                values = [b"%d-%d-%d%s" % (who, number, index, b" " * size) for index in range(random.choice((1, 3)))]
                sent.append((random.randrange(PARTITIONS), values))
                number += 1
            client.send(b"".join(frame(produce("t", partition, records(*values)), 9) for partition, values in sent))
            for partition, values in sent:
                row = ProduceResponse.decode_from(client.read_frame(), 9, 5)[0].responses[0].partition_responses[0]
                with self.lock:
                    if row.error_code:
                        self.refused[row.error_code] += 1
                    else:
                        self.acknowledged.append((partition, row.base_offset, values))

    def follow(self, client: Client, partition: int) -> None:
        offset = 0
        while not self.failures:
            is_last = self.stop.is_set() and not self.producing
            row = client.call(fetch("t", partition, offset, wait_ms=200), 11).responses[0].partitions[0]
            if row.error_code == Error.OFFSET_OUT_OF_RANGE:  # let go of before it was read
                asked = ListOffsetsRequest.Topic(name="t", partitions=[ListOffsetsRequest.Topic.Partition(partition_index=partition, timestamp=-2)])
                start = client.call(ListOffsetsRequest(replica_id=-1, topics=[asked]), 5).topics[0].partitions[0].offset
                assert start > offset
                self.seen.update(((partition, gone), None) for gone in range(offset, start))
                offset = start
                continue
            assert not row.error_code, row
            for batch in batches(bytes(row.records or b"")):
                for record in decode_records(batch):
                    if record.offset >= offset:
                        assert record.offset == offset, "a hole"
                        self.seen[partition, offset] = record.value
                        offset += 1
            if is_last and not row.records:
                return

    def alter(self, client: Client) -> None:
        random, partitions = Random(9), PARTITIONS
        resource = IncrementalAlterConfigsRequest.AlterConfigsResource
        while not self.stop.wait(0.01):
            match random.randrange(5):
                case 0:
                    place = DeleteRecordsRequest.Topic.Partition(partition_index=random.randrange(PARTITIONS), offset=-1)
                    topic = DeleteRecordsRequest.Topic(name="t", partitions=[place])
                    row = client.call(DeleteRecordsRequest(topics=[topic], timeout_ms=10_000), 2).topics[0].partitions[0]
                    assert not row.error_code, row
                case 1 if partitions < 20:
                    partitions += 1
                    more = CreatePartitionsRequest.Topic(name="t", count=partitions, assignments=None)
                    client.call(CreatePartitionsRequest(topics=[more], timeout_ms=1000), 3)
                case _:
                    name, value = random.choice(SETTINGS)
                    change = resource.AlterableConfig(name=name, config_operation=0, value=value)
                    altered = resource(resource_type=2, resource_name="t", configs=[change])
                    row = client.call(IncrementalAlterConfigsRequest(resources=[altered]), 1).responses[0]
                    assert not row.error_code, row

    def recreate(self, client: Client) -> None:
        """A topic that comes and goes under one name; whoever waits for it hears of its end."""
        producer = Client(self.node.port)  # keeps its shortcut over all of it
        waiting = Client(self.node.port)
        waiting.socket.settimeout(15)
        while not self.stop.is_set():
            create_topics(self.node.port, "again")
            waiting.send(frame(fetch("again", 0, 3, wait_ms=60_000), 12))
            for offset in range(3):
                row = put(producer, "again", 0, records(b"x" * 40_000))
                assert (row.error_code, row.base_offset) == (0, offset)
            deleted = client.call(DeleteTopicsRequest(topic_names=["again"], timeout_ms=5000), 5)
            assert not deleted.responses[0].error_code
            waiting.read_frame()
            self.cycles += 1
        producer.close()
        waiting.close()

    def check(self) -> None:
        if self.failures:
            raise self.failures[0]
        given = Counter((partition, base + index) for partition, base, values in self.acknowledged for index in range(len(values)))
        assert max(given.values()) == 1, "an offset was given out twice"
        assert set(self.refused) <= {Error.MESSAGE_TOO_LARGE}
        for partition in range(PARTITIONS):
            offsets = [offset for at, offset in given if at == partition]
            assert len(offsets) == max(offsets) + 1, "offsets follow one another"
        for partition, base, values in self.acknowledged:
            for index, value in enumerate(values):
                assert self.seen[partition, base + index] in (value, None)
        assert sum(value is not None for value in self.seen.values()) > len(self.seen) / 4
        assert self.cycles >= CYCLES


@pytest.mark.node
def test_everything_at_once(barnabas_nodes: NodeFactory) -> None:
    node = barnabas_nodes(
        {
            "log.initial.task.delay.ms": "10",
            "log.retention.check.interval.ms": "50",
            "log.segment.delete.delay.ms": "10",
            "log.flush.offset.checkpoint.interval.ms": "100",
        }
    )
    create_topics(node.port, "t", partitions=PARTITIONS, configs={"segment.bytes": "1048576"})
    storm = Storm(node)
    storm.run(SECONDS)
    storm.check()
    assert "Traceback" not in node.tail(1 << 20)
    assert node.stop() == 0
