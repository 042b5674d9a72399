"""Metadata snapshots, NNN-EEE.checkpoint: names, writing, reading, what is left of them after a crash (D26, D39-D43).

Owns the file's frame: header batch, data batches, footer batch. The records inside are bytes here: what they mean is `core.metadata`'s.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.logs.raft import KRaftVersionRecord, SnapshotFooterRecord, SnapshotHeaderRecord
from barnabas.wire.records.batch import iterate_headers
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.control import ControlType, build_control_batch, control_type
from barnabas.wire.records.record import Record, decode_records
from barnabas.wire.types import DecodeError

from .atomic_file import rename

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from barnabas.wire.logs.raft import VotersRecord
    from barnabas.wire.records.batch import BatchHeader

SUFFIX = ".checkpoint"
PARTIAL_SUFFIX = ".checkpoint.part"
DELETED_SUFFIX = ".checkpoint.deleted"
OFFSET_DIGITS, EPOCH_DIGITS = 20, 10
MAX_BATCH_BYTES = 8 * 1024 * 1024
BATCH_TARGET_BYTES = 1024 * 1024
RECORD_OVERHEAD_BYTES = 32


class SnapshotError(ValueError):
    """A snapshot that must not be loaded, or a directory whose snapshots don't fit its log; the message says which and what to do."""


class SnapshotId(NamedTuple):
    """Ordered as Kafka orders them: by epoch, then offset."""

    epoch: int
    """Of the last record inside."""
    offset: int
    """After the last record inside."""

    @property
    def file_name(self) -> str:
        return f"{self.offset:0{OFFSET_DIGITS}d}-{self.epoch:0{EPOCH_DIGITS}d}{SUFFIX}"


BOOTSTRAP = SnapshotId(epoch=0, offset=0)
"""What format writes: voters and no data (D42)."""


def parse_snapshot_name(name: str) -> tuple[SnapshotId, str] | None:
    """(id, the suffix that it has) of a snapshot's file name, None for other files. Raises ValueError for one that stops Apache too (D26)."""
    suffix = next((known for known in (PARTIAL_SUFFIX, DELETED_SUFFIX, SUFFIX) if name.endswith(known)), None)
    if suffix is None:
        return None
    offset, dash, epoch = name[:OFFSET_DIGITS], name[OFFSET_DIGITS : OFFSET_DIGITS + 1], name[OFFSET_DIGITS + 1 : OFFSET_DIGITS + 1 + EPOCH_DIGITS]
    if dash and len(epoch) == EPOCH_DIGITS and (offset + epoch).isascii() and (offset + epoch).isdigit():
        return SnapshotId(int(epoch), int(offset)), suffix
    raise ValueError(f"{name!r} is not in the form of a metadata snapshot, {BOOTSTRAP.file_name}")


def recover_snapshots(directory: str, log_start_offset: int) -> list[SnapshotId]:
    """The usable snapshots of a metadata log directory, oldest first; the leftovers are deleted (D26).

    Raises SnapshotError for a name that doesn't parse, and when the log's beginning is gone without a snapshot in its place (D25).
    """
    kept: list[tuple[SnapshotId, str]] = []
    leftovers: list[tuple[SnapshotId, str]] = []
    for name in os.listdir(directory):
        try:
            parsed = parse_snapshot_name(name)
        except ValueError as error:
            raise SnapshotError(f"{directory}: {error}. Move the file away.") from None
        if parsed is not None:
            usable = parsed[1] == SUFFIX and parsed[0].offset >= log_start_offset
            (kept if usable else leftovers).append((parsed[0], name))
    kept.sort()
    if log_start_offset > 0 and (not kept or kept[-1][0].offset < log_start_offset):
        raise SnapshotError(
            f"{directory}: the log starts at offset {log_start_offset}, but there is no snapshot at or above it, so the metadata before is lost. "
            "Restore the snapshot from a copy of the directory, or from another node of the cluster."
        )
    for _, name in leftovers:
        os.unlink(os.path.join(directory, name))
    return [snapshot_id for snapshot_id, _ in kept]


# --- writing


def snapshot_batches(
    values: Iterable[bytes], *, epoch: int, now_ms: int, last_timestamp_ms: int = 0, kraft_version: int = 0, voters: VotersRecord | None = None
) -> Iterator[bytes]:
    """The batches of a snapshot with these data records: header (with kraft.version and voters at version 1), data, footer (D40)."""
    header = SnapshotHeaderRecord(version=0, last_contained_log_timestamp=last_timestamp_ms)
    controls = [(int(ControlType.SNAPSHOT_HEADER), header.encode(0))]
    if kraft_version >= 1:
        controls.append((ControlType.KRAFT_VERSION, KRaftVersionRecord(version=0, k_raft_version=kraft_version).encode(0)))
        if voters is not None:
            controls.append((ControlType.KRAFT_VOTERS, voters.encode(0)))
    yield build_control_batch(controls, timestamp_ms=now_ms, base_offset=0, leader_epoch=epoch)
    offset = len(controls)
    for group in _grouped(values):
        yield build_batch([Record(timestamp=now_ms, value=value) for value in group], base_offset=offset, leader_epoch=epoch)
        offset += len(group)
    footer = (ControlType.SNAPSHOT_FOOTER, SnapshotFooterRecord(version=0).encode(0))
    yield build_control_batch([footer], timestamp_ms=now_ms, base_offset=offset, leader_epoch=epoch)


