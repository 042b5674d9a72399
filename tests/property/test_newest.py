"""The newest record of each key: the C and the Python twin agree on any bytes, table and all, and do what a dictionary of keys would do."""

from __future__ import annotations

import random as randoms
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barnabas.wire.records import newest as twin
from barnabas.wire.records.batch import HEADER_SIZE
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.native import IS_NATIVE, judge, note_keys
from barnabas.wire.records.record import Record
from tests.property.examples import examples
from tests.unit.wire.records.sloppy import Sloppy

if IS_NATIVE:
    from barnabas.wire.records import _native

needs_native = pytest.mark.skipif(not IS_NATIVE, reason="the native part isn't built, or BARNABAS_NATIVE=0")
seeds = st.integers(0, 2**32).map(randoms.Random)
keys = st.one_of(st.none(), st.binary(max_size=2), st.binary(min_size=50, max_size=70), st.binary(min_size=110, max_size=140))
records = st.lists(st.tuples(keys, st.one_of(st.none(), st.binary(max_size=3))), max_size=30)


@needs_native
@settings(max_examples=examples(250), deadline=None)
@given(seeds, st.sampled_from([0.0, 0.01, 0.1]), st.integers(0, 20), st.sampled_from([0, 5, 2**40]), st.booleans())
def test_twins_agree(random: Random, lies: float, count: int, base_offset: int, drops_tombstones: bool) -> None:
    source = Sloppy(random, lies)
    data = bytearray(source.records(count)[0])
    if data and random.random() < 0.5:
        data[random.randrange(len(data))] = random.randrange(256)
    given_count = source.lie(count, count + 1, max(count - 1, 0), 0)
    slots = random.choice((0, 1, 3, 8, 40)) or 1
    room = random.choice((0, 1, slots, slots))
    from_offset = base_offset + random.choice((0, 1, 5))
    one, other = bytearray(slots * twin.SLOT), bytearray(slots * twin.SLOT)
    told = _native.note_keys(data, given_count, base_offset, from_offset, one, room)
    assert told == twin.note_keys(data, given_count, base_offset, from_offset, other, room)
    assert one == other
    latest = base_offset + random.choice((-1, 2, 100))
    assert _native.judge(data, given_count, base_offset, one, latest, drops_tombstones) == twin.judge(
        data, given_count, base_offset, other, latest, drops_tombstones
    )


@settings(max_examples=examples(150), deadline=None)
@given(records, records, st.booleans())
def test_as_a_dictionary(
    first: list[tuple[bytes | None, bytes | None]], second: list[tuple[bytes | None, bytes | None]], drops_tombstones: bool
) -> None:
    table = bytearray(100 * twin.SLOT)
    known: dict[bytes, int] = {}
    parts = []
    for base_offset, part in ((10, first), (1000, second)):
        batch = build_batch([Record(key=key, value=value) for key, value in part], base_offset=base_offset, last_offset_delta=max(len(part) - 1, 0))
        parts.append((base_offset, part, batch[HEADER_SIZE:]))
    for base_offset, part, body in parts:
        before = len(known)
        offsets = {base_offset + index: key for index, (key, _) in enumerate(part) if key is not None}
        known.update({key: offset for offset, key in offsets.items()})
        assert note_keys(body, len(part), base_offset, 0, table, 100) == (len(known) - before, max(offsets, default=-1), True)
    for base_offset, part, body in parts:
        stays = [
            key is not None and known[key] == base_offset + index and (value is not None or not drops_tombstones)
            for index, (key, value) in enumerate(part)
        ]
        tombstones = sum(stay and value is None for stay, (_, value) in zip(stays, part, strict=True))
        assert judge(body, len(part), base_offset, table, 5000, drops_tombstones) == (sum(stays), tombstones, bytes(stays))
