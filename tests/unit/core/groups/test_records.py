"""G3-G7: records of __consumer_offsets as bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnabas.core.groups.records import KEPT_TYPES, GroupRecord, KeptRecord, Offset, OffsetRecord, UnknownRecordType, decode_record
from barnabas.wire.logs import group_coordinator as wire
from barnabas.wire.types import ZERO_UUID, DecodeError

ID = bytes(range(16))


@pytest.mark.parametrize("topic_id", [ZERO_UUID, ID])
@pytest.mark.parametrize("metadata", ["", "größe", "x" * 4096])
def test_hand_written_value_equals_the_declared_message(metadata: str, topic_id: bytes) -> None:
    offset = Offset(1 << 40, 7, metadata, 1_700_000_000_000, -1, topic_id)
    key, value = OffsetRecord("grüße", "topic", 3, offset).encode()
    declared = wire.OffsetCommitValue(
        offset=1 << 40, leader_epoch=7, metadata=metadata, commit_timestamp=1_700_000_000_000, expire_timestamp=-1, topic_id=topic_id
    )
    assert key == b"\x00\x01" + wire.OffsetCommitKey(group="grüße", topic="topic", partition=3).encode(0)
    assert value == b"\x00\x04" + declared.encode(4)


def test_a_retention_time_makes_it_version_1() -> None:
    _, value = OffsetRecord("g", "t", 0, Offset(5, 7, "m", 10, 20, ID)).encode()
    assert value == b"\x00\x01" + wire.OffsetCommitValue(offset=5, metadata="m", commit_timestamp=10, expire_timestamp=20).encode(1)


@pytest.mark.parametrize("version", range(5))
def test_all_offset_versions_are_read(version: int) -> None:
    value = wire.OffsetCommitValue(offset=5, leader_epoch=2, metadata="m", commit_timestamp=10, expire_timestamp=20, topic_id=ID)
    key = b"\x00\x01" + wire.OffsetCommitKey(group="g", topic="t", partition=1).encode(0)
    record = decode_record(key, version.to_bytes(2, "big") + value.encode(version))
    assert isinstance(record, OffsetRecord)
    epoch, expire_ms, topic_id = 2 if version >= 3 else -1, 20 if version == 1 else -1, ID if version >= 4 else ZERO_UUID
    assert record.offset == Offset(5, epoch, "m", 10, expire_ms, topic_id)


def test_old_offset_key_is_read() -> None:
    """G7: type 0 is only read."""
    key = b"\x00\x00" + wire.LegacyOffsetCommitKey(group="g", topic="t", partition=1).encode(0)
    value = b"\x00\x00" + wire.LegacyOffsetCommitValue(offset=5, metadata="m", commit_timestamp=10).encode(0)
    record = decode_record(key, value)
    assert isinstance(record, OffsetRecord)
    assert (record.group, record.topic, record.partition, record.offset) == ("g", "t", 1, Offset(5, -1, "m", 10, -1, ZERO_UUID))


def test_a_group_is_written_in_version_3() -> None:
    value = wire.GroupMetadataValue(protocol_type="consumer", generation=3, protocol="range", leader="a", current_state_timestamp=5, members=[])
    key, encoded = GroupRecord("g", value).encode()
    assert (key, encoded) == (b"\x00\x02\x00\x01g", b"\x00\x03" + value.encode(3))


def test_tombstones() -> None:
    for record in (OffsetRecord("g", "t", 0, None), GroupRecord("g", None), KeptRecord(3, "g", b"\x00\x03\x00\x01g", None, None)):
        key, value = record.encode()
        assert value is None
        assert type(decode_record(key, None)) is type(record)


def test_unknown_type_is_told_apart_from_unknown_version() -> None:
    """G6: one is skipped, the other stops the partition."""
    with pytest.raises(UnknownRecordType, match="type 99"):
        decode_record(b"\x00\x63whatever", b"\x00\x00")
    with pytest.raises(DecodeError, match="version 5 of group record type 1"):
        decode_record(b"\x00\x01\x00\x01g\x00\x01t\x00\x00\x00\x00", b"\x00\x05")
    with pytest.raises(DecodeError, match="version 1 of group record type 3"):
        decode_record(b"\x00\x03\x00\x01g", b"\x00\x01")


@pytest.mark.parametrize("key", [None, b"", b"\x00", b"\x00\x01", b"\x00\x03", b"\x00\x03\x00\x05g", b"\x00\x03\xff\xffg"])
def test_broken_keys(key: bytes | None) -> None:
    with pytest.raises(DecodeError):
        decode_record(key, b"\x00\x00")


@pytest.mark.parametrize("type_", KEPT_TYPES)
def test_kept_records_keep_their_bytes(type_: int) -> None:
    key = type_.to_bytes(2, "big") + b"\x00\x01g" + b"\x00\x01m" * 2
    message = KEPT_TYPES[type_]()
    value = b"\x00\x00" + message.encode(0)
    record = decode_record(key, value)
    assert isinstance(record, KeptRecord)
    assert (record.group, record.encode()) == ("g", (key, value))


@given(
    st.text(max_size=20),
    st.text(max_size=20),
    st.integers(0, 9),
    st.integers(0, 1 << 60),
    st.text(max_size=200),
    st.booleans(),
)
def test_commits_read_by_hand_equal_the_declared_message(group: str, topic: str, partition: int, committed: int, metadata: str, has_id: bool) -> None:
    record = OffsetRecord(group, topic, partition, Offset(committed, 3, metadata, 5, -1, ID if has_id else ZERO_UUID))
    key, value = record.encode()
    assert value is not None
    read = decode_record(key, value)
    assert isinstance(read, OffsetRecord)
    assert (read.group, read.topic, read.partition, read.offset) == (group, topic, partition, record.offset)
    for cut in range(2, len(value)):  # cut short it is never taken for whole
        with pytest.raises(DecodeError):
            decode_record(key, value[:cut])
    for cut in range(2, len(key)):
        with pytest.raises(DecodeError):
            decode_record(key[:cut], value)


def test_unknown_tags_are_left_to_the_declared_message() -> None:
    key, value = OffsetRecord("g", "t", 0, Offset(5, 3, "m", 5, -1, ZERO_UUID)).encode()
    assert value is not None
    read = decode_record(key, value[:-1] + b"\x01\x05\x02xy")
    assert isinstance(read, OffsetRecord)
    assert read.offset == Offset(5, 3, "m", 5, -1, ZERO_UUID)
