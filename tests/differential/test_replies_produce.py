"""The same Produce requests to both engines: what is refused, how, and what is stored and read back (W25, W26, D87-D93, T8)."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.describe_producers import DescribeProducersRequest
from barnabas.wire.messages.fetch import FetchRequest
from barnabas.wire.messages.init_producer_id import InitProducerIdRequest
from barnabas.wire.messages.produce import ProduceRequest
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.compression import Codec
from barnabas.wire.records.native import crc32c
from barnabas.wire.records.record import Record
from tests.differential.transcript import Transcript, assert_same, module_scripts, transcribe
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

WHEN = 1_700_000_000_000
TWICE = "one partition twice in a request"
TRANSACTIONS = "| transactions |"
NO_SUCH_MAGIC = "a batch whose magic there isn't, in a Produce of several partitions"
VALUES = [Record(timestamp=WHEN + n, key=b"k%d" % n, value=b"value %d" % n, headers=(("h", b"x"),)) for n in range(3)]
KEYLESS = [Record(timestamp=WHEN, value=b"no key")]


def _produce(
    topic: str, records: bytes | None, *, topic_id: bytes = bytes(16), acks: int = -1, partition: int = 0, transactional_id: str | None = None
) -> ProduceRequest:
    topics = ProduceRequest.TopicProduceData
    part = topics.PartitionProduceData(index=partition, records=records)
    data = [topics(name=topic, topic_id=topic_id, partition_data=[part])]
    return ProduceRequest(transactional_id=transactional_id, acks=acks, timeout_ms=10_000, topic_data=data)


def _fetch_all(script: Transcript, topic: str, partition: int = 0) -> None:
    part = FetchRequest.Topic.Partition(partition=partition, fetch_offset=0, partition_max_bytes=1 << 24)
    request = FetchRequest(max_wait_ms=0, min_bytes=0, topics=[FetchRequest.Topic(topic=topic, partitions=[part])])
    script.call(request, 12, "read back")


def _patched(batch: bytes, position: int, layout: str, value: int, fix_crc: bool = True) -> bytes:
    """The batch with one header field overwritten."""
    changed = bytearray(batch)
    struct.pack_into(layout, changed, position, value)
    if fix_crc:
        struct.pack_into(">I", changed, 17, crc32c(bytes(changed[21:])))
    return bytes(changed)


def every_version(script: Transcript) -> None:
    topic_id = script.create_topic("produce-versions")
    script.all_versions(lambda version: _produce("produce-versions", build_batch(VALUES), topic_id=topic_id), last=12)
    script.call(_produce("", build_batch(VALUES), topic_id=topic_id), 13)
    script.all_versions(lambda version: _produce("produce-versions", build_batch(VALUES), acks=1), "acks 1", last=12)
    _fetch_all(script, "produce-versions")


def unknown_and_illegal_topics(script: Transcript) -> None:
    for name in ("produce-absent", "not/legal", "", "x" * 250, "__consumer_offsets", "__transaction_state"):
        script.all_versions(lambda version, name=name: _produce(name, build_batch(KEYLESS)), name[:40], last=12)
    topic_id = script.create_topic("produce-known")
    script.call(_produce("produce-known", build_batch(KEYLESS), partition=1), 12, "unknown partition")
    script.call(_produce("produce-known", build_batch(KEYLESS), partition=-1), 12, "negative partition")
    script.call(_produce("", build_batch(KEYLESS), topic_id=topic_id, partition=9), 13, "unknown partition by id")
    script.call(_produce("", build_batch(KEYLESS), topic_id=b"\1" * 16), 13, "unknown id")
    script.call(_produce("", build_batch(KEYLESS)), 13, "no id")


def acks_out_of_range(script: Transcript) -> None:
    script.create_topic("produce-acks")
    for acks in (2, -2, 32767):
        script.all_versions(lambda version, acks=acks: _produce("produce-acks", build_batch(KEYLESS), acks=acks), f"acks {acks}", last=12)


def batches_that_are_refused(script: Transcript) -> None:
    """D87, D92, W25: every case in the oldest and in a new version, then a look at what was stored."""
    script.create_topic("produce-refused")
    good = build_batch(VALUES)
    no_sequence = build_batch(VALUES, producer_id=5, producer_epoch=0, base_sequence=-1)
    cases: dict[str, bytes] = {
        "no bytes": b"",
        "few bytes": good[:10],
        "cut header": good[:40],
        "cut batch": good[:-1],
        "crc": _patched(good, 61, ">b", 99, fix_crc=False),
        "magic 0": _patched(good, 16, ">b", 0, fix_crc=False),
        "magic 1": _patched(good, 16, ">b", 1, fix_crc=False),
        "magic 3": _patched(good, 16, ">b", 3, fix_crc=False),
        "magic -1": _patched(good, 16, ">b", -1, fix_crc=False),
        "two batches": good + build_batch(KEYLESS),
        "half a second batch": good + build_batch(KEYLESS)[:30],
        "base offset 7": build_batch(VALUES, base_offset=7),
        "count too high": _patched(good, 57, ">i", 4),
        "count too low": _patched(good, 57, ">i", 2),
        "count 0": _patched(good, 57, ">i", 0),
        "count negative": _patched(good, 57, ">i", -3),
        "last delta too high": _patched(good, 23, ">i", 5),
        "last delta negative": _patched(good, 23, ">i", -1),
        "control": build_batch(VALUES, control=True),
        "transactional without producer": build_batch(VALUES, transactional=True),
        "producer without sequence": no_sequence,
        "codec 5": _patched(good, 21, ">h", 5),
        "codec 7": _patched(good, 21, ">h", 7),
        "gzip of nonsense": _patched(good, 21, ">h", 1),
        "snappy of nonsense": _patched(good, 21, ">h", 2),
        "lz4 of nonsense": _patched(good, 21, ">h", 3),
        "zstd of nonsense": _patched(good, 21, ">h", 4),
        "length too small": _patched(good, 8, ">i", 10, fix_crc=False),
        "length negative": _patched(good, 8, ">i", -5, fix_crc=False),
        "length beyond": _patched(good, 8, ">i", 1 << 20, fix_crc=False),
        "record length": _patched(good, 61, ">B", 0x7E),
        "record length zero": _patched(good, 61, ">B", 0),
        "unknown attribute bits": _patched(good, 21, ">h", 0x1F00),
        "record attributes": _patched(good, 62, ">b", 0x55),
    }
    for name, records in cases.items():
        for version in (3, 7, 8, 12):
            script.call(_produce("produce-refused", records), version, name)
    _fetch_all(script, "produce-refused")


def one_refused_of_several(script: Transcript) -> None:
    """What is wrong with one partition's batch doesn't keep the others' out."""
    script.create_topic("produce-several", 3)
    good, data = build_batch(VALUES), ProduceRequest.TopicProduceData
    cases = {"cut": good[:40], "magic 0": _patched(good, 16, ">b", 0, fix_crc=False), "no bytes": b""}
    for name, wrong in {**cases, "magic 3": _patched(good, 16, ">b", 3, fix_crc=False)}.items():
        parts = [data.PartitionProduceData(index=n, records=records) for n, records in enumerate((good, wrong, good))]
        request = ProduceRequest(acks=-1, timeout_ms=10_000, topic_data=[data(name="produce-several", partition_data=parts)])
        for version in (3, 12):
            script.call(request, version, name, differs="" if name in cases else NO_SUCH_MAGIC)


