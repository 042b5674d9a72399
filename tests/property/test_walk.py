"""Going over a log's batches: the C and the Python twin agree on any bytes; what is left out of runs changes no producer; windows of any size find the same."""

from __future__ import annotations

import os
import random as randoms
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barnabas.core.partition import producers
from barnabas.core.partition.producers import ProducerStates
from barnabas.storage import batch_scan
from barnabas.storage.batch_scan import OldFormat, Scan, survey
from barnabas.wire.records import walk as twin
from barnabas.wire.records.batch import ATTRIBUTES_POSITION, CONTROL, CRC, CRC_POSITION, HEADER, HEADER_SIZE, TRANSACTIONAL
from barnabas.wire.records.native import IS_NATIVE, crc32c, thin, walk
from barnabas.wire.records.walk import RUNS, Course
from tests.property.examples import examples
from tests.unit.wire.records.sloppy import EXTREMES, NOW_MS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

if IS_NATIVE:
    from barnabas.wire.records import _native

needs_native = pytest.mark.skipif(not IS_NATIVE, reason="the native part isn't built, or BARNABAS_NATIVE=0")
seeds = st.integers(0, 2**32).map(randoms.Random)
chances = st.sampled_from([0.0, 0.0, 0.002, 0.02])

BASE = 1000
PRODUCERS = (0, 5, 5 + RUNS, 5 + 7 * RUNS, 4095, 2**63 - 1)  # some share a place
FARTHEST = 2**63 - 2


class Batches:
    """A source of batches with true checksums, whose headers lie now and then. What they hold is noise: nobody looks."""

    def __init__(self, random: Random, lies: float, *, producers: int, markers: float = 0.03) -> None:
        self.random = random
        self.lies = lies
        self.producers = PRODUCERS[:producers]
        self.markers = markers
        self.offset = BASE
        self.epoch = 0

    def lie(self, truth: int, *others: int) -> int:
        return self.random.choice(others) if self.random.random() < self.lies else truth

    def one(self) -> bytes:
        random = self.random
        self.offset += random.choice((0, 0, 0, 1, 1000))
        self.epoch += random.random() < 0.02
        delta = self.lie(random.choice((0, 0, 2, 500)), -1, 2**31 - 1, -(2**31))
        body = random.randbytes(random.choice((0, 1, 7, 8, 90)))
        size = HEADER_SIZE + len(body)
        length = self.lie(size - 12, -1, -12, -13, 0, 13, 14, 48, size - 11, size + 1000, 2**31 - 1, -(2**31))
        base = self.lie(self.offset, 0, -1, self.offset - 1, BASE + 2**31 - 1, 2**63 - 1, -(2**63))
        timestamp = self.lie(NOW_MS + random.randrange(20), *EXTREMES)
        producer_id, attributes = -1, 0
        if self.producers and random.random() < 0.9:
            producer_id = self.lie(random.choice(self.producers), -1, -2, -(2**63))
            attributes = random.choice((0, 0, 0, TRANSACTIONAL))
            if random.random() < self.markers:
                attributes = CONTROL | TRANSACTIONAL
        rest = attributes, delta, timestamp, timestamp, producer_id, random.choice((0, 0, 0, 0, 0, 1, -1)), random.choice((-1, self.offset % 100)), 1
        head = base, length, self.lie(self.epoch, -1, 0, self.epoch + 5, 2**31 - 1), self.lie(2, 0, 1, 3, -1, 127)
        batch = bytearray(HEADER.pack(*head, 0, *rest) + body)
        CRC.pack_into(batch, CRC_POSITION, crc32c(batch[ATTRIBUTES_POSITION:]))
        if random.random() < self.lies:
            batch[random.randrange(len(batch))] ^= 1 << random.randrange(8)
        self.offset += max(delta, 0) % 1000 + 1
        return bytes(batch)

    def log(self, count: int) -> bytes:
        data = b"".join([self.one() for _ in range(count)])
        return data[: self.random.randrange(len(data) + 1)] if data and self.random.random() < 0.3 else data


def course_of(random: Random, **more: int) -> Course:
    """A course as recovery sets out on, or one in the middle of a segment."""
    limit = random.choice((BASE + 2**31 - 1, BASE + 2**31 - 1, BASE + 2000))
    position = random.choice((0, 0, 5000, 2**30))
    given = {
        "next_offset": BASE,
        "largest_offset": limit,
        "first_offset": random.choice((0, BASE + 5000)),
        "epoch": random.choice((-1, 1, 2**63 - 1)),
        "room": random.choice((0, 3, 1000)),
        "interval_bytes": random.choice((0, 100, 4096)),
        "entry_position": random.randrange(position + 1),
        "position": position,
        "entry_timestamp": random.choice((-1, NOW_MS)),
        "max_timestamp": random.choice((-1, NOW_MS + 5)),
        "offset_of_max": BASE,
    }
    return Course(BASE, **(given | more))


