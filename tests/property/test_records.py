"""Batches: the C and the Python twin agree on any bytes; what we write, other clients read, and the other way round."""

from __future__ import annotations

import contextlib
import random as randoms
import warnings
from typing import TYPE_CHECKING, Any

import aiokafka.record.default_records as aiokafka_records
import aiokafka.record.memory_records as aiokafka_memory
import crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barnabas.wire.records import skim as twin
from barnabas.wire.records.batch import iterate_headers, read_header
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.compression import Codec, compress, decompress
from barnabas.wire.records.native import IS_NATIVE
from barnabas.wire.records.record import Record, decode_records, iterate_records, read_varint, read_varlong, varint
from barnabas.wire.records.validation import AppendRules, InvalidBatch, Valid, examine, validate
from barnabas.wire.types import DecodeError
from tests.property.examples import examples
from tests.unit.wire.records.sloppy import EXTREMES, NOW_MS, Sloppy

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it reads its own schemas the old way
    from kafka.record import MemoryRecords, MemoryRecordsBuilder

if IS_NATIVE:
    from barnabas.wire.records import _native

needs_native = pytest.mark.skipif(not IS_NATIVE, reason="the native part isn't built, or BARNABAS_NATIVE=0")
seeds = st.integers(0, 2**32).map(randoms.Random)
chances = st.sampled_from([0.0, 0.003, 0.02, 0.1])

RULES = [
    AppendRules(),
    AppendRules(compacted=True),
    AppendRules(log_append_time=True),
    AppendRules(timestamp_before_max_ms=3_600_000),
    AppendRules(timestamp_after_max_ms=0, compacted=True),
    AppendRules(codec=0),
    AppendRules(codec=4),
    AppendRules(max_message_bytes=300),
    AppendRules(segment_bytes=200),
]


@needs_native
@settings(max_examples=examples(750), deadline=None)
@given(seeds, chances, st.integers(0, 20), st.sampled_from(EXTREMES), st.sampled_from([None, *EXTREMES]), st.booleans(), st.sampled_from(RULES))
def test_skims_agree(random: Random, lies: float, count: int, base: int, append_time: int | None, skip: bool, rules: AppendRules) -> None:
    source = Sloppy(random, lies)
    for _ in range(10):
        data = bytearray(source.records(count)[0])
        if data and random.random() < 0.5:
            data[random.randrange(len(data))] = random.randrange(256)
        given_count = source.lie(count, count + 1, count - 1, 0)
        arguments = (base, append_time, skip, rules.packed, NOW_MS)
        assert _native.skim(data, given_count, *arguments) == twin.skim(data, given_count, *arguments)


@needs_native
@settings(max_examples=examples(500), deadline=None)
@given(seeds, chances, st.integers(0, 20), st.sampled_from(EXTREMES), st.sampled_from(EXTREMES), st.sampled_from([None, *EXTREMES]))
def test_readers_agree(random: Random, lies: float, count: int, base_offset: int, base: int, append_time: int | None) -> None:
    source = Sloppy(random, lies)
    data = bytearray(source.records(count)[0])
    if data and random.random() < 0.5:
        data[random.randrange(len(data))] = random.randrange(256)
    found = _native.read_records(data, count, base_offset, base, append_time, Record)
    try:
        expected = list(iterate_records(data, count, base_offset, base, append_time))
    except DecodeError:
        assert found is None
    else:
        # None is allowed where only Python goes on: header keys that aren't UTF-8, offsets beyond 64 bits
        assert found == expected or (found is None and (abs(base_offset) > 2**62 or any("\ufffd" in k for r in expected for k, _ in r.headers)))


@needs_native
@given(st.binary(max_size=60), st.integers(-1, 20), st.booleans())
def test_skims_agree_on_any_bytes(data: bytes, count: int, skip: bool) -> None:
    arguments = (count, NOW_MS, None, skip, RULES[1].packed, NOW_MS)
    assert _native.skim(data, *arguments) == twin.skim(data, *arguments)


@needs_native
@settings(max_examples=examples(150))
@given(seeds, st.integers(0, 20_000), st.integers(0, 17), st.integers(0, 2**32 - 1))
def test_checksums_agree(random: Random, size: int, start: int, value: int) -> None:
    data = memoryview(random.randbytes(size))[start:]
    assert _native.crc32c(data) == crc32c.crc32c(data)
    assert _native.crc32c(data, value) == crc32c.crc32c(data, value)


def outcome(check: Callable[[memoryview, AppendRules, int], Valid], batch: bytes, rules: AppendRules) -> tuple[Any, ...]:
    try:
        return tuple(check(memoryview(bytearray(batch)), rules, NOW_MS))
    except InvalidBatch as refused:
        return refused.error, refused.message, refused.record_errors


@needs_native
@settings(max_examples=examples(500), deadline=None)
@given(seeds, chances, st.sampled_from(RULES), st.integers(0, 4))
def test_the_quick_way_is_the_long_way(random: Random, lies: float, rules: AppendRules, codec: int) -> None:
    for _ in range(5):
        batch = Sloppy(random, lies).batch(codec)
        view = memoryview(bytearray(batch))
        quick = _native.quick(view, rules.packed, NOW_MS)
        assert view == batch  # it changes nothing
        assert quick is None or (type(quick) is Valid and quick.buffer is view)
        assert outcome(validate, batch, rules) == outcome(examine, batch, rules)
        if lies == 0 and rules is RULES[0]:
            assert quick is not None and tuple(quick) == outcome(examine, batch, rules)


