"""Counting what was fetched: the C and the Python twin agree on any bytes, and count what decoding finds."""

from __future__ import annotations

import random as randoms
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barnabas.wire.records import tally as twin
from barnabas.wire.records.batch import read_header
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.native import IS_NATIVE, tally
from barnabas.wire.records.record import Record, decode_records
from tests.property.examples import examples
from tests.unit.wire.records.sloppy import EXTREMES, Sloppy

if IS_NATIVE:
    from barnabas.wire.records import _native

needs_native = pytest.mark.skipif(not IS_NATIVE, reason="the native part isn't built, or BARNABAS_NATIVE=0")
seeds = st.integers(0, 2**32).map(randoms.Random)
values = st.one_of(st.none(), st.binary(max_size=200))
records = st.lists(st.tuples(values, values, st.lists(st.tuples(st.text(max_size=3), values), max_size=2)), min_size=1, max_size=8)


@needs_native
@settings(max_examples=examples(250), deadline=None)
@given(seeds, st.sampled_from([0.0, 0.01, 0.1]), st.integers(0, 20), st.sampled_from(EXTREMES), st.sampled_from(EXTREMES))
def test_twins_agree_on_records(random: Random, lies: float, count: int, base_offset: int, from_offset: int) -> None:
    source = Sloppy(random, lies)
    data = bytearray(source.records(count)[0])
    if data and random.random() < 0.5:
        data[random.randrange(len(data))] = random.randrange(256)
    given_count = source.lie(count, count + 1, count - 1, 0)
    assert _native.tally_records(data, given_count, base_offset, from_offset) == twin.tally_records(data, given_count, base_offset, from_offset)


@needs_native
@settings(max_examples=examples(250), deadline=None)
@given(seeds, st.lists(records, max_size=4), st.integers(0, 40))
def test_twins_agree_on_batches(
    random: Random, batches: list[list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]]], from_offset: int
) -> None:
    data = bytearray(b"".join(_batches(batches)))
    for _ in range(random.choice((0, 0, 1, 5)) if data else 0):
        data[random.randrange(len(data))] = random.randrange(256)
    cut = bytes(data[: random.randrange(len(data) + 1)]) if random.random() < 0.3 else bytes(data)
    assert _native.tally(cut, from_offset) == twin.tally(cut, from_offset)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(records, max_size=4), st.integers(0, 40))
def test_counts_what_decoding_finds(batches: list[list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]]], from_offset: int) -> None:
    parts = _batches(batches)
    found = [record for part in parts for record in decode_records(part) if record.offset >= from_offset]
    at, next_offset, count, payload = tally(b"".join(parts), from_offset)
    assert at == sum(map(len, parts))
    assert next_offset == (read_header(parts[-1]).next_offset if parts else from_offset)
    assert (count, payload) == (len(found), sum(len(record.key or b"") + len(record.value or b"") for record in found))


def _batches(batches: list[list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]]]) -> list[bytes]:
    parts, offset = [], 0
    for batch in batches:
        parts.append(bytes(build_batch([Record(-1, 5, key, value, tuple(headers)) for key, value, headers in batch], base_offset=offset)))
        offset += len(batch) + 3
    return parts
