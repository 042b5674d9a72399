"""In which version a metadata record is written, by the cluster's metadata.version (C34), and its bytes in the log (D28).

Source: Apache's `MetadataVersion`, `MetadataRecordSerde`, `AbstractApiMessageSerde`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.metadata.features import MV_3_7_IV2_DIRECTORY_ASSIGNMENT, MV_4_0_IV1_ELR, MV_4_3_IV0_CORDONED_DIRECTORIES
from barnabas.wire.logs.cluster_metadata import RECORDS, BrokerRegistrationChangeRecord, PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord
from barnabas.wire.types import DecodeError, read_uvarint, write_uvarint

if TYPE_CHECKING:
    from barnabas.wire.schema import Message

_FRAME_VERSION = 1
_MV_3_4_IV0 = 8


def record_version(record: Message, metadata_version: int | None) -> int:
    """`metadata_version` is the level in force where the record is written; None before the first."""
    level = metadata_version or 0
    if isinstance(record, PartitionChangeRecord | PartitionRecord):
        return 2 if level >= MV_4_0_IV1_ELR else 1 if level >= MV_3_7_IV2_DIRECTORY_ASSIGNMENT else 0
    if isinstance(record, BrokerRegistrationChangeRecord):
        if record.cordoned_log_dirs is not None:
            return 3
        return 2 if record.log_dirs else 1 if record.in_controlled_shutdown else 0
    if isinstance(record, RegisterBrokerRecord):
        if level >= MV_4_3_IV0_CORDONED_DIRECTORIES:
            return 4
        return 3 if level >= MV_3_7_IV2_DIRECTORY_ASSIGNMENT else 2 if level >= _MV_3_4_IV0 else 1
    return 0


def encode_record(record: Message, version: int) -> bytes:
    """The value of a data record of __cluster_metadata."""
    parts = [write_uvarint(_FRAME_VERSION), write_uvarint(record.api_key), write_uvarint(version)]
    record.encode_to(parts.append, version)
    return b"".join(parts)


def decode_record(value: bytes | memoryview) -> tuple[Message, int]:
    """The record and its version. DecodeError for an unknown frame, type or version, which no node may step over (C82)."""
    try:
        frame, position = read_uvarint(value, 0)
        if frame != _FRAME_VERSION:
            raise DecodeError(f"metadata record with frame version {frame}; this release knows {_FRAME_VERSION} only")
        record_type, position = read_uvarint(value, position)
        version, position = read_uvarint(value, position)
    except IndexError:
        raise DecodeError("metadata record is cut inside its frame") from None
    record_class = RECORDS.get(record_type)
    if record_class is None:
        raise DecodeError(f"metadata record of unknown type {record_type}")
    if not record_class.valid_versions[0] <= version <= record_class.valid_versions[1]:
        raise DecodeError(f"{record_class.__name__} in unknown version {version}")
    return record_class.decode_from(value, version, position)[0], version