def test_null_records_are_answered(barnabas_node: Node) -> None:
    """Apache Kafka never answers them (the connection hangs); Barnabas says that they are no valid records. docs/differences.md."""
    for version in (3, 12):
        answers = transcribe(lambda script, version=version: script.call(_produce("produce-null", None), version) and None, barnabas_node).entries  # type: ignore[misc]
        assert answers[0][1] != "no answer"


def timestamps(script: Transcript) -> None:
    """D88, D89: a lying maxTimestamp is corrected; a future time is refused; -1 passes."""
    script.create_topic("produce-times")
    script.create_topic("produce-times-strict", configs={"message.timestamp.before.max.ms": "1000"})
    good = build_batch(VALUES)
    future = [Record(timestamp=4_000_000_000_000, value=b"later")]
    for name, records in {
        "lying maximum": _patched(good, 35, ">q", WHEN + 1_000_000),
        "maximum too low": _patched(good, 35, ">q", WHEN - 1),
        "no timestamps": build_batch([Record(value=b"never")]),
        "future": build_batch(future),
        "future among others": build_batch([*VALUES, *future]),
        "future, gzip": build_batch([*VALUES, *future], codec=Codec.GZIP),
        "says append time": _patched(good, 21, ">h", 8),
        "negative": build_batch([Record(timestamp=-5, value=b"x")]),
    }.items():
        for version in (7, 12):
            script.call(_produce("produce-times", records), version, name)
            script.call(_produce("produce-times-strict", records), version, f"{name}, strict")
    _fetch_all(script, "produce-times")
    _fetch_all(script, "produce-times-strict")


