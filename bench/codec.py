"""What messages cost to decode and to encode, beside the kio package. `python -m bench.codec` prints a table.

Each figure is the best of several rounds on one thread, in microseconds a message. kio decodes in compiled code, into values that it
shares; it lacks the metadata records.
"""

from __future__ import annotations

import io
import sys
from importlib import import_module
from time import process_time
from timeit import Timer
from typing import TYPE_CHECKING, Any

from kio.serial import entity_reader, entity_writer

from barnabas.wire.logs.cluster_metadata import PartitionRecord
from barnabas.wire.messages.fetch import FetchRequest, FetchResponse
from barnabas.wire.messages.join_group import JoinGroupResponse
from barnabas.wire.messages.metadata import MetadataResponse
from barnabas.wire.messages.offset_commit import OffsetCommitRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.wire.schema import Message

ROUNDS = 9
ROUND_S = 0.1


def best_us(call: Callable[[], object]) -> float:
    """Microseconds of one call, at best; of processor time, so that a busy machine doesn't show."""
    timer = Timer(call, timer=process_time)
    count = max(1, int(ROUND_S / max(timer.timeit(3) / 3, 1e-7)))
    return min(timer.repeat(ROUNDS, count)) / count * 1e6


def metadata(topics: int) -> MetadataResponse:
    partition = MetadataResponse.Topic.Partition
    partitions = [partition(partition_index=i, leader_id=1, leader_epoch=3, replica_nodes=[1, 2, 3], isr_nodes=[1, 2, 3]) for i in range(3)]
    brokers = [MetadataResponse.Broker(node_id=i, host=f"broker-{i}.example.com", port=9092) for i in range(3)]
    found = [MetadataResponse.Topic(name=f"topic-{i}", topic_id=bytes([i % 256]) * 16, partitions=partitions) for i in range(topics)]
    return MetadataResponse(brokers=brokers, cluster_id="cluster", controller_id=1, topics=found)


def fetch_request(partitions: int) -> FetchRequest:
    made = [
        FetchRequest.Topic.Partition(partition=i, current_leader_epoch=1, fetch_offset=1000, partition_max_bytes=1 << 20) for i in range(partitions)
    ]
    return FetchRequest(max_wait_ms=500, min_bytes=1, topics=[FetchRequest.Topic(topic_id=b"t" * 16, partitions=made)])


def fetch_response(partitions: int) -> FetchResponse:
    topic = FetchResponse.FetchableTopicResponse
    made = [
        topic.PartitionData(partition_index=i, high_watermark=5, last_stable_offset=5, log_start_offset=0, records=b"") for i in range(partitions)
    ]
    return FetchResponse(session_id=7, responses=[topic(topic_id=b"t" * 16, partitions=made)])


def join_group(members: int) -> JoinGroupResponse:
    made = [JoinGroupResponse.Member(member_id=f"consumer-{i}-8d0cd4e3-5a1c", group_instance_id=None, metadata=b"m" * 80) for i in range(members)]
    return JoinGroupResponse(generation_id=3, protocol_type="consumer", protocol_name="range", leader="consumer-1", member_id="c", members=made)


def offset_commit(partitions: int) -> OffsetCommitRequest:
    made = [OffsetCommitRequest.Topic.Partition(partition_index=i, committed_offset=i, committed_metadata="") for i in range(partitions)]
    return OffsetCommitRequest(group_id="g", member_id="consumer-1", topics=[OffsetCommitRequest.Topic(name="topic", partitions=made)])


def partition_record(index: int) -> PartitionRecord:
    directories = [b"d" * 16, b"e" * 16, b"f" * 16]
    return PartitionRecord(partition_id=index, topic_id=b"t" * 16, replicas=[1, 2, 3], isr=[1, 2, 3], leader=1, directories=directories)


def report(name: str, message: Message, version: int) -> None:
    cls = type(message)
    data = message.encode(version)
    view = memoryview(data)
    stem = cls.__module__.rpartition(".")[2]
    theirs = getattr(import_module(f"kio.schema.{stem}.v{version}.{'request' if cls.__name__.endswith('Request') else 'response'}"), cls.__name__)
    read, write = entity_reader(theirs), entity_writer(theirs)
    other = read(data, 0)[0]
    ours = row(name, version, len(data), lambda: cls.decode(view, version), lambda: message.encode(version))
    kios = row("  by kio", version, len(data), lambda: read(data, 0), lambda: write(io.BytesIO(), other))
    print(f"{'  times as fast as kio':<51}{kios[0] / ours[0]:>14.2f}{kios[1] / ours[1]:>14.2f}")


def row(name: str, version: int, size: int, decode: Callable[[], Any], encode: Callable[[], Any]) -> tuple[float, float]:
    figures = best_us(decode), best_us(encode)
    print(f"{name:<34}{version:>8}{size:>9}{figures[0]:>14.1f}{figures[1]:>14.1f}", flush=True)
    return figures


def metadata_batch(count: int) -> None:
    records = [partition_record(i) for i in range(count)]
    views = [memoryview(record.encode(2)) for record in records]
    size = sum(map(len, views))
    row(f"{count} PartitionRecords", 2, size, lambda: [PartitionRecord.decode(view, 2) for view in views], lambda: [r.encode(2) for r in records])


if __name__ == "__main__":
    print(f"Python {sys.version.split()[0]}; us a message\n\n{'message':<34}{'version':>8}{'bytes':>9}{'decode':>14}{'encode':>14}")
    report("Metadata of 1,000 topics", metadata(1000), 12)
    report("Fetch request, 100 partitions", fetch_request(100), 17)
    report("Fetch response, 100 partitions", fetch_response(100), 17)
    report("JoinGroup response, 500 members", join_group(500), 9)
    report("OffsetCommit request, 100", offset_commit(100), 9)
    report("Metadata response, 1 topic", metadata(1), 12)
    metadata_batch(1000)