@needs_native
@settings(max_examples=examples(300), deadline=None)
@given(seeds, chances, st.integers(0, 200), st.integers(0, 6), st.sampled_from([0.0, 0.03, 0.3]))
def test_walks_agree(random: Random, lies: float, count: int, of: int, markers: float) -> None:
    data = Batches(random, lies, producers=of, markers=markers).log(count)
    packed = course_of(random).pack()
    found = _native.walk(data, packed)
    assert found == twin.walk(data, packed)
    assert Course.unpack(found[1]).pack() == found[1]


@needs_native
@settings(max_examples=examples(150), deadline=None)
@given(seeds, st.integers(1, 6))
def test_walks_agree_wherever_it_is_cut_or_damaged(random: Random, count: int) -> None:
    whole = Batches(random, 0, producers=3).log(count)
    packed = course_of(random).pack()
    for cut in range(len(whole) + 1):
        assert _native.walk(whole[:cut], packed) == twin.walk(whole[:cut], packed)
    for at in range(len(whole)):
        data = bytearray(whole)
        data[at] = random.randrange(256)
        assert _native.walk(data, packed) == twin.walk(data, packed)


@needs_native
@settings(max_examples=examples(250))
@given(st.binary(max_size=400), seeds)
def test_walks_agree_on_any_bytes(data: bytes, random: Random) -> None:
    packed = course_of(random).pack()
    assert _native.walk(data, packed) == twin.walk(data, packed)


@needs_native
@settings(max_examples=examples(150), deadline=None)
@given(seeds, st.integers(0, 300), st.integers(1, 6), st.sampled_from([0.0, 0.03, 0.3]))
def test_thinnings_agree_and_tell_producers_the_same(random: Random, count: int, of: int, markers: float) -> None:
    source = Batches(random, 0, producers=of, markers=markers)
    before, every = b"", b""
    for _ in range(3):
        data = b"".join([source.one() for _ in range(count)])
        course = Course(BASE, next_offset=BASE, largest_offset=FARTHEST, epoch=FARTHEST).pack()
        positions = walk(data, course)[4]
        thinned = _native.thin(data, positions, before)
        assert thinned == twin.thin(data, positions, before)
        every += b"".join([data[at : at + HEADER_SIZE] for at in memoryview(positions).cast("i")])
        before = thinned
    assert told(HEADER.iter_unpack(before)) == told(HEADER.iter_unpack(every))


@pytest.mark.parametrize("one", [twin.thin, thin])
def test_thinning_refuses_what_isnt_headers(one: Any) -> None:
    whole = bytes(HEADER_SIZE)
    assert one(whole, bytes(4), b"") == whole
    for data, positions, before in (
        (whole, b"\xff\xff\xff\xff", b""),
        (whole, b"\1\0\0\0", b""),
        (whole[1:], bytes(4), b""),
        (whole, b"", whole[1:]),
    ):
        with pytest.raises(ValueError, match="no whole headers"):
            one(data, positions, before)


@needs_native
def test_native_refuses_a_course_of_another_size() -> None:
    for wrong in (b"", bytes(95), bytes(97)):
        with pytest.raises(ValueError, match="a course takes 96 bytes"):
            _native.walk(b"", wrong)


def told(headers: Iterable[tuple[int, ...]], first_offset: int = 0) -> tuple[Any, ...]:
    """What producers' states are after these batches, and what markers ended on the way."""
    states = ProducerStates()
    ended = []
    for base, _, _, _, _, attributes, delta, _, timestamp, producer_id, epoch, sequence, _ in headers:
        if producer_id < 0 or base + delta < first_offset:
            continue
        if attributes & CONTROL:
            ended.append(states.end_transaction(producer_id, epoch, 7, base, timestamp))
        else:
            states.update(producer_id, epoch, sequence, base, base + delta, timestamp, bool(attributes & TRANSACTIONAL))
    each = {known: [getattr(producer, name) for name in producer.__slots__] for known, producer in states._producers.items()}
    return list(each), each, states._open, states._first_open, states._completed, ended