def _grouped(values: Iterable[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for value in values:
        if len(value) > MAX_BATCH_BYTES - 1024:
            raise SnapshotError(f"A metadata record of {len(value)} bytes fits no batch of {MAX_BATCH_BYTES}.")
        if group and size + len(value) + RECORD_OVERHEAD_BYTES > BATCH_TARGET_BYTES:
            yield group
            group, size = [], 0
        group.append(value)
        size += len(value) + RECORD_OVERHEAD_BYTES
    if group:
        yield group


def write_snapshot(directory: str, snapshot_id: SnapshotId, batches: Iterable[bytes]) -> int:
    """Write a snapshot under a temporary name, then make it read-only and durable under its own (D39). Its size. Raises OSError."""
    path = os.path.join(directory, snapshot_id.file_name)
    temporary = f"{path[: -len(SUFFIX)]}-{int.from_bytes(os.urandom(8), 'big')}{PARTIAL_SUFFIX}"
    size = 0
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0) as file:
            for batch in batches:
                left = memoryview(batch)
                while left:
                    left = left[file.write(left) or 0 :]
                size += len(batch)
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o400)
        rename(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    return size


def mark_deleted(directory: str, snapshot_id: SnapshotId) -> str:
    """Rename a snapshot out of the way; its new path, to be unlinked after a while, since a peer may be reading it. Raises OSError."""
    path = os.path.join(directory, snapshot_id.file_name)
    renamed = path[: -len(SUFFIX)] + DELETED_SUFFIX
    os.rename(path, renamed)
    return renamed


# --- reading


class SnapshotReader:
    """One snapshot, or bootstrap.checkpoint, which has the same frame. Close it; `values` may be walked once at a time."""

    __slots__ = ("_data", "control_records", "last_timestamp_ms", "path", "size")

    def __init__(self, path: str) -> None:
        """Open it and read the first batch, which must be a header (D41). Raises SnapshotError, OSError."""
        self.path = path
        with open(path, "rb", buffering=0) as file:
            self.size = os.fstat(file.fileno()).st_size
            if not self.size:
                raise self._broken("it is empty")
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.control_records: list[tuple[int, bytes]] = []
        """(ControlType, value) of what follows the header in its batch: kraft.version and voters."""
        self.last_timestamp_ms = self._read_header()

    def _broken(self, problem: str) -> SnapshotError:
        return SnapshotError(f"{self.path}: {problem}. Remove the file if an older snapshot or the whole log is there, else restore it from a copy.")

    def _read_header(self) -> int:
        first = next(self._batches(), None)
        if first is None or not first[0].is_control:
            raise self._broken("it doesn't begin with a snapshot header")
        controls = [(control_type(record.key), record.value or b"") for record in first[1]]
        if not controls or controls[0][0] != ControlType.SNAPSHOT_HEADER:
            raise self._broken("it doesn't begin with a snapshot header")
        self.control_records = controls[1:]
        return int.from_bytes(controls[0][1][2:10], "big", signed=True)  # behind the version; no decoder to be compiled for one number

    def _batches(self) -> Iterator[tuple[BatchHeader, Iterator[Record]]]:
        with memoryview(self._data) as view:
            end = 0
            try:
                for position, header in iterate_headers(view):
                    end = position + header.size
                    with view[position:end] as batch:
                        yield header, iter(list(decode_records(batch, max_bytes=4 * MAX_BATCH_BYTES)))
            except DecodeError as error:
                raise self._broken(f"the batch that ends at byte {end} or the one behind it is unreadable, {error}") from None
            if end != len(view):
                raise self._broken(f"its last {len(view) - end} bytes are no whole batch")

    def values(self) -> Iterator[bytes]:
        """The data records. Raises SnapshotError for broken ones, and at the end when the footer is missing: then the file was cut."""
        footer = False
        for header, records in self._batches():
            if header.is_control:
                footer = footer or any(control_type(record.key) == ControlType.SNAPSHOT_FOOTER for record in records)
                continue
            for record in records:
                yield record.value or b""
        if not footer:
            raise self._broken("its footer is missing")

    def close(self) -> None:
        self._data.close()
