"""What a leader accepts, refuses and leaves on disk, against Apache Kafka's own log: the same bytes and configuration to both (D87-D93, T8, T9).

Apache's side is AppendBatches.java: the check that its Produce handler makes, then an append to a real log at a fixed time.
CASES=10000 says how many batches of each kind are made up.
"""

from __future__ import annotations

import os
import subprocess
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.records.batch import ATTRIBUTES_POSITION, CRC, CRC_POSITION, HEADER_SIZE, read_header, stamp
from barnabas.wire.records.builder import assemble, build_batch
from barnabas.wire.records.compression import Codec, compress, decompress
from barnabas.wire.records.native import crc32c
from barnabas.wire.records.record import Record, encode_record
from barnabas.wire.records.validation import AppendRules, InvalidBatch, validate
from tests.apache import release
from tests.unit.wire.records.sloppy import NOW_MS, Sloppy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.apache

SOURCE = release.HERE / "java" / "AppendBatches.java"
LEADER_EPOCH = 7
CASES = int(os.environ.get("CASES", "800"))
CODECS = list(Codec)


class Topic(NamedTuple):
    """A configuration in Apache Kafka's keys, and as our rules."""

    config: str
    rules: AppendRules


TOPICS = [
    Topic("", AppendRules()),
    Topic("cleanup.policy=compact", AppendRules(compacted=True)),
    Topic("message.timestamp.type=LogAppendTime", AppendRules(log_append_time=True)),
    Topic("cleanup.policy=compact;delete,message.timestamp.type=LogAppendTime", AppendRules(compacted=True, log_append_time=True)),
    Topic(
        "message.timestamp.before.max.ms=3600000,message.timestamp.after.max.ms=0",
        AppendRules(timestamp_before_max_ms=3_600_000, timestamp_after_max_ms=0),
    ),
    Topic("max.message.bytes=300", AppendRules(max_message_bytes=300)),
    Topic("compression.type=uncompressed", AppendRules(codec=Codec.NONE)),
    Topic("compression.type=gzip,compression.gzip.level=9", AppendRules(codec=Codec.GZIP, level=9)),
    Topic("compression.type=snappy", AppendRules(codec=Codec.SNAPPY)),
    Topic("compression.type=lz4", AppendRules(codec=Codec.LZ4)),
    Topic("compression.type=zstd,compression.zstd.level=1", AppendRules(codec=Codec.ZSTD, level=1)),
    Topic("compression.type=zstd,message.timestamp.type=LogAppendTime", AppendRules(codec=Codec.ZSTD, log_append_time=True)),
    Topic("compression.type=lz4,cleanup.policy=compact", AppendRules(codec=Codec.LZ4, compacted=True)),
]
PRODUCER, COMPACTED, APPEND_TIME, _, WINDOW, SMALL = TOPICS[:6]
TO_LZ4 = TOPICS[9]


