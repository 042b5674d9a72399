"""The records of __consumer_offsets that groups write and read (G3-G7). Owns their versions and which of them may be skipped.

An offset commit and a classic group have classes of their own; records of consumer, share and streams groups are kept as they are.
OffsetCommitValue is written in version 4 (1 if the request had a retention time), GroupMetadataValue in version 3: nothing newer,
because an unknown value version stops the other engine's coordinator (G6).
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.logs import group_coordinator as wire
from barnabas.wire.types import ZERO_UUID, DecodeError, write_uvarint

if TYPE_CHECKING:
    from barnabas.wire.schema import Message

LEGACY_OFFSET_COMMIT = 0
OFFSET_COMMIT = 1
CLASSIC_GROUP = 2
NO_PRODUCER_ID = -1
NO_EXPIRY = -1

_OFFSET_COMMIT_VERSIONS = range(5)
_GROUP_METADATA_VERSIONS = range(5)
GROUP_METADATA_VERSION = 3

_SHORT = Struct(">h")
_INT = Struct(">i")
_OFFSET_AND_EPOCH = Struct(">hqi")
_OFFSET = Struct(">hq")
_WITHOUT_METADATA = Struct(">hqibq")
_LONG = Struct(">q")
_TWO_LONGS = Struct(">qq")
_TOPIC_ID_TAG = b"\x01\x00\x10"  # one tagged field, number 0, 16 bytes
_NO_TAGS = b"\x00"
_VERSION_4 = b"\x00\x04"


class Offset(NamedTuple):
    """A committed offset of one partition."""

    committed_offset: int
    leader_epoch: int  # -1 if the client didn't say
    metadata: str
    commit_timestamp_ms: int
    expire_timestamp_ms: int  # -1 unless the request had a retention time
    topic_id: bytes
    record_offset: int = -1  # where the record stands in the log; tells transactional and plain commits apart by age


class OffsetRecord:
    """The offset of one partition in one group; `offset` None is a tombstone."""

    __slots__ = ("group", "offset", "partition", "topic")

    def __init__(self, group: str, topic: str, partition: int, offset: Offset | None) -> None:
        self.group = group
        self.topic = topic
        self.partition = partition
        self.offset = offset

    def encode(self) -> tuple[bytes, bytes | None]:
        group, topic = self.group.encode(), self.topic.encode()
        key = b"".join((b"\x00\x01", _SHORT.pack(len(group)), group, _SHORT.pack(len(topic)), topic, _INT.pack(self.partition)))
        return key, None if self.offset is None else _offset_value(self.offset)


class GroupRecord:
    """A classic group; `value` None is a tombstone."""

    __slots__ = ("group", "value")

    def __init__(self, group: str, value: wire.GroupMetadataValue | None) -> None:
        self.group = group
        self.value = value

    def encode(self) -> tuple[bytes, bytes | None]:
        key = b"\x00\x02" + _string(self.group)
        if self.value is None:
            return key, None
        return key, _SHORT.pack(GROUP_METADATA_VERSION) + self.value.encode(GROUP_METADATA_VERSION)


class KeptRecord:
    """A record of a consumer, share or streams group, as its bytes are; `value` None is a tombstone."""

    __slots__ = ("group", "key", "message", "type", "value")

    def __init__(self, type: int, group: str, key: bytes, value: bytes | None, message: Message | None) -> None:
        self.type = type
        self.group = group
        self.key = key
        self.value = value
        self.message = message  # the decoded value

    def encode(self) -> tuple[bytes, bytes | None]:
        return self.key, self.value


GroupLogRecord = OffsetRecord | GroupRecord | KeptRecord


class UnknownRecordType(Exception):
    """A record of a type that this release doesn't know: to be skipped with a warning (G6)."""

    def __init__(self, type: int) -> None:
        super().__init__(f"record type {type} is unknown; it may be a left-over of an upgrade that was taken back")
        self.type = type


def decode_record(key: bytes | None, value: bytes | None) -> GroupLogRecord:
    """One record of the log. UnknownRecordType is to be skipped; DecodeError makes the whole partition unusable (G6)."""
    if key is None or len(key) < 2:
        raise DecodeError("a record of __consumer_offsets has no record type in its key")
    type_ = _SHORT.unpack_from(key)[0]
    if type_ == OFFSET_COMMIT and value is not None and value[:2] == _VERSION_4:
        usual = _decode_usual_commit(key, value)
        if usual is not None:
            return usual
    if type_ in (LEGACY_OFFSET_COMMIT, OFFSET_COMMIT):
        parsed = wire.OffsetCommitKey.decode(key[2:], 0)
        return OffsetRecord(parsed.group, parsed.topic, parsed.partition, None if value is None else _decode_offset(type_, value))
    if type_ == CLASSIC_GROUP:
        group = wire.GroupMetadataKey.decode(key[2:], 0).group
        if value is None:
            return GroupRecord(group, None)
        version = _version(type_, value, _GROUP_METADATA_VERSIONS)
        return GroupRecord(group, wire.GroupMetadataValue.decode(value[2:], version))
    if type_ not in KEPT_TYPES:
        raise UnknownRecordType(type_)
    message = None
    if value is not None:
        message = KEPT_TYPES[type_].decode(value[2:], _version(type_, value, range(1)))
    return KeptRecord(type_, key_strings(key, 1)[0], key, value, message)


