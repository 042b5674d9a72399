"""Batches: what is built can be read, by every codec, and broken ones are refused (D45-D47)."""

from __future__ import annotations

import pytest

from barnabas.wire.records.batch import HEADER_SIZE, iterate_headers, last_sequence, read_header, stamp
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.control import ControlType, build_marker_batch, control_type, coordinator_epoch
from barnabas.wire.records.record import Record, decode_records
from barnabas.wire.types import DecodeError, EncodeError

RECORDS = [
    Record(timestamp=1_700_000_000_000, key=b"a", value=b"one", headers=(("trace", b"1"), ("", None))),
    Record(timestamp=1_700_000_000_700, key=None, value=b"v" * 70_000),
    Record(timestamp=1_699_999_999_000, key=b"", value=None, headers=(("größe", b""),)),
]


@pytest.mark.parametrize("codec", range(5))
def test_round_trip(codec: int) -> None:
    batch = build_batch(RECORDS, base_offset=40, leader_epoch=3, codec=codec, producer_id=9, producer_epoch=1, base_sequence=7, transactional=True)
    header = read_header(batch)
    assert (header.size, header.codec, header.count, header.last_offset, header.next_offset) == (len(batch), codec, 3, 42, 43)
    assert (header.base_timestamp, header.max_timestamp) == (1_700_000_000_000, 1_700_000_000_700)
    assert header.is_transactional and not header.is_control and header.last_sequence == 9
    assert list(decode_records(batch)) == [r._replace(offset=40 + i) for i, r in enumerate(RECORDS)]


def test_offsets_may_have_gaps_but_must_rise() -> None:
    batch = build_batch([Record(offset=10), Record(offset=14)], base_offset=8, last_offset_delta=9)
    assert [r.offset for r in decode_records(batch)] == [10, 14]
    assert read_header(batch).last_offset == 17
    with pytest.raises(EncodeError):
        build_batch([Record(offset=10), Record(offset=10)])
    with pytest.raises(EncodeError):
        build_batch([])
    assert list(decode_records(build_batch([], last_offset_delta=3))) == []


def test_log_append_time_stands_for_every_record() -> None:
    assert {r.timestamp for r in decode_records(build_batch(RECORDS, append_time=5))} == {5}


def test_stamping_leaves_the_crc_valid() -> None:
    batch = bytearray(build_batch(RECORDS))
    stamp(batch, 1 << 40, 12)
    assert read_header(batch)[:3] == (1 << 40, len(batch) - 12, 12)
    assert len(list(decode_records(batch))) == 3


def test_walk_ends_before_a_cut_off_batch() -> None:
    first, second = build_batch(RECORDS[:1]), build_batch(RECORDS, base_offset=1)
    both = first + second
    assert [(p, h.base_offset) for p, h in iterate_headers(both)] == [(0, 0), (len(first), 1)]
    for cut in (1, len(second) - HEADER_SIZE, len(second)):
        assert [p for p, _ in iterate_headers(both[:-cut])] == [0]


def test_broken_bytes_are_refused() -> None:
    batch = build_batch(RECORDS)
    for broken in (b"", batch[:60], batch[:-1], batch[:16] + b"\x01" + batch[17:], batch[:-1] + b"\xff", batch[:8] + bytes(4) + batch[12:]):
        with pytest.raises(DecodeError):
            list(decode_records(broken))


def test_sequences_wrap() -> None:
    assert last_sequence(0x7FFFFFFF, 1) == 0
    assert last_sequence(-1, 5) == -1


def test_transaction_marker() -> None:
    batch = build_marker_batch(True, producer_id=5, producer_epoch=2, coordinator_epoch=11, timestamp_ms=99, base_offset=3)
    header = read_header(batch)
    assert header.is_control and header.is_transactional and (header.producer_id, header.base_sequence) == (5, -1)
    (record,) = decode_records(batch)
    assert record.value is not None
    assert (control_type(record.key), coordinator_epoch(record.value)) == (ControlType.COMMIT, 11)
    with pytest.raises(DecodeError):
        control_type(b"\0")