class ApacheLog:
    """Appends batches to Apache Kafka's log, one after the other."""

    def __init__(self, folder: Path) -> None:
        command = [*release.java_command(str(SOURCE)), str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def append(self, batch: bytes, topic: Topic) -> list[str]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{NOW_MS} {topic.config} {batch.hex()}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n").split(" ")


@pytest.fixture(scope="module")
def apache_log(apache_libs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheLog]:
    log = ApacheLog(tmp_path_factory.mktemp("logs"))
    yield log
    log.process.kill()
    log.process.communicate()


def compare(apache: ApacheLog, batch: bytes, topic: Topic) -> str:
    """Empty if both did the same, else what they did."""
    said = apache.append(batch, topic)
    try:
        valid = validate(memoryview(bytearray(batch)), topic.rules, NOW_MS)
    except InvalidBatch as refused:
        indexes = ",".join(str(index) for index, _ in refused.record_errors) or "-"
        ours = ["ERROR", str(int(refused.error)), indexes]
        theirs = [said[0], said[1], said[3]] if said[0] == "ERROR" else said
        if said[0] == "ERROR" and (
            said[2] == "OutOfMemoryError" or (refused.error == Error.UNKNOWN_SERVER_ERROR and "decompressed" in refused.message)
        ):
            # It allocates what a record claims to be; and in broken gzip it may meet a broken record before the break. We look at neither.
            return ""
        return "" if ours == theirs else f"{ours} ({refused.message}) but Apache Kafka {said}"
    if said[0] != "OK":
        return f"{valid[1:]} but Apache Kafka {said}"
    written = bytes.fromhex(said[1])
    their_header = read_header(written)
    stamp(valid.buffer, their_header.base_offset, LEADER_EPOCH)
    if (valid.max_timestamp, valid.append_time_ms) != (int(said[2]), int(said[3])):
        return f"times {valid.max_timestamp}, {valid.append_time_ms} but Apache Kafka {said[2:]}"
    if bytes(valid.buffer) == written:
        return ""
    header = read_header(valid.buffer)
    source = read_header(batch).codec
    if header._replace(length=0, crc=0) != their_header._replace(length=0, crc=0):
        return f"{header} but Apache Kafka {their_header}"
    if header.codec == source or header.codec == Codec.NONE:
        return f"other bytes than Apache Kafka: {bytes(valid.buffer).hex()}, {said[1]}"
    # Compressors differ; what they hold must not.
    bodies = [bytes(decompress(header.codec, whole[HEADER_SIZE:])).hex() for whole in (valid.buffer, memoryview(written))]
    return "" if bodies[0] == bodies[1] else f"other records than Apache Kafka: {bodies}"


def check(apache: ApacheLog, cases: Iterable[tuple[str, bytes, Topic]]) -> None:
    wrong = [f"{name} [{topic.config}]: {said}\n    {batch.hex()}" for name, batch, topic in cases if (said := compare(apache, batch, topic))]
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:10])


def with_header(batch: bytes, **fields: int) -> bytes:
    """`batch` with other header fields and a true CRC (unless `crc` is given)."""
    header = read_header(batch)._replace(**fields)
    out = bytearray(assemble(batch[HEADER_SIZE:], header.base_offset, -1, *header[5:]))
    out[8:12] = header.length.to_bytes(4, "big", signed=True)
    out[16] = header.magic & 0xFF
    CRC.pack_into(out, CRC_POSITION, fields.get("crc", crc32c(memoryview(out)[ATTRIBUTES_POSITION:])))
    return bytes(out)


PLAIN = [Record(timestamp=NOW_MS + i, key=b"key%d" % i, value=b"value" * 9, headers=(("trace", b"1"),)) for i in range(3)]


