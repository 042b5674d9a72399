"""Control records: what brokers and controllers themselves write between records (transaction markers, KRaft's leader changes and snapshots' ends).

Owns a control record's key (version 0, type) and the transaction marker's value. The values of KRaft's control records are messages of `wire.logs.raft`: bytes
here. Sources: KIP-98, KIP-595, KIP-630, KIP-853.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING

from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    Buffer = bytes | bytearray | memoryview

KEY = Struct(">hh")  # version, type
MARKER = Struct(">hi")  # version, coordinator epoch


class ControlType(IntEnum):
    """The type in a control record's key. A reader ignores records of a type that it doesn't know."""

    ABORT = 0
    COMMIT = 1
    LEADER_CHANGE = 2
    SNAPSHOT_HEADER = 3
    SNAPSHOT_FOOTER = 4
    KRAFT_VERSION = 5
    KRAFT_VOTERS = 6


def control_key(kind: int) -> bytes:
    return KEY.pack(0, kind)


def control_type(key: Buffer | None) -> int:
    """The type that a control record's key names: a ControlType, or a number from the future. DecodeError if it is no such key."""
    if key is None or len(key) < KEY.size:
        raise DecodeError(f"a control record's key takes {KEY.size} bytes, {len(key or b'')} are there")
    version, kind = KEY.unpack_from(key)
    if version < 0:
        raise DecodeError(f"version {version} of a control record's key")
    return int(kind)


def build_control_batch(
    records: Sequence[tuple[int, bytes]],
    *,
    timestamp_ms: int,
    base_offset: int = 0,
    leader_epoch: int = -1,
    producer_id: int = -1,
    producer_epoch: int = -1,
    transactional: bool = False,
) -> bytes:
    """One control batch of (ControlType, encoded value) records, all of one time; never compressed."""
    made = [Record(timestamp=timestamp_ms, key=control_key(kind), value=value) for kind, value in records]
    return build_batch(
        made,
        base_offset=base_offset,
        leader_epoch=leader_epoch,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        transactional=transactional,
        control=True,
    )


def build_marker_batch(
    commit: bool, *, producer_id: int, producer_epoch: int, coordinator_epoch: int, timestamp_ms: int, base_offset: int = 0, leader_epoch: int = -1
) -> bytes:
    """The batch that ends a transaction in one partition."""
    kind = ControlType.COMMIT if commit else ControlType.ABORT
    return build_control_batch(
        [(kind, MARKER.pack(0, coordinator_epoch))],
        timestamp_ms=timestamp_ms,
        base_offset=base_offset,
        leader_epoch=leader_epoch,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        transactional=True,
    )


def coordinator_epoch(value: Buffer) -> int:
    """The coordinator epoch in a transaction marker's value. DecodeError if it is too short."""
    if len(value) < MARKER.size:
        raise DecodeError(f"a transaction marker's value takes {MARKER.size} bytes, {len(value)} are there")
    return int(MARKER.unpack_from(value)[1])
