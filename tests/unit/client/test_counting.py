"""Records counted where they lie: as many as decoding would find, whatever the batches are."""

from __future__ import annotations

import pytest

from barnabas.client.cluster import Cluster
from barnabas.client.consumer import Consumer
from barnabas.client.counting import Counted, Counter
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.compression import Codec
from barnabas.wire.records.control import build_marker_batch
from barnabas.wire.records.record import Record
from barnabas.wire.types import DecodeError

KEY = ("topic", 0)


def _batch(base_offset: int, count: int = 10, **more: int) -> bytes:
    return bytes(build_batch([Record(-1, 1, b"k", b"value%d" % (number % 10)) for number in range(count)], base_offset=base_offset, **more))


def _consumer(position: int = 0) -> Consumer:
    consumer = Consumer(Cluster("localhost:1"))
    consumer.positions[KEY] = position
    return consumer


PLAIN = b"".join((_batch(0), _batch(10), _batch(20)))
PAYLOAD = 10 * 7


@pytest.mark.parametrize("codec", list(Codec))
def test_counts_each_codec_among_plain_batches(codec: Codec) -> None:
    consumer = _consumer()
    data = memoryview(_batch(0) + _batch(10, codec=codec) + _batch(20))
    assert Counter(consumer, 1000).take(KEY, data, []) == [Counted(30, 3 * PAYLOAD)]
    assert consumer.positions[KEY] == 30


@pytest.mark.parametrize("codec", [Codec.NONE, Codec.LZ4])
def test_begins_at_the_position(codec: Codec) -> None:
    data = memoryview(_batch(0, codec=codec) + _batch(10))
    assert Counter(_consumer(7), 1000).take(KEY, data, []) == [Counted(13, 13 * 7)]


def test_a_batch_cut_off_waits_for_the_next_fetch() -> None:
    consumer = _consumer()
    assert Counter(consumer, 1000).take(KEY, memoryview(PLAIN)[:-1], []) == [Counted(20, 2 * PAYLOAD)]
    assert consumer.positions[KEY] == 20


def test_ends_at_the_limit_to_the_record() -> None:
    consumer = _consumer()
    counter = Counter(consumer, 25)
    assert counter.take(KEY, memoryview(PLAIN), []) == [Counted(25, 25 * 7)]
    assert consumer.positions[KEY] == 25
    assert counter.take(KEY, memoryview(PLAIN), []) == []
    assert consumer.positions[KEY] == 25


def test_what_was_aborted_and_markers_count_nothing() -> None:
    consumer = _consumer()
    marker = build_marker_batch(False, producer_id=5, producer_epoch=0, coordinator_epoch=0, timestamp_ms=1, base_offset=20)
    data = memoryview(_batch(0) + _batch(10, producer_id=5, producer_epoch=0, base_sequence=0, transactional=True) + marker + _batch(21))
    assert Counter(consumer, 1000).take(KEY, data, [(10, 5)]) == [Counted(20, 2 * PAYLOAD)]
    assert consumer.positions[KEY] == 31
    assert Counter(_consumer(), 1000).take(KEY, data, []) == [Counted(30, 3 * PAYLOAD)]


def test_broken_records_are_an_error() -> None:
    broken = bytearray(_batch(0))
    broken[61] = 0x7E  # the first record's size
    with pytest.raises(DecodeError):
        Counter(_consumer(), 1000).take(KEY, memoryview(broken), [])