def append_time(script: Transcript) -> None:
    """D90."""
    script.create_topic("produce-append-time", configs={"message.timestamp.type": "LogAppendTime"})
    for codec in (Codec.NONE, Codec.GZIP, Codec.LZ4):
        script.call(_produce("produce-append-time", build_batch(VALUES, codec=codec)), 12, str(codec))
        script.call(_produce("produce-append-time", build_batch(VALUES, codec=codec)), 3, str(codec))
        says_so = _patched(build_batch(VALUES, codec=codec), 21, ">h", codec.value | 8)
        script.call(_produce("produce-append-time", says_so), 12, f"{codec}, and the producer says so")
    _fetch_all(script, "produce-append-time")


def codecs(script: Transcript) -> None:
    """Batches are stored as they come where the topic's compression.type is `producer`; zstd needs version 7."""
    script.create_topic("produce-codecs")
    for codec in Codec:
        for version in (3, 6, 7, 12):
            script.call(_produce("produce-codecs", build_batch(VALUES, codec=codec)), version, codec.name)
    _fetch_all(script, "produce-codecs")


def compacted_topics_need_keys(script: Transcript) -> None:
    script.create_topic("produce-compacted", configs={"cleanup.policy": "compact"})
    for version in (7, 8, 12):
        for name, records in {"none": KEYLESS, "one of them": [*VALUES, *KEYLESS, VALUES[0]], "all": VALUES}.items():
            for codec in (Codec.NONE, Codec.ZSTD):
                script.call(_produce("produce-compacted", build_batch(records, codec=codec)), version, f"{name} {codec.name}")
    _fetch_all(script, "produce-compacted")


def sizes(script: Transcript) -> None:
    """D93."""
    script.create_topic("produce-small", configs={"max.message.bytes": "200"})
    script.create_topic("produce-small-segments", configs={"segment.bytes": "1048576"})
    big = [Record(timestamp=WHEN, value=b"x" * 5000)]
    script.call(_produce("produce-small", build_batch(big)), 12, "over max.message.bytes")
    script.call(_produce("produce-small", build_batch(big, codec=Codec.GZIP)), 12, "small once compressed")
    script.call(_produce("produce-small-segments", build_batch([Record(timestamp=WHEN, value=b"y" * 1_048_000)])), 12, "nearly max.message.bytes")
    script.call(_produce("produce-small-segments", build_batch([Record(timestamp=WHEN, value=b"y" * 1_048_600)])), 12, "over the default")


def several_topics_and_partitions(script: Transcript) -> None:
    script.create_topic("produce-many-a", 2)
    script.create_topic("produce-many-b", 1)
    data = ProduceRequest.TopicProduceData
    part = data.PartitionProduceData
    good, bad = build_batch(VALUES), b""
    request = ProduceRequest(
        acks=-1,
        timeout_ms=1000,
        topic_data=[
            data(name="produce-many-a", partition_data=[part(index=0, records=good), part(index=1, records=bad), part(index=5, records=good)]),
            data(name="produce-many-b", partition_data=[part(index=0, records=good)]),
            data(name="produce-many-c", partition_data=[part(index=0, records=good)]),
        ],
    )
    for version in (3, 8, 9, 12):
        script.call(request, version)
    twice = ProduceRequest(acks=-1, timeout_ms=1000, topic_data=[data(name="produce-many-b", partition_data=[part(index=0, records=good)])] * 2)
    script.call(ProduceRequest(acks=-1, timeout_ms=1000, topic_data=[]), 12, "nothing")
    script.call(
        ProduceRequest(acks=-1, timeout_ms=1000, topic_data=[data(name="produce-many-a", partition_data=[])]),
        12,
        "no partitions",
    )
    script.call(twice, 12, "one partition twice", differs=TWICE)
    _fetch_all(script, "produce-many-a")