@settings(max_examples=examples(150), deadline=None)
@given(seeds, chances, st.sampled_from(RULES), st.integers(0, 4))
def test_what_is_valid_can_be_read(random: Random, lies: float, rules: AppendRules, codec: int) -> None:
    """Whatever passes is one whole batch with a true header, that passes again unchanged."""
    batch = Sloppy(random, lies).batch(codec)
    try:
        valid = examine(batch, rules, NOW_MS)
    except InvalidBatch:
        return
    header = read_header(valid.buffer)
    assert (header.size, header.count, header.max_timestamp) == (valid.size, valid.count, valid.max_timestamp)
    assert len(valid.buffer) == valid.size and not valid.buffer.readonly
    try:
        records = list(decode_records(valid.buffer))
    except DecodeError:
        assert codec and header.codec == codec  # a compressed batch that stays may lie about its records' sizes, here as at Apache Kafka
        return
    assert len(records) == header.count
    if not rules.log_append_time:
        assert max(-1, *(r.timestamp for r in records)) == header.max_timestamp
        before = bytes(valid.buffer)
        again = examine(valid.buffer, rules, NOW_MS)
        assert bytes(again.buffer) == before


@given(st.integers(-(2**63), 2**63 - 1))
def test_varints(value: int) -> None:
    assert read_varlong(varint(value), 0) == (value, len(varint(value)))
    if -(2**31) <= value < 2**31:
        assert read_varint(varint(value), 0) == (value, len(varint(value)))


contents = st.one_of(st.none(), st.binary(max_size=50), st.just(b"long" * 20_000))
records_of = st.lists(
    st.builds(
        Record,
        offset=st.just(-1),
        timestamp=st.integers(0, 2**45),
        key=contents,
        value=contents,
        headers=st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), st.binary(max_size=9)), max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=examples(75), deadline=None)
@given(records_of, st.sampled_from([Codec.NONE, Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD]), st.integers(0, 2**40))
def test_other_clients_read_ours(records: list[Record], codec: int, base_offset: int) -> None:
    batch = build_batch(records, base_offset=base_offset, codec=codec, producer_id=5, producer_epoch=0, base_sequence=9)
    expected = [record._replace(offset=base_offset + i) for i, record in enumerate(records)]
    assert list(decode_records(batch)) == expected
    for library in (MemoryRecords(batch), aiokafka_memory._MemoryRecordsPy(batch), aiokafka_memory.MemoryRecords(batch)):
        found = library.next_batch()
        assert found.validate_crc()
        read = [Record(r.offset, r.timestamp, r.key, r.value, tuple((k, v) for k, v in r.headers)) for r in found]
        assert read == expected
        assert not library.has_next()


def by_kafka_python(records: list[Record], codec: int) -> bytes:
    builder = MemoryRecordsBuilder(2, codec, 1 << 24)
    for record in records:
        builder.append(record.timestamp, record.key, record.value, list(record.headers))
    builder.close()
    return bytes(builder.buffer())


def by_aiokafka(records: list[Record], codec: int, builder_class: Any) -> bytes:
    builder = builder_class(2, codec, 0, -1, -1, -1, 1 << 24)
    for i, record in enumerate(records):
        builder.append(i, record.timestamp, record.key, record.value, list(record.headers))
    return bytes(builder.build())


@settings(max_examples=examples(75), deadline=None)
@given(records_of, st.sampled_from([Codec.NONE, Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD]))
def test_we_read_other_clients(records: list[Record], codec: int) -> None:
    made = [by_kafka_python(records, codec)]
    made += [by_aiokafka(records, codec, c) for c in (aiokafka_records.DefaultRecordBatchBuilder, aiokafka_records._DefaultRecordBatchBuilderPy)]
    for batch in made:
        assert [p for p, _ in iterate_headers(batch)] == [0]
        assert list(decode_records(batch)) == [record._replace(offset=i) for i, record in enumerate(records)]
        valid = examine(batch, RULES[2], NOW_MS)
        assert (valid.count, valid.max_timestamp) == (len(records), NOW_MS)


@given(st.binary(max_size=200), st.integers(0, 5))
def test_any_bytes_are_refused_or_read(data: bytes, codec: int) -> None:
    """Nothing but the typed errors comes out, whatever goes in."""
    with contextlib.suppress(DecodeError):
        list(decode_records(data))
    assert isinstance(outcome(validate, data, RULES[0]), tuple)


@settings(max_examples=examples(250), deadline=None)
@given(seeds, st.integers(1, 4), st.binary(max_size=300), st.integers(0, 3))
def test_any_compressed_bytes_are_refused_or_bounded(random: Random, codec: int, data: bytes, flips: int) -> None:
    packed = bytearray(compress(codec, data * 9))
    for _ in range(flips):
        packed[random.randrange(len(packed))] = random.randrange(256)
    for hostile in (bytes(packed), bytes(packed[: random.randrange(len(packed) + 1)]), data):
        for scratch in (None, bytearray(4000)):
            with contextlib.suppress(DecodeError):
                assert len(decompress(codec, hostile, 2000, scratch=scratch)) <= 2000