def probes() -> Iterator[tuple[str, bytes, Topic]]:
    """One case for each rule, by name."""
    good = build_batch(PLAIN)
    owned = build_batch(PLAIN, producer_id=77, producer_epoch=0, base_sequence=0)
    for codec in CODECS:
        for topic in TOPICS:
            yield f"valid, {codec.name}", build_batch(PLAIN, codec=codec), topic
            yield (
                f"transactional, {codec.name}",
                build_batch(PLAIN, codec=codec, producer_id=1 << codec, producer_epoch=1, base_sequence=0, transactional=True),
                topic,
            )
            yield f"no keys, {codec.name}", build_batch([r._replace(key=None) for r in PLAIN], codec=codec), topic
            yield f"no timestamps, {codec.name}", build_batch([r._replace(timestamp=-1) for r in PLAIN], codec=codec), topic
            yield f"negative timestamps, {codec.name}", build_batch([r._replace(timestamp=-5) for r in PLAIN], codec=codec), topic
            yield f"from the future, {codec.name}", build_batch([*PLAIN, Record(timestamp=NOW_MS + 3_600_001, key=b"k")], codec=codec), topic
            yield f"just not from the future, {codec.name}", build_batch([*PLAIN, Record(timestamp=NOW_MS + 3_600_000, key=b"k")], codec=codec), topic
            yield f"old, {codec.name}", build_batch([Record(timestamp=NOW_MS - 3_600_001, key=b"k"), *PLAIN], codec=codec), topic
            yield (
                f"no key and old, {codec.name}",
                build_batch([Record(timestamp=NOW_MS - 9_000_000), Record(timestamp=NOW_MS * 2)], codec=codec),
                topic,
            )
            yield f"says LogAppendTime, {codec.name}", build_batch(PLAIN, codec=codec, append_time=NOW_MS), topic
            yield f"says LogAppendTime -1, {codec.name}", build_batch(PLAIN, codec=codec, append_time=-1), topic
            yield f"delete horizon, {codec.name}", build_batch(PLAIN, codec=codec, delete_horizon_ms=NOW_MS), topic
            yield f"lying maxTimestamp, {codec.name}", with_header(build_batch(PLAIN, codec=codec), max_timestamp=1), topic
            yield f"lying baseTimestamp, {codec.name}", with_header(build_batch(PLAIN, codec=codec), base_timestamp=NOW_MS - 1), topic
            yield f"unknown attributes, {codec.name}", with_header(build_batch(PLAIN, codec=codec), attributes=codec | 0x7F80), topic
            yield (
                f"unknown attributes, lying, {codec.name}",
                with_header(build_batch(PLAIN, codec=codec), attributes=codec | -0x80, max_timestamp=1),
                topic,
            )
            yield f"control, {codec.name}", with_header(build_batch(PLAIN, codec=codec), attributes=codec | 32), topic
            odd = b"".join(encode_record(offset, 0, b"k", b"v") for offset in (0, 5, 2))
            yield f"offset deltas out of line, {codec.name}", assembled(odd, codec, 3), topic
            yield f"a byte too many, {codec.name}", assembled(odd + b"\0", codec, 3), topic
            yield f"a record too many, {codec.name}", assembled(odd + odd[:8], codec, 3), topic
            yield f"a record too few, {codec.name}", assembled(odd, codec, 4), topic
            for header in (b"\xff", b"\xed\xa0\x80", b"a\xc3", b"\xf0\x9f\x98", "größe".encode()):
                body = bytes((0, 0, 0, 1, 1, 2, len(header) * 2)) + header + b"\x01"
                yield f"header key {header!r}, {codec.name}", assembled(bytes((len(body) * 2,)) + body, codec, 1), topic
            for size in (
                b"\x0d",
                b"\x01",
                b"\x00",
                b"\x10",
                b"\xff\xff\xff\xff\xff\x01",
                b"\xff\xff\xff\xff\x0f",
                b"\x8c\x00",
                b"\x8c\x80\x80\x80\x70",
            ):
                yield f"record size {size.hex()}, {codec.name}", assembled(size + b"\x00\x00\x00\x01\x01\x00", codec, 1), topic
    for name, fields in {
        "base offset 1": {"base_offset": 1},
        "magic 0": {"magic": 0},
        "magic 1": {"magic": 1},
        "magic 3": {"magic": 3},
        "magic -1": {"magic": -1},
        "crc": {"crc": 1},
        "count 0": {"count": 0},
        "count -1": {"count": -1},
        "count and delta 0": {"count": 0, "last_offset_delta": -1},
        "count 2": {"count": 2},
        "count 2, delta 1": {"count": 2, "last_offset_delta": 1},
        "count 4, delta 3": {"count": 4, "last_offset_delta": 3},
        "delta -1": {"last_offset_delta": -1},
        "codec 5": {"attributes": 5},
        "codec 6": {"attributes": 6},
        "codec 7": {"attributes": 7},
        "codec 7, wrong crc": {"attributes": 7, "crc": 1},
        "uncompressed called zstd": {"attributes": 4},
        "transactional without producer": {"attributes": 16},
        "length 13": {"length": 13},
        "length 14": {"length": 14},
        "length 15": {"length": 15},
        "length 48": {"length": 48},
        "length 49": {"length": 49},
        "length 0": {"length": 0},
        "length -1": {"length": -1},
        "length too small": {"length": len(good) - 13},
        "length too great": {"length": len(good) - 11},
        "base timestamp at the end": {"base_timestamp": (1 << 63) - 1},
        "base timestamp below": {"base_timestamp": -(1 << 63)},
    }.items():
        for topic in (PRODUCER, COMPACTED, APPEND_TIME, WINDOW, SMALL, TO_LZ4):
            yield name, with_header(good, **fields), topic
    for name, fields in {"sequence -1": {"base_sequence": -1}, "epoch -1": {"producer_epoch": -1}, "producer -2": {"producer_id": -2}}.items():
        for topic in (PRODUCER, TO_LZ4):
            yield name, with_header(owned, **fields), topic
    for cut in (0, 11, 12, 16, 17, 26, 60, len(good) - 1):
        yield f"cut to {cut}", good[:cut], PRODUCER
    for name, tail in {
        "11 bytes": bytes(11),
        "12 bytes": bytes(12),
        "length 13": bytes(8) + b"\0\0\0\x0d" + bytes(20),
        "length 14": bytes(8) + b"\0\0\0\x0e" + bytes(3),
        "length 14, magic 9": bytes(8) + b"\0\0\0\x0e" + bytes(4) + b"\x09",
        "half a batch": good[:40],
        "a batch": good,
    }.items():
        yield f"behind it {name}", good + tail, PRODUCER
        yield f"behind it {name}, wrong crc before", with_header(good, crc=1) + tail, PRODUCER
    for body in (
        b"",
        b"\x00",
        b"garbage",
        bytes(30),
        compress(Codec.GZIP, b""),
        compress(Codec.LZ4, b""),
        compress(Codec.SNAPPY, b""),
        compress(Codec.ZSTD, b""),
    ):
        for codec in CODECS:
            yield f"body {body.hex()}, {codec.name}", bytes(assemble(body, 0, -1, codec, 0, NOW_MS, NOW_MS, -1, -1, -1, 1)), PRODUCER
            yield f"body {body.hex()}, {codec.name}", bytes(assemble(body, 0, -1, codec, 0, NOW_MS, NOW_MS, -1, -1, -1, 1)), TO_LZ4
    yield "too large once compressed again", build_batch([Record(timestamp=NOW_MS, value=Random(1).randbytes(1_048_588 - 80))]), TO_LZ4
    yield "too large when no longer compressed", build_batch([Record(timestamp=NOW_MS, value=bytes(2_000_000))], codec=Codec.ZSTD), TOPICS[6]
    yield "large when decompressed", build_batch([Record(timestamp=NOW_MS, value=bytes(30_000_000))], codec=Codec.ZSTD), PRODUCER


