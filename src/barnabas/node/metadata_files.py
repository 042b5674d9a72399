"""__cluster_metadata-0 on disk: the log, its epochs, its snapshots, fetched ones too.

Owns opening, reading, appending, cutting, syncing. Which of it is done when is decided by `core.quorum` and carried out by `metadata_log`. Source: INTERCHANGE
D22-D32, D39-D43, Q44; Apache's `KafkaRaftLog`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.metadata.record_versions import decode_record
from barnabas.core.partition.epochs import LeaderEpochs
from barnabas.core.partition.producers import ProducerStates
from barnabas.core.quorum.log_shape import TOPIC_ID, LogShape
from barnabas.node.metadata_batches import MetadataBatch, decode_batch, decode_control, idle_run
from barnabas.node.metadata_snapshots import MetadataSnapshots, SnapshotRules
from barnabas.node.metadata_start import DIRECTORY
from barnabas.storage.atomic_file import sync_directory, sync_file
from barnabas.storage.checkpoint_file import LEADER_EPOCH, write_leader_epochs
from barnabas.storage.log import Log
from barnabas.storage.log_config import LogConfig
from barnabas.storage.metadata_snapshot import PARTIAL_SUFFIX, SUFFIX, SnapshotId, SnapshotReader, recover_snapshots
from barnabas.wire.records.batch import read_header
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from barnabas.wire.schema import Message

READ_BYTES = 8 * 1024 * 1024
NEVER_EXPIRES_MS = (1 << 31) - 1


class MetadataLogSettings(NamedTuple):
    segment_bytes: int = 1024 * 1024 * 1024
    segment_ms: int = 7 * 24 * 3_600_000
    snapshots: SnapshotRules = SnapshotRules()


class MetadataFiles:
    """All but the syncing happens on the control thread, or before it runs."""

    __slots__ = ("_epochs", "_log", "_synced", "directory", "snapshots", "truncations")

    def __init__(self, metadata_directory: str, settings: MetadataLogSettings, now_ms: int) -> None:
        """Open. `metadata_directory`: of metadata.log.dir, locked by the caller. Raises SnapshotError, StorageError, OSError."""
        self.directory = os.path.join(metadata_directory, DIRECTORY)
        self._epochs = LeaderEpochs()
        self.truncations = 0
        """Those that are done: a sync that was begun before the last of them says nothing of what is there now."""
        self._synced = (0, -1)
        """After so many truncations all below the segment of this base offset was durable."""
        self._log = self._open(settings, now_ms)
        self.snapshots = MetadataSnapshots(self.directory, recover_snapshots(self.directory, self._log.start_offset), settings.snapshots, now_ms)
        latest = self.snapshots.latest
        last_epoch = max(self._epochs.latest, 0)
        if latest is not None and (latest.epoch > last_epoch or (latest.epoch == last_epoch and latest.offset > self._log.end_offset)):
            self._log.truncate_fully(latest.offset)  # a snapshot was fetched and the node died before it could do this (D27)
            self.snapshots.forget_before(latest, now_ms)

    def _open(self, settings: MetadataLogSettings, now_ms: int) -> Log:
        """Always as after a crash: every segment is read and checked (D24)."""
        if not os.path.isdir(self.directory):
            os.mkdir(self.directory)
            sync_directory(os.path.dirname(self.directory))
        config = LogConfig(segment_bytes=settings.segment_bytes, segment_ms=settings.segment_ms, retention_bytes=-1, retention_ms=-1)
        return Log.open(
            self.directory,
            config,
            recovery_point=0,
            clean=False,
            log_start_offset=0,
            producers=ProducerStates(NEVER_EXPIRES_MS),
            epochs=self._epochs,
            now_ms=now_ms,
            topic_id=TOPIC_ID,
        )

    @property
    def start_offset(self) -> int:
        return self._log.start_offset

    @property
    def end_offset(self) -> int:
        return self._log.end_offset

    def shape(self) -> LogShape:
        """What the quorum must know of it."""
        return LogShape(self._log.end_offset, self._epochs.entries, start_offset=self._log.start_offset, snapshots=self.snapshots.ids)

    # --- reading

    def read(self, offset: int, max_bytes: int) -> bytes:
        """Whole batches from the one that holds `offset`, at least one: for loading, and for those who fetch (Q3)."""
        found = self._log.read(offset, max_bytes, self._log.end_offset, True)
        return b"" if found is None else os.pread(found.file.fileno(), found.size, found.position)

    def batches(self, offset: int, end_offset: int, *, controls_only: bool = False) -> Iterator[MetadataBatch]:
        """Every batch from `offset` to `end_offset`, in order; with `controls_only` none of the controller's. Raises DecodeError."""
        while offset < end_offset:
            data = self.read(offset, READ_BYTES)
            position = 0
            while position < len(data) and offset < end_offset:
                idle, end = idle_run(data, position)
                if idle is not None and idle.last_offset < end_offset:
                    offset, position = idle.last_offset + 1, end
                    yield idle
                    continue
                header = read_header(data, position)
                if header.is_control or not controls_only:
                    with memoryview(data)[position : position + header.size] as batch:
                        yield decode_batch(header, batch)
                offset, position = header.next_offset, position + header.size

    def snapshot(self, snapshot_id: SnapshotId) -> tuple[SnapshotReader, list[Message]]:
        """One of them, open, and the control records in it. Raises SnapshotError, DecodeError, OSError."""
        reader = SnapshotReader(self.snapshots.path(snapshot_id))
        controls = [decode_control(kind, value) for kind, value in reader.control_records]
        return reader, [control for control in controls if control is not None]

    def replay(
        self, end_offset: int, take_snapshot: Callable[[Iterator[Message], int], object], take_batch: Callable[[MetadataBatch], object]
    ) -> None:
        """All below `end_offset`: `take_snapshot(records, last offset)` if there is one to begin with, then `take_batch` for each batch after it.

        Raises SnapshotError, StorageError, DecodeError, OSError.
        """
        offset = self._log.start_offset
        usable = [found for found in self.snapshots.ids if 0 < found.offset <= end_offset]
        if usable:
            offset = usable[-1].offset
            reader, _ = self.snapshot(usable[-1])
            take_snapshot((decode_record(value)[0] for value in reader.values()), offset - 1)
            reader.close()
        for batch in self.batches(offset, end_offset):
            take_batch(batch)

    # --- writing

    def append(self, made: Sequence[tuple[bytes, MetadataBatch]]) -> None:
        """Raises StorageError; the log is as before then."""
        self._log.append([(data, batch.base_offset, batch.last_offset, batch.timestamp_ms, len(data), batch.epoch) for data, batch in made])

    def check_fetched(self, records: bytes, epoch: int) -> list[tuple[bytes, MetadataBatch]]:
        """The batches that the leader of `epoch` sent and that go on where the log ends, up to the first that is damaged. Raises DecodeError for a record that
        this release doesn't know: it can't go on with this log (C3)."""
        from barnabas.wire.records.batch import ATTRIBUTES_POSITION, HEADER_SIZE
        from barnabas.wire.records.native import crc32c

        made: list[tuple[bytes, MetadataBatch]] = []
        position, offset, last_epoch = 0, self._log.end_offset, self._epochs.latest
        while len(records) - position >= HEADER_SIZE:
            try:
                header = read_header(records, position)
            except DecodeError:
                break
            end = position + header.size
            data = records[position:end]
            if len(data) < header.size or header.base_offset != offset or not last_epoch <= header.leader_epoch <= epoch:
                break
            if crc32c(memoryview(data)[ATTRIBUTES_POSITION:]) != header.crc:
                break
            made.append((data, decode_batch(header, memoryview(data))))
            position, offset, last_epoch = end, header.next_offset, header.leader_epoch
        return made

    def begin_epoch(self, epoch: int, start_offset: int) -> None:
        """Note it; `sync_epochs` makes it durable, off the way of a start."""
        self._epochs.assign(epoch, start_offset)
        write_leader_epochs(os.path.join(self.directory, LEADER_EPOCH), self._epochs.entries, sync=False)

    def sync_epochs(self) -> None:
        """From any thread: what stands there is synced, not written again, as another epoch may begin meanwhile. Raises OSError."""
        with suppress(FileNotFoundError):  # no epoch has begun yet
            sync_file(os.path.join(self.directory, LEADER_EPOCH))
            sync_directory(self.directory)

    def truncate(self, end_offset: int) -> None:
        """Raises StorageError."""
        self._log.truncate_to(end_offset)
        self.truncations += 1

    def _partial(self, snapshot_id: SnapshotId) -> str:
        return self.snapshots.path(snapshot_id)[: -len(SUFFIX)] + PARTIAL_SUFFIX

    def write_piece(self, snapshot_id: SnapshotId, position: int, data: bytes) -> None:
        """Bytes of a snapshot that is being fetched; position 0 begins it anew (Q44). Raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | (0 if position else os.O_TRUNC)
        with open(os.open(self._partial(snapshot_id), flags, 0o600), "wb", buffering=0) as file:
            file.seek(position)
            left = memoryview(data)
            while left:
                left = left[file.write(left) or 0 :]

    def install(self, snapshot_id: SnapshotId, now_ms: int) -> None:
        """The fetched snapshot takes the place of the whole log (Q44). A crash at any point leaves the log, or the snapshot (D27). OSError, StorageError."""
        path = self._partial(snapshot_id)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.fchmod(descriptor, 0o400)
        finally:
            os.close(descriptor)
        os.rename(path, self.snapshots.path(snapshot_id))
        sync_directory(self.directory)
        self._log.truncate_fully(snapshot_id.offset, now_ms)
        self.truncations += 1
        self.snapshots.add(snapshot_id)
        self.snapshots.forget_before(snapshot_id, now_ms)

    # --- syncing, cleaning, closing

    def sync(self) -> None:
        """Make the log's data durable, and no more: its indexes and epochs are made anew at every start (D24). On any thread, one at a time. OSError."""
        truncations = self.truncations  # before the segments: if it is the last one's, so are they
        segments = self._log.segments
        first = self._synced[1] if self._synced[0] == truncations else -1
        for segment in segments:
            if segment.base_offset >= first:
                os.fdatasync(segment.file.fileno())
        if segments[-1].base_offset != first:
            sync_directory(self.directory)
            self._synced = (truncations, segments[-1].base_offset)

    def clean(self, high_watermark: int, now_ms: int) -> None:
        """Drop old snapshots and the log's head by the rules of retention (D32). Raises OSError, StorageError."""
        self.snapshots.clean(self._log, high_watermark, now_ms)
        self._log.remove_deleted_files(now_ms - self.snapshots.delete_delay_ms)

    def close(self) -> None:
        self.snapshots.wait()
        self._log.close()