def sequences(script: Transcript) -> None:
    """Idempotence: gaps, duplicates of the last five batches, older ones, old and new epochs; then what DescribeProducers says."""
    script.create_topic("produce-sequences")
    init = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000)
    while (reply := script.client.call(init, 4)).error_code == Error.COORDINATOR_LOAD_IN_PROGRESS:  # the first block of ids is on its way
        time.sleep(0.05)
    assert reply.error_code == 0
    producer_id = reply.producer_id

    def send(sequence: int, note: str, epoch: int = 0, producer: int = producer_id, records: list[Record] = VALUES, version: int = 12) -> None:
        batch = build_batch(records, producer_id=producer, producer_epoch=epoch, base_sequence=sequence)
        script.call(_produce("produce-sequences", batch), version, f"sequence {sequence} epoch {epoch}: {note}")

    for n in range(7):
        send(n * 3, "in order")
    for n in range(7):
        send(n * 3, "again")
    send(18, "again, shorter", records=VALUES[:2])
    send(30, "gap")
    send(21, "in order after the refusals")
    send(3, "new epoch, not from 0", epoch=1)
    send(0, "new epoch", epoch=1)
    send(24, "old epoch", epoch=0)
    send(3, "goes on", epoch=1, version=3)
    send(5, "a producer nobody knows, not from 0", producer=producer_id + 1000)
    send(0, "a producer nobody knows", producer=producer_id + 2000)
    send(2147483646, "wraps", producer=producer_id + 3000)
    send(0, "negative epoch", epoch=-1, producer=producer_id + 4000)
    send(-3, "negative sequence", producer=producer_id + 5000)
    request = DescribeProducersRequest(topics=[DescribeProducersRequest.Topic(name="produce-sequences", partition_indexes=[0, 4])])
    found = script.client.call(request, 0)
    for part in found.topics[0].partitions:
        for producer in part.active_producers:
            producer.producer_id -= producer_id
    script.note("DescribeProducers", found)


def describe_producers_of_what_is_not_there(script: Transcript) -> None:
    script.create_topic("produce-described")
    ask = DescribeProducersRequest.Topic
    for name in ("produce-described", "produce-described-absent", "a/b", "", "x" * 250, "__cluster_metadata"):
        script.call(DescribeProducersRequest(topics=[ask(name=name, partition_indexes=[0, 1, -1])]), 0, name[:30])


def acks_0(script: Transcript) -> None:
    """No answer; an error closes the connection (W25)."""
    script.create_topic("produce-acks-0")
    client = script.client
    client.correlation += 1
    from barnabas.wire.apis import APIS
    from barnabas.wire.framing import encode_request

    client.send(encode_request(APIS[0], 12, client.correlation, "x", _produce("produce-acks-0", build_batch(VALUES), acks=0)))
    _fetch_all(script, "produce-acks-0")
    client.send(encode_request(APIS[0], 12, 99, "x", _produce("produce-acks-0-absent", build_batch(VALUES), acks=0)))
    _fetch_all(script, "produce-acks-0")
    _fetch_all(script, "produce-acks-0")


def to_a_deleted_topic(script: Transcript) -> None:
    topic_id = script.create_topic("produce-deleted")
    script.call(_produce("produce-deleted", build_batch(VALUES)), 12)
    script.call(DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(topic_id=topic_id)], timeout_ms=10000), 6)
    wait_until(lambda: script.client.metadata("produce-deleted").error_code)
    script.call(_produce("produce-deleted", build_batch(VALUES)), 12, "by name")
    script.call(_produce("", build_batch(VALUES), topic_id=topic_id), 13, "by id")


def transactional_ids_without_transactions(script: Transcript) -> None:
    script.create_topic("produce-transactional")
    script.call(_produce("produce-transactional", build_batch(VALUES), transactional_id="t"), 9, "id, plain batch", differs=TRANSACTIONS)


@pytest.mark.parametrize("script", module_scripts(__name__), ids=lambda script: script.__name__)
def test_same_replies(script: object, apache_node: Node, barnabas_node: Node) -> None:
    assert_same(script, apache_node, barnabas_node)  # type: ignore[arg-type]