def assembled(body: bytes, codec: int, count: int) -> bytes:
    return bytes(assemble(compress(codec, body), 0, -1, codec, count - 1, NOW_MS, NOW_MS, -1, -1, -1, count))


def test_each_rule(apache_log: ApacheLog) -> None:
    check(apache_log, probes())


@pytest.mark.parametrize("lies", [0.0, 0.005, 0.02, 0.06])
def test_generated_batches(apache_log: ApacheLog, lies: float) -> None:
    random = Random(int(lies * 1000))
    source = Sloppy(random, lies)
    cases = ((f"generated {i}", source.batch(random.choice(CODECS)), random.choice(TOPICS)) for i in range(CASES))
    check(apache_log, cases)


def test_mutated_batches(apache_log: ApacheLog) -> None:
    """One bit of a valid batch flips, inside the CRC and out of it; the CRC is made true again for most."""

    def cases() -> Iterator[tuple[str, bytes, Topic]]:
        random = Random(5)
        for i in range(CASES):
            batch = bytearray(Sloppy(random).batch(random.choice((Codec.NONE, Codec.NONE, *CODECS))))
            place = random.randrange(len(batch))
            batch[place] ^= 1 << random.randrange(8)
            if place >= ATTRIBUTES_POSITION and random.random() < 0.9:
                CRC.pack_into(batch, CRC_POSITION, crc32c(memoryview(batch)[ATTRIBUTES_POSITION:]))
            yield f"mutated {i} at {place}", bytes(batch), random.choice(TOPICS)

    check(apache_log, cases())


def test_too_large_for_a_segment(apache_log: ApacheLog) -> None:
    topic = Topic("segment.bytes=1048576,max.message.bytes=3000000", AppendRules(segment_bytes=1 << 20, max_message_bytes=3_000_000))
    batch = build_batch([Record(timestamp=NOW_MS, value=bytes(1 << 20))])
    assert apache_log.append(batch, topic)[1] == str(int(Error.RECORD_LIST_TOO_LARGE))
    check(apache_log, [("larger than a segment", batch, topic)])