def key_strings(key: bytes, count: int) -> list[str]:
    """The first `count` strings of a record's key, behind its type."""
    strings = []
    position = 2
    for _ in range(count):
        if position + 2 > len(key):
            raise DecodeError("the key of a group record is too short")
        length = _SHORT.unpack_from(key, position)[0]
        position += 2
        if not 0 <= length <= len(key) - position:
            raise DecodeError(f"a string of {length} bytes doesn't fit in the key of a group record")
        strings.append(str(key[position : position + length], "utf-8"))
        position += length
    return strings


def _version(type_: int, value: bytes, known: range) -> int:
    if len(value) < 2:
        raise DecodeError(f"the value of a group record of type {type_} has no version")
    version: int = _SHORT.unpack_from(value)[0]
    if version not in known:
        raise DecodeError(f"version {version} of group record type {type_} is unknown (known: {known.start} to {known.stop - 1})")
    return version


def _decode_offset(type_: int, value: bytes) -> Offset:
    if type_ == LEGACY_OFFSET_COMMIT:
        old = wire.LegacyOffsetCommitValue.decode(value[2:], _version(type_, value, range(1)))
        return Offset(old.offset, -1, old.metadata, old.commit_timestamp, NO_EXPIRY, ZERO_UUID)
    new = wire.OffsetCommitValue.decode(value[2:], _version(type_, value, _OFFSET_COMMIT_VERSIONS))
    return Offset(new.offset, new.leader_epoch, new.metadata, new.commit_timestamp, new.expire_timestamp, new.topic_id)


def _decode_usual_commit(key: bytes, value: bytes) -> OffsetRecord | None:
    """An offset commit as both engines write it, read by hand: loading a partition is mostly this. None for anything unusual."""
    try:
        group_end = 4 + _SHORT.unpack_from(key, 2)[0]
        topic_end = group_end + 2 + _SHORT.unpack_from(key, group_end)[0]
        _, committed, epoch = _OFFSET_AND_EPOCH.unpack_from(value)
        metadata_end = value[14] + 14  # the length is one more than the bytes
        tags = value[metadata_end + 8 :]
        usual = 0 < value[14] < 0x80 and (tags == _NO_TAGS or (tags[:3] == _TOPIC_ID_TAG and len(tags) == 19))
        if not usual or not 4 <= group_end <= topic_end - 2 or topic_end + 4 != len(key):
            return None
        commit_ms = _LONG.unpack_from(value, metadata_end)[0]
        offset = Offset(committed, epoch, str(value[15:metadata_end], "utf-8"), commit_ms, NO_EXPIRY, tags[3:] or ZERO_UUID)
        where = (str(key[4:group_end], "utf-8"), str(key[group_end + 2 : topic_end], "utf-8"), _INT.unpack_from(key, topic_end)[0])
    except (IndexError, ValueError, StructError):
        return None
    return OffsetRecord(*where, offset)


def _offset_value(offset: Offset) -> bytes:
    """OffsetCommitValue, written by hand since each commit of each client comes through here; equal to the declared message's bytes."""
    metadata = offset.metadata.encode()
    if offset.expire_timestamp_ms != NO_EXPIRY:
        times = _TWO_LONGS.pack(offset.commit_timestamp_ms, offset.expire_timestamp_ms)
        return _OFFSET.pack(1, offset.committed_offset) + _SHORT.pack(len(metadata)) + metadata + times
    tags = _NO_TAGS if offset.topic_id == ZERO_UUID else _TOPIC_ID_TAG + offset.topic_id
    if not metadata:
        return _WITHOUT_METADATA.pack(4, offset.committed_offset, offset.leader_epoch, 1, offset.commit_timestamp_ms) + tags
    return b"".join(
        (
            _OFFSET_AND_EPOCH.pack(4, offset.committed_offset, offset.leader_epoch),
            write_uvarint(len(metadata) + 1),
            metadata,
            _LONG.pack(offset.commit_timestamp_ms),
            tags,
        )
    )


def _string(text: str) -> bytes:
    data = text.encode()
    return _SHORT.pack(len(data)) + data


KEPT_TYPES: dict[int, type[Message]] = {
    3: wire.ConsumerGroupMetadataValue,
    4: wire.ConsumerGroupPartitionMetadataValue,
    5: wire.ConsumerGroupMemberMetadataValue,
    6: wire.ConsumerGroupTargetAssignmentMetadataValue,
    7: wire.ConsumerGroupTargetAssignmentMemberValue,
    8: wire.ConsumerGroupCurrentMemberAssignmentValue,
    10: wire.ShareGroupMemberMetadataValue,
    11: wire.ShareGroupMetadataValue,
    12: wire.ShareGroupTargetAssignmentMetadataValue,
    13: wire.ShareGroupTargetAssignmentMemberValue,
    14: wire.ShareGroupCurrentMemberAssignmentValue,
    15: wire.ShareGroupStatePartitionMetadataValue,
    16: wire.ConsumerGroupRegularExpressionValue,
    17: wire.StreamsGroupMetadataValue,
    19: wire.StreamsGroupMemberMetadataValue,
    20: wire.StreamsGroupTargetAssignmentMetadataValue,
    21: wire.StreamsGroupTargetAssignmentMemberValue,
    22: wire.StreamsGroupCurrentMemberAssignmentValue,
    23: wire.StreamsGroupTopologyValue,
}
