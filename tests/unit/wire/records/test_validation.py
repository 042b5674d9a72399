"""What a leader refuses, corrects and leaves alone in a produced batch (D87-D93, T8, T9), with either twin. The same rules against Apache Kafka's own log:
tests/differential/test_validation.py."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.records import batch as layout
from barnabas.wire.records import native, skim, validation
from barnabas.wire.records.batch import read_header, stamp
from barnabas.wire.records.builder import assemble, build_batch
from barnabas.wire.records.compression import Codec, compress
from barnabas.wire.records.record import Record, decode_records, encode_record
from barnabas.wire.records.validation import AppendRules, InvalidBatch, Valid, validate

NOW_MS = 1_700_000_000_000
PLAIN = [Record(timestamp=NOW_MS + i, key=b"k", value=b"v" * 50) for i in range(3)]
ANY_CODEC = pytest.mark.parametrize("codec", list(Codec))


@pytest.fixture(autouse=True, params=["native", "twin"])
def twin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "twin":
        monkeypatch.setattr(validation, "quick", skim.quick)
        monkeypatch.setattr(validation, "skim", skim.skim)
    elif not native.IS_NATIVE:
        pytest.skip("the native part isn't built, or BARNABAS_NATIVE=0")


def judge(batch: bytes | bytearray, rules: AppendRules | None = None) -> Valid:
    return validate(memoryview(bytearray(batch)), rules or AppendRules(), NOW_MS)


def refused(batch: bytes | bytearray, rules: AppendRules | None = None) -> InvalidBatch:
    with pytest.raises(InvalidBatch) as caught:
        judge(batch, rules)
    return caught.value


def changed(batch: bytes, **fields: int) -> bytes:
    """`batch` with other header fields and a true CRC."""
    header = read_header(batch)._replace(**fields)
    return bytes(assemble(batch[61:], header.base_offset, -1, *header[5:]))


@ANY_CODEC
def test_a_good_batch_is_left_alone(codec: int) -> None:
    batch = build_batch(PLAIN, codec=codec, producer_id=5, producer_epoch=2, base_sequence=9, transactional=True)
    received = memoryview(bytearray(batch))
    valid = validate(received, AppendRules(), NOW_MS)
    assert valid.buffer.obj is received.obj and received == batch
    assert valid[1:] == (len(batch), codec | 16, 3, NOW_MS, NOW_MS + 2, 5, 2, 9, -1)
    assert valid.codec == codec and valid.is_transactional
    stamp(valid.buffer, 70, 4)
    assert [r.offset for r in decode_records(received)] == [70, 71, 72]


def test_a_read_only_buffer_is_copied() -> None:
    batch = build_batch(PLAIN)
    valid = validate(memoryview(batch), AppendRules(), NOW_MS)
    assert not valid.buffer.readonly and valid.buffer == batch


@ANY_CODEC
def test_a_lying_max_timestamp_is_corrected(codec: int) -> None:
    good = build_batch(PLAIN, codec=codec)
    valid = judge(changed(good, max_timestamp=5))
    assert valid.max_timestamp == NOW_MS + 2 and valid.buffer == changed(good, leader_epoch=-1)


@ANY_CODEC
def test_log_append_time_touches_the_header_alone(codec: int) -> None:
    batch = build_batch(PLAIN, codec=codec)
    valid = judge(batch, AppendRules(log_append_time=True))
    assert (valid.max_timestamp, valid.append_time_ms) == (NOW_MS, NOW_MS)
    assert valid.buffer[61:] == batch[61:] and read_header(valid.buffer).is_log_append_time
    assert {r.timestamp for r in decode_records(valid.buffer)} == {NOW_MS}


def test_unknown_attribute_bits_stay_unless_the_header_is_rewritten() -> None:
    odd = changed(build_batch(PLAIN), attributes=0x7F80)
    assert judge(odd).attributes == 0x7F80
    assert judge(odd, AppendRules(log_append_time=True)).attributes == layout.LOG_APPEND_TIME


@ANY_CODEC
@pytest.mark.parametrize("target", list(Codec))
def test_compression_type(codec: int, target: int) -> None:
    batch = build_batch(PLAIN, codec=codec, producer_id=5, producer_epoch=2, base_sequence=9)
    valid = judge(batch, AppendRules(codec=target))
    assert valid.codec == target and list(decode_records(valid.buffer)) == list(decode_records(batch))
    assert valid[3:9] == (3, NOW_MS, NOW_MS + 2, 5, 2, 9)
    if codec == target:
        assert valid.buffer == batch


def test_what_is_compressed_again_is_put_in_line() -> None:
    body = b"".join(encode_record(delta, delta, b"k", b"v") for delta in (3, 1, 7))
    for codec in Codec:
        batch = assemble(compress(codec, body), 0, -1, codec, 2, NOW_MS, NOW_MS + 7, -1, -1, -1, 3)
        other = Codec.GZIP if codec != Codec.GZIP else Codec.ZSTD
        valid = judge(batch, AppendRules(codec=other))
        assert [(r.offset, r.timestamp) for r in decode_records(valid.buffer)] == [(0, NOW_MS + 3), (1, NOW_MS + 1), (2, NOW_MS + 7)]
        assert valid.base_timestamp == NOW_MS + 3
        if codec == Codec.NONE:
            assert judge(batch).buffer == batch  # stored as sent
        else:
            assert refused(batch).error == Error.UNKNOWN_SERVER_ERROR


@ANY_CODEC
def test_compacted_topics_need_keys(codec: int) -> None:
    rules = AppendRules(compacted=True)
    batch = build_batch([PLAIN[0], PLAIN[1]._replace(key=None), PLAIN[2]._replace(key=b""), Record(timestamp=NOW_MS)], codec=codec)
    error = refused(batch, rules)
    assert error.error == Error.INVALID_RECORD and [i for i, _ in error.record_errors] == [1, 3] and error.reply_texts("t-0")[0]
    assert judge(build_batch(PLAIN, codec=codec), rules).count == 3


@ANY_CODEC
def test_timestamp_window(codec: int) -> None:
    rules = AppendRules(timestamp_before_max_ms=1000, timestamp_after_max_ms=10)
    at = [NOW_MS - 1000, NOW_MS + 10, -1, NOW_MS - 1001, NOW_MS + 11]
    batch = build_batch([Record(timestamp=t) for t in at], codec=codec)
    error = refused(batch, rules)
    assert error.error == Error.INVALID_TIMESTAMP and [i for i, _ in error.record_errors] == [3, 4]
    assert judge(build_batch([Record(timestamp=t) for t in at[:3]], codec=codec), rules).max_timestamp == NOW_MS + 10
    assert judge(batch, AppendRules(timestamp_before_max_ms=1000, timestamp_after_max_ms=10, log_append_time=True)).count == 5


def test_a_producer_cannot_say_log_append_time_to_a_topic_that_does() -> None:
    error = refused(build_batch(PLAIN, append_time=NOW_MS), AppendRules(log_append_time=True))
    assert error.error == Error.INVALID_TIMESTAMP and len(error.record_errors) == 3


@pytest.mark.parametrize(
    "fields, error",
    [
        ({"base_offset": 1}, Error.INVALID_RECORD),
        ({"count": 0, "last_offset_delta": -1}, Error.INVALID_RECORD),
        ({"count": 2}, Error.INVALID_RECORD),
        ({"count": 4, "last_offset_delta": 3}, Error.INVALID_RECORD),
        ({"count": 2, "last_offset_delta": 1}, Error.INVALID_RECORD),
        ({"attributes": layout.CONTROL}, Error.INVALID_RECORD),
        ({"producer_id": 3, "base_sequence": -1}, Error.INVALID_RECORD),
        ({"attributes": 5}, Error.UNKNOWN_SERVER_ERROR),
        ({"attributes": 3}, Error.UNKNOWN_SERVER_ERROR),  # records that aren't lz4
    ],
)
def test_headers(fields: dict[str, int], error: Error) -> None:
    found = refused(changed(build_batch(PLAIN), **fields))
    assert found.error == error and found.reply_texts("t-0")[0] is None


def test_frames() -> None:
    good = build_batch(PLAIN)
    assert judge(good + good[:-1]).buffer == good  # a cut-off second batch is dropped
    assert refused(good + good).error == Error.INVALID_RECORD
    assert refused(b"").error == refused(good[:-1]).error == Error.INVALID_RECORD
    assert refused(good[:16] + b"\1" + good[17:]).error == Error.INVALID_RECORD
    assert refused(good[:16] + b"\3" + good[17:]).error == Error.CORRUPT_MESSAGE
    assert refused(good[:8] + bytes(4) + good[12:]).error == Error.CORRUPT_MESSAGE
    assert refused(good[:-1] + b"\1").error == Error.CORRUPT_MESSAGE


def test_sizes() -> None:
    good = build_batch(PLAIN)
    assert judge(good, AppendRules(max_message_bytes=len(good), segment_bytes=len(good))).size == len(good)
    assert refused(good, AppendRules(max_message_bytes=len(good) - 1)).error == Error.MESSAGE_TOO_LARGE
    assert refused(good, AppendRules(segment_bytes=len(good) - 1)).error == Error.RECORD_LIST_TOO_LARGE
    packed = build_batch([Record(timestamp=NOW_MS, value=bytes(9000))], codec=Codec.ZSTD)
    assert refused(packed, AppendRules(max_message_bytes=9000, codec=Codec.NONE)).error == Error.MESSAGE_TOO_LARGE
    assert refused(packed, AppendRules(max_decompressed_bytes=9000)).error == Error.MESSAGE_TOO_LARGE


@pytest.mark.parametrize("size", [b"\x10", b"\x0e", b"\x00", b"\x01"])
def test_record_sizes(size: bytes) -> None:
    """A record that lies about its size is refused, unless it lies inside a compressed batch that stays: nobody looks then, here as at Apache Kafka."""
    body = size + bytes(3) + b"\1\1\0"
    assert refused(assemble(body, 0, -1, 0, 0, NOW_MS, NOW_MS, -1, -1, -1, 1)).error == Error.INVALID_RECORD
    batch = assemble(compress(Codec.ZSTD, body), 0, -1, Codec.ZSTD, 0, NOW_MS, NOW_MS, -1, -1, -1, 1)
    assert judge(batch).buffer == batch
    assert refused(batch, AppendRules(codec=Codec.LZ4)).error == Error.INVALID_RECORD


def test_the_environment_can_ask_for_the_twin() -> None:
    program = "from barnabas.wire.records.native import IS_NATIVE; print(IS_NATIVE)"
    found = subprocess.run([sys.executable, "-c", program], env={**os.environ, "BARNABAS_NATIVE": "0"}, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
