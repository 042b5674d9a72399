"""Fetch responses for sending: the encoding around record data that stays in its file.

Written by hand because a compiled encoder would want the records as bytes; proven equal to it by a test. All versions, 4-18; what is rare (a top-level error, a
diverging epoch, the current leader) is among it.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.wire.types import write_uvarint

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIZE_AND_CORRELATION = Struct(">ii")
_TOP_4 = Struct(">i")  # throttle
_TOP_7 = Struct(">ihi")  # throttle, error, session
_INT16 = Struct(">h")
_INT32 = Struct(">i")
_PART_4 = Struct(">ihqq")  # index, error, high watermark, last stable offset
_PART_5 = Struct(">ihqqq")  # and log start offset
_ABORTED = Struct(">qq")
_EPOCH_AND_OFFSET = Struct(">iq")
_LEADER_AND_EPOCH = Struct(">ii")


class PartitionData(NamedTuple):
    """One partition of a response. `size` bytes of records come from `file` at `position`; `aborted` is None unless committed records were asked for."""

    partition: int
    error: int = 0
    high_watermark: int = -1
    last_stable_offset: int = -1
    log_start_offset: int = -1
    aborted: Sequence[tuple[int, int]] | None = None
    file: Any = None
    position: int = 0
    size: int = 0
    diverging: tuple[int, int] | None = None  # epoch, end offset
    current_leader: tuple[int, int] | None = None  # leader id, epoch
    preferred: int = -1  # a nearer replica, where a consumer had better read
    is_old: bool = False  # far from the log's end: its pages may be on the disk only


def encode_fetch_response(
    version: int,
    correlation_id: int,
    error: int,
    session_id: int,
    topics: Sequence[tuple[str | bytes, Sequence[PartitionData]]],
    endpoints: Sequence[tuple[int, str, int, str | None]] = (),
) -> list[bytes | tuple[Any, int, int]]:
    """A whole frame as pieces to be sent in order: bytes, or (file, position, size). Topics are named by str before version 13, by id from then on.

    `endpoints` (from version 16 on): (node id, host, port, rack) of current leaders.
    """
    flexible = version >= 12
    pieces: list[bytes | tuple[Any, int, int]] = []
    current: list[bytes] = [b"", _TOP_7.pack(0, error, session_id) if version >= 7 else _TOP_4.pack(0), _count(len(topics), flexible)]
    total = 0
    for topic, partitions in topics:
        current.append(_topic(topic, flexible))
        current.append(_count(len(partitions), flexible))
        for data in partitions:
            current.append(_partition(data, version, flexible))
            if data.size:
                head = b"".join(current)
                pieces.append(head)
                pieces.append((data.file, data.position, data.size))
                total += len(head) + data.size
                current = []
            if flexible:
                current.append(_tags(data))
        if flexible:
            current.append(b"\0")
    if flexible:
        current.append(_endpoints(endpoints) if endpoints else b"\0")
    if current:
        tail = b"".join(current)
        pieces.append(tail)
        total += len(tail)
    start = b"\0" if flexible else b""
    first = pieces[0]
    assert isinstance(first, bytes)
    pieces[0] = _SIZE_AND_CORRELATION.pack(4 + len(start) + total, correlation_id) + start + first
    return pieces


def _count(count: int, flexible: bool) -> bytes:
    return write_uvarint(count + 1) if flexible else _INT32.pack(count)


def _topic(topic: str | bytes, flexible: bool) -> bytes:
    if isinstance(topic, bytes):
        return topic
    name = topic.encode()
    return (write_uvarint(len(name) + 1) if flexible else _INT16.pack(len(name))) + name


def _partition(data: PartitionData, version: int, flexible: bool) -> bytes:
    if version >= 5:
        head = _PART_5.pack(data.partition, data.error, data.high_watermark, data.last_stable_offset, data.log_start_offset)
    else:
        head = _PART_4.pack(data.partition, data.error, data.high_watermark, data.last_stable_offset)
    if flexible:
        if data.aborted:
            aborted = write_uvarint(len(data.aborted) + 1) + b"".join([_ABORTED.pack(*pair) + b"\0" for pair in data.aborted])
        else:
            aborted = b"\0" if data.aborted is None else b"\1"
        return head + aborted + _preferred(data) + write_uvarint(data.size + 1)
    aborted = _INT32.pack(-1 if data.aborted is None else len(data.aborted)) + b"".join([_ABORTED.pack(*pair) for pair in data.aborted or ()])
    return head + aborted + (_preferred(data) if version >= 11 else b"") + _INT32.pack(data.size)


def _preferred(data: PartitionData) -> bytes:
    return b"\xff\xff\xff\xff" if data.preferred < 0 else _INT32.pack(data.preferred)


def _endpoints(endpoints: Sequence[tuple[int, str, int, str | None]]) -> bytes:
    parts = [write_uvarint(len(endpoints) + 1)]
    for node_id, host, port, rack in endpoints:
        parts += (_INT32.pack(node_id), _topic(host, True), _INT32.pack(port), b"\0" if rack is None else _topic(rack, True), b"\0")
    value = b"".join(parts)
    return b"\1\0" + write_uvarint(len(value)) + value


def _tags(data: PartitionData) -> bytes:
    if data.diverging is None and data.current_leader is None:
        return b"\0"
    tags = b""
    if data.diverging is not None:
        tags += b"\x00\x0d" + _EPOCH_AND_OFFSET.pack(*data.diverging) + b"\0"
    if data.current_leader is not None:
        tags += b"\x01\x09" + _LEADER_AND_EPOCH.pack(*data.current_leader) + b"\0"
    return write_uvarint((data.diverging is not None) + (data.current_leader is not None)) + tags
