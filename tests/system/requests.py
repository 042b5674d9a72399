"""Requests of one partition, and frames of them: what the hostile tests send."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING

from barnabas.wire.apis import APIS
from barnabas.wire.framing import encode_request
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.fetch import FetchRequest
from barnabas.wire.messages.produce import ProduceRequest, ProduceResponse
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.compression import Codec
from barnabas.wire.records.record import Record, decode_records
from tests.differential.transcript import Client

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from barnabas.wire.messages.create_topics import CreateTopicsResponse
    from barnabas.wire.schema import Message

Partition = FetchRequest.Topic.Partition
Row = ProduceResponse.TopicProduce.PartitionProduce


def frame(request: Message, version: int, correlation: int = 1) -> bytes:
    return encode_request(APIS[request.api_key], version, correlation, "hostile", request)


def records(*values: bytes, producer: tuple[int, int, int] = (-1, -1, -1), timestamp: int | None = None, codec: Codec = Codec.NONE) -> bytes:
    """One batch of now, or of `timestamp` in ms; `producer` is (id, epoch, base sequence)."""
    timestamp = time_ns() // 1_000_000 if timestamp is None else timestamp
    return build_batch(
        [Record(timestamp=timestamp, value=value) for value in values],
        codec=codec,
        producer_id=producer[0],
        producer_epoch=producer[1],
        base_sequence=producer[2],
    )


def produce(topic: str, partition: int, data: bytes, acks: int = -1) -> ProduceRequest:
    rows = [ProduceRequest.TopicProduceData.PartitionProduceData(index=partition, records=data)]
    return ProduceRequest(acks=acks, timeout_ms=20_000, topic_data=[ProduceRequest.TopicProduceData(name=topic, partition_data=rows)])


def fetch(topic: str, partition: int, offset: int, *, wait_ms: int = 0, max_bytes: int = 1 << 24) -> FetchRequest:
    wanted = Partition(partition=partition, fetch_offset=offset, partition_max_bytes=max_bytes)
    topics = [FetchRequest.Topic(topic=topic, partitions=[wanted])]
    return FetchRequest(max_wait_ms=wait_ms, min_bytes=1, max_bytes=max_bytes, session_epoch=-1, session_id=0, topics=topics)


def put(client: Client, topic: str, partition: int, data: bytes) -> Row:
    found: ProduceResponse = client.call(produce(topic, partition, data), 9)
    return found.responses[0].partition_responses[0]


def create_topics(port: int, *names: str, partitions: int = 1, configs: Mapping[str, str] | None = None) -> list[bytes]:
    """The topics' ids."""
    topic = CreateTopicsRequest.CreatableTopic
    settings = [topic.CreatableTopicConfig(name=name, value=value) for name, value in (configs or {}).items()]
    topics = [topic(name=name, num_partitions=partitions, replication_factor=1, configs=settings) for name in names]
    client = Client(port)
    found: CreateTopicsResponse = client.call(CreateTopicsRequest(topics=topics, timeout_ms=10_000), 7)
    client.close()
    assert not any(result.error_code for result in found.topics), found
    return [result.topic_id for result in found.topics]


def batches(data: bytes) -> Iterator[bytes]:
    """The whole batches of what a fetch brought."""
    position = 0
    while position + 61 <= len(data):
        end = position + 12 + int.from_bytes(data[position + 8 : position + 12], "big")
        if end > len(data):
            return
        yield data[position:end]
        position = end


def read_all(client: Client, topic: str, partition: int, offset: int = 0) -> dict[int, bytes]:
    """Offset -> value of everything from `offset` on."""
    found: dict[int, bytes] = {}
    while True:
        row = client.call(fetch(topic, partition, offset), 11).responses[0].partitions[0]
        assert not row.error_code, row
        before = offset
        for batch in batches(bytes(row.records or b"")):
            for record in decode_records(batch):
                if record.offset >= offset:
                    found[record.offset] = record.value or b""
                    offset = record.offset + 1
        if offset == before:
            return found