@settings(max_examples=examples(200), deadline=None)
@given(seeds, st.integers(0, 400), st.integers(1, 6), st.sampled_from([0.0, 0.01, 0.1]), st.sampled_from([0, BASE + 3000]))
def test_producers_are_the_same_without_what_runs_leave_out(random: Random, count: int, of: int, markers: float, first_offset: int) -> None:
    data = Batches(random, 0, producers=of, markers=markers).log(count)
    course = Course(BASE, next_offset=BASE, largest_offset=FARTHEST, first_offset=first_offset)
    sound, packed, _, _, positions = walk(data, course.pack())
    end, every, at = Course.unpack(packed).position, [], 0
    while at < end:
        every.append(HEADER.unpack_from(data, at))
        at += every[-1][1] + 12
    kept = [HEADER.unpack_from(data, at) for at in memoryview(positions).cast("i")]
    assert sound and told(kept, first_offset) == told(every, first_offset)
    if of == 1 and markers == 0 and count == 400:
        assert len(kept) < len(every)


def test_a_run_is_its_first_batch_and_as_many_as_are_remembered() -> None:
    assert producers.REMEMBERED_BATCHES == twin.REMEMBERED_BATCHES
    plain = [(number % 2, 0) for number in range(40)]
    assert reported(plain) == [0, 1, *range(30, 40)]
    transactions = [(7, CONTROL if number % 10 == 9 else TRANSACTIONAL) for number in range(40)]
    assert reported(transactions) == [0, 9, 10, 19, 20, 29, 30, *range(34, 40)]


def reported(batches: list[tuple[int, int]]) -> list[int]:
    """Which of these (producer id, attributes) must be looked at."""
    log = b""
    for number, (producer_id, attributes) in enumerate(batches):
        batch = bytearray(HEADER.pack(number, 49, 0, 2, 0, attributes, 0, 0, 0, producer_id, 0, number, 1))
        CRC.pack_into(batch, CRC_POSITION, crc32c(batch[ATTRIBUTES_POSITION:]))
        log += batch
    course = Course(0, next_offset=0, largest_offset=FARTHEST, epoch=0).pack()
    positions = memoryview(walk(log, course)[4]).cast("i")
    assert positions == memoryview(twin.walk(log, course)[4]).cast("i")
    return [at // HEADER_SIZE for at in positions]


def scanned(descriptor: int, end: int, course: Course) -> list[tuple[int, ...]]:
    """The headers that recovery goes by, found batch by batch."""
    headers: list[tuple[int, ...]] = []
    next_offset = course.next_offset
    for _, _, header in Scan(descriptor, 0, end):
        if header[0] < next_offset or header[0] + header[6] > course.largest_offset:
            break
        headers.append(header)
        next_offset = header[0] + header[6] + 1
    return headers


@settings(max_examples=examples(150), deadline=None)
@given(seeds, chances, st.integers(0, 60), st.sampled_from([61, 62, 150, 400, 1000, 1 << 20]))
def test_windows_of_any_size_find_the_same(random: Random, lies: float, count: int, window: int) -> None:
    data = Batches(random, lies, producers=3).log(count)
    start = course_of(random, position=0, entry_position=0, first_offset=0, epoch=-1)
    usual = batch_scan._SURVEY_BYTES
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            expected = scanned(file.fileno(), len(data), start)
        except OldFormat:
            expected = None
        course, entries, times, kept, thinned = start, b"", b"", [], b""
        batch_scan._SURVEY_BYTES = window
        try:
            for found in survey(file.fileno(), len(data), start):
                course, entries, times = found.course, entries + found.entries, times + found.times
                thinned = thin(found.data, found.told, thinned)
                for header, batch in found.batches():
                    assert len(batch) == header[1] + 12 and HEADER.unpack_from(batch) == header
                    kept.append(header)
        except OldFormat:
            assert expected is None
            return
        finally:
            batch_scan._SURVEY_BYTES = usual
    assert expected is not None
    _, packed, all_entries, all_times, _ = walk(data, start.pack())
    assert (course, entries, times) == (Course.unpack(packed), all_entries, all_times)
    assert course.position == sum([header[1] + 12 for header in expected])
    assert told(kept) == told(expected)
    assert told(list(HEADER.iter_unpack(thinned))) == told(expected)
    greatest = -1
    for one in expected:
        if one[2] > greatest:
            greatest = one[2]
            assert one in kept


def test_a_file_that_became_shorter_ends_the_survey(tmp_path: Any) -> None:
    data = Batches(randoms.Random(1), 0, producers=0).log(50)
    path = tmp_path / "0.log"
    path.write_bytes(data[: len(data) // 2])
    descriptor = os.open(path, os.O_RDONLY)
    try:
        windows = list(survey(descriptor, len(data), Course(BASE, next_offset=BASE, largest_offset=FARTHEST)))
    finally:
        os.close(descriptor)
    assert 0 < windows[-1].course.position <= len(data) // 2
