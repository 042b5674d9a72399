"""The host of the metadata quorum: __cluster_metadata-0 on disk, `core.quorum` over it, and what the node's controller hears of both.

Owns opening and loading the log, carrying out the quorum's effects, appending, syncing, committing. Everything happens on the control thread, but
syncing, which has a thread of its own: appends that come while the disk is busy share the next sync (O8, O9). Doesn't know what a record means.
Source: INTERCHANGE D22-D32, Q28-Q38; Apache's `KafkaRaftClient`, `KafkaRaftLog`.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.partition.epochs import LeaderEpochs
from barnabas.core.partition.producers import ProducerStates
from barnabas.core.quorum.events import (
    AppendControl,
    Appended,
    BecameLeader,
    Election,
    Flushed,
    HighWatermark,
    LogStartMoved,
    LostLeadership,
    Persist,
    RaiseKRaftVersion,
    SnapshotTaken,
    Start,
    Stop,
    Tick,
)
from barnabas.core.quorum.log_shape import TOPIC_ID, LogShape
from barnabas.core.quorum.peers import FOREVER
from barnabas.core.quorum.quorum import Quorum
from barnabas.core.quorum.voters import ControlHistory, Voter, VoterSet
from barnabas.node.loop import Loop
from barnabas.node.metadata_batches import MetadataBatch, control_batch, data_batches, decode_batch, decode_control, idle_run
from barnabas.node.metadata_snapshots import MetadataSnapshots, SnapshotRules
from barnabas.node.metadata_start import DIRECTORY, MetadataLogRefused, require_lone_voter
from barnabas.storage.atomic_file import sync_directory
from barnabas.storage.checkpoint_file import LEADER_EPOCH, write_leader_epochs
from barnabas.storage.errors import StorageError
from barnabas.storage.log import Log
from barnabas.storage.log_config import LogConfig
from barnabas.storage.metadata_snapshot import SnapshotReader, recover_snapshots
from barnabas.storage.quorum_state import StoredQuorumState, read_quorum_state, write_quorum_state
from barnabas.wire.logs.cluster_metadata import NoOpRecord
from barnabas.wire.records.batch import read_header
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from barnabas.core.metadata.image import MetadataImage
    from barnabas.core.quorum.events import Effect, Event
    from barnabas.core.quorum.quorum import QuorumDescription
    from barnabas.node.loop import Timer
    from barnabas.node.metadata_listener import MetadataListener
    from barnabas.storage.metadata_snapshot import SnapshotId
    from barnabas.wire.schema import Message

READ_BYTES = 8 * 1024 * 1024
CLEAN_INTERVAL_MS = 60_000
NEVER_EXPIRES_MS = (1 << 31) - 1


class MetadataLogSettings(NamedTuple):
    segment_bytes: int = 1024 * 1024 * 1024
    segment_ms: int = 7 * 24 * 3_600_000
    snapshots: SnapshotRules = SnapshotRules()


class MetadataLog:
    """Construct it (which loads), then `start`, then `append`."""

    __slots__ = (
        "_appended",
        "_armed_ms",
        "_clock_ms",
        "_disk",
        "_epochs",
        "_is_closed",
        "_listener",
        "_local",
        "_log",
        "_loop",
        "_on_failure",
        "_synced_segment",
        "_syncing",
        "_timer",
        "directory",
        "on_reply",
        "on_snapshot_failure",
        "quorum",
        "snapshots",
    )

    def __init__(
        self,
        metadata_directory: str,
        local: Voter,
        static_voters: VoterSet,
        settings: MetadataLogSettings,
        listener: MetadataListener,
        loop: Loop,
        clock_ms: Callable[[], int],
        on_failure: Callable[[BaseException], object],
        *,
        cluster_id: str = "",
    ) -> None:
        """Open and load. `metadata_directory`: of metadata.log.dir, locked by the caller; `local`: node id, directory.id, controller endpoints;
        `static_voters`: of controller.quorum.voters, empty without; `loop`: the control thread's; `on_failure`: the disk failed, the node must stop.

        Raises MetadataLogRefused, SnapshotError, QuorumStateError, StorageError, OSError, and what the listener's replay raises.
        """
        self.directory = os.path.join(metadata_directory, DIRECTORY)
        self._local = local
        self._listener = listener
        self._loop = loop
        self._armed_ms = FOREVER
        self._timer: Timer | None = None
        self._clock_ms = clock_ms
        self._on_failure = on_failure
        self.on_reply: Callable[[Effect], object] | None = None
        """May be set: takes the answers to `Request` events, each a Reply."""
        self.on_snapshot_failure = on_failure
        """May be set: a failed snapshot costs a longer start, not the node; it is tried again when the next one is due."""
        self._disk: Loop | None = None
        self._syncing = False
        self._synced_segment = -1
        self._is_closed = False
        self._appended: deque[MetadataBatch] = deque()
        now_ms = clock_ms()
        self._epochs = LeaderEpochs()
        self._log = self._open(settings, now_ms)
        self.snapshots = MetadataSnapshots(self.directory, recover_snapshots(self.directory, self._log.start_offset), settings.snapshots, now_ms)
        latest = self.snapshots.latest
        last_epoch = max(self._epochs.latest, 0)
        if latest is not None and (latest.epoch > last_epoch or (latest.epoch == last_epoch and latest.offset > self._log.end_offset)):
            self._log.truncate_fully(latest.offset)  # a snapshot was fetched and the node died before it could do this (D27)
            self.snapshots.forget_before(latest, now_ms)
        history = ControlHistory(static_voters)
        self._load(history)
        stored = read_quorum_state(self.directory)
        election = None if stored is None else Election(stored.leader_epoch, stored.leader_id, stored.voted_id, stored.voted_directory_id)
        shape = LogShape(self._log.end_offset, self._epochs.entries, start_offset=self._log.start_offset, snapshots=self.snapshots.ids)
        self.quorum = Quorum(local, history, election, shape, cluster_id=cluster_id)

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

    # --- loading

    def _load(self, history: ControlHistory) -> None:
        """Newest snapshot, then the log behind it, to the quorum's history and the listener."""
        offset = self._log.start_offset
        latest = self.snapshots.latest
        try:
            if latest is not None:
                self._load_snapshot(latest, history)
                offset = latest.offset
            for batch in self._batches_from(offset):
                for position, control in batch.controls:
                    history.replay(position, control)
                self.snapshots.count(batch.size_bytes)
                self._listener.loaded(batch)
        except DecodeError as error:
            raise MetadataLogRefused(
                f"{self.directory}: {error}. A newer release wrote it, or the disk damaged it: start that release, or restore the directory."
            ) from None

    def _load_snapshot(self, snapshot_id: SnapshotId, history: ControlHistory) -> None:
        from barnabas.core.metadata.record_versions import decode_record

        reader = SnapshotReader(self.snapshots.path(snapshot_id))
        last_offset = snapshot_id.offset - 1
        for kind, value in reader.control_records:
            control = decode_control(kind, value)
            if control is not None:
                history.replay(last_offset, control)
        if snapshot_id.offset > 0:
            records = (decode_record(value)[0] for value in reader.values())
            self._listener.load_snapshot(records, last_offset, snapshot_id.epoch, reader.last_timestamp_ms)
        reader.close()

    def _batches_from(self, offset: int) -> Iterator[MetadataBatch]:
        """Every batch at and after `offset`, in order."""
        while offset < self._log.end_offset:
            data = self.read(offset, READ_BYTES)
            position = 0
            while position < len(data):
                idle, end = idle_run(data, position)
                if idle is not None:
                    offset, position = idle.last_offset + 1, end
                    yield idle
                    continue
                header = read_header(data, position)
                with memoryview(data)[position : position + header.size] as batch:
                    yield decode_batch(header, batch)
                offset, position = header.next_offset, position + header.size

    def read(self, offset: int, max_bytes: int) -> bytes:
        """Whole batches from the one that holds `offset`, at least one: for loading, and for observers (Q3)."""
        found = self._log.read(offset, max_bytes, self._log.end_offset, True)
        return b"" if found is None else os.pread(found.file.fileno(), found.size, found.position)

    # --- leading

    def start(self) -> None:
        """Become the leader. On return the epoch's first batch is durable and committed, and so is what the listener appends in `leading`.

        Raises QuorumRefused, StorageError, OSError.
        """
        require_lone_voter(self._local, self.quorum.voters)
        self.happen(Start())
        self._sync_and_commit()
        end_offset = self._log.end_offset
        self._listener.leading(self.quorum.epoch)
        if self._log.end_offset > end_offset:
            self._sync_and_commit()

    def append(self, records: Sequence[Message], version_of: Callable[[Message], int], *, is_atomic: bool = True) -> int:
        """Write records as the leader, let the listener replay them, and sync soon; the last one's offset. `committed` follows.

        Raises TooManyRecords (nothing happened), StorageError (the node must stop, unless it isn't `offline`: then nothing happened).
        """
        if self._is_closed or not self.quorum.is_leader:
            raise ValueError("append to the metadata log without being its leader")
        made = data_batches(records, version_of, self._log.end_offset, self.quorum.epoch, self._clock_ms(), is_atomic=is_atomic)
        self._write(made)
        self.happen(Appended(tuple((batch.base_offset, batch.last_offset + 1, batch.epoch) for _, batch in made)))
        return self._log.end_offset - 1

    def _write(self, made: Sequence[tuple[bytes, MetadataBatch]]) -> None:
        self._log.append([(data, batch.base_offset, batch.last_offset, batch.timestamp_ms, len(data), batch.epoch) for data, batch in made])
        for _, batch in made:
            self._appended.append(batch)
            self._listener.appended(batch)
        self._sync()

    def happen(self, event: Event) -> None:
        """Tell the quorum, and do what it wants done. On the control thread. Raises QuorumRefused, StorageError, OSError."""
        self._step(event, self._clock_ms())

    def _step(self, event: Event, now_ms: int) -> None:
        self._do(self.quorum.step(event, now_ms))
        deadline_ms = self.quorum.deadline_ms
        if deadline_ms != self._armed_ms:
            if self._timer is not None:
                self._timer.cancel()
            self._armed_ms = deadline_ms
            self._timer = None if deadline_ms >= FOREVER else self._loop.call_later(max(deadline_ms - now_ms, 0), self._tick, deadline_ms)

    def _tick(self, deadline_ms: int) -> None:
        """The time is over, whatever the clock says: it may have been set back."""
        self._armed_ms, self._timer = FOREVER, None
        if not self._is_closed:
            self._step(Tick(), max(deadline_ms, self._clock_ms()))

    def _do(self, effects: Iterable[Effect]) -> None:
        """Carry out the quorum's effects in their order."""
        for effect in effects:
            if isinstance(effect, HighWatermark):
                self._commit(effect.offset)
            elif isinstance(effect, Persist):
                epoch, leader_id, voted_id, voted_directory_id = effect.election
                state = StoredQuorumState(epoch, leader_id, voted_id, voted_directory_id, effect.voter_ids)
                write_quorum_state(self.directory, state, effect.kraft_version)
            elif isinstance(effect, BecameLeader):
                self._epochs.assign(effect.epoch, effect.start_offset)
                path = os.path.join(self.directory, LEADER_EPOCH)
                write_leader_epochs(path, self._epochs.entries, sync=False)  # `run` makes it durable, off the way of a start
            elif isinstance(effect, AppendControl):
                self._write([control_batch(effect.records, self._log.end_offset, effect.epoch, self._clock_ms())])
            elif isinstance(effect, LostLeadership):
                self._listener.resigned(effect.epoch)
            else:  # a lone voter sends nothing and fetches nothing, so it is a Reply
                assert self.on_reply is not None
                self.on_reply(effect)

    def _commit(self, high_watermark: int) -> None:
        done = []
        while self._appended and self._appended[0].last_offset < high_watermark:
            done.append(self._appended.popleft())
            self.snapshots.count(done[-1].size_bytes)
        self._listener.committed(high_watermark - 1, done)

    # --- syncing

    def _sync(self) -> None:
        """Have what is appended synced. While a sync is running nothing is done: the next one takes it all."""
        if self._disk is not None and not self._syncing:
            self._syncing = True
            self._disk.call(self._sync_on_disk_thread, self._log.end_offset)

    def _sync_on_disk_thread(self, end_offset: int) -> None:
        try:
            self._sync_data()
        except Exception as error:
            self._loop.call(self._on_failure, error)
        else:
            self._loop.call(self._synced, end_offset)

    def _sync_and_commit(self) -> None:
        """Here and now: at a start and at a stop, when nobody else waits for this thread."""
        self._sync_data()
        self.happen(Flushed(self._log.end_offset))

    def _sync_data(self) -> None:
        """Make the log's data durable, and no more: its indexes and epochs are made anew at every start (D24). Raises OSError."""
        segments = self._log.segments
        for segment in segments:
            if segment.base_offset >= self._synced_segment:
                os.fdatasync(segment.file.fileno())
        if segments[-1].base_offset != self._synced_segment:
            sync_directory(self.directory)
            self._synced_segment = segments[-1].base_offset

    def _synced(self, end_offset: int) -> None:
        self._syncing = False
        if self._is_closed:
            return
        if self._log.end_offset > end_offset:
            self._sync()
        self.happen(Flushed(end_offset))

    def run(self, no_op_interval_ms: int = 500) -> None:
        """From now on sync on a thread of its own, write no-op records (Q38; 0: none) and clean. On the control thread, or before it runs.

        Until then an append stays uncommitted.
        """
        self._disk = Loop("metadata-sync", lambda error: self._loop.call(self._on_failure, error))
        self._disk.start()
        self._disk.call(self._log.flush_epochs)
        self._sync()
        if no_op_interval_ms > 0:
            self._loop.call_later(no_op_interval_ms, self._write_no_op, no_op_interval_ms)
        self._loop.call_later(CLEAN_INTERVAL_MS, self._clean_again)

    def _write_no_op(self, interval_ms: int) -> None:
        if not self._is_closed and self.quorum.is_leader:
            try:
                self.append([NoOpRecord()], lambda record: 0)
            except StorageError as error:  # a full disk: this can wait
                if error.offline:
                    raise
            self._loop.call_later(interval_ms, self._write_no_op, interval_ms)

    def _clean_again(self) -> None:
        if not self._is_closed:
            self.clean()
            self._loop.call_later(CLEAN_INTERVAL_MS, self._clean_again)

    # --- snapshots

    def maybe_snapshot(self, image: MetadataImage) -> None:
        """Call after each publication of an image that ends outside of a transaction. Writes it when the rules ask for it (D31)."""
        if self.snapshots.is_due(self._clock_ms()):
            self.snapshot(image)

    def snapshot(self, image: MetadataImage) -> bool:
        """Write one now; False if it is there already. `image` is committed and ends with a batch (D29)."""
        if image.offset < self._log.start_offset or image.features.metadata_version is None:
            return False
        kraft_version, voters = self.quorum.history.at(image.offset)
        return self.snapshots.begin(image, kraft_version, voters, self._clock_ms(), self._snapshot_done)

    def _snapshot_done(self, snapshot_id: SnapshotId, error: Exception | None) -> None:
        self._loop.call(self._snapshot_finished, snapshot_id, error)

    def _snapshot_finished(self, snapshot_id: SnapshotId, error: Exception | None) -> None:
        self.snapshots.finished(snapshot_id, error)
        if error is not None:
            self.on_snapshot_failure(error)
        elif not self._is_closed:
            self.happen(SnapshotTaken(snapshot_id.epoch, snapshot_id.offset))

    def clean(self) -> None:
        """Drop old snapshots and the log's head by the rules of retention; `run` sees to it every minute (D32). Raises OSError, StorageError."""
        high_watermark = self.quorum.high_watermark
        if high_watermark is not None and not self._is_closed:
            self.snapshots.clean(self._log, high_watermark, self._clock_ms())
            self.happen(LogStartMoved(self._log.start_offset))
            self._log.remove_deleted_files(self._clock_ms() - self.snapshots.delete_delay_ms)

    # --- others

    @property
    def start_offset(self) -> int:
        return self._log.start_offset

    @property
    def end_offset(self) -> int:
        return self._log.end_offset

    @property
    def kraft_version(self) -> int:
        return self.quorum.history.kraft_version

    def raise_kraft_version(self, level: int, *, validate_only: bool = False) -> None:
        """For UpdateFeatures (C36): append the new level, and the voters. Raises QuorumRefused, StorageError."""
        self.happen(RaiseKRaftVersion(level, validate_only))

    def describe(self) -> QuorumDescription | None:
        """For DescribeQuorum; None unless this node leads (Q54)."""
        return self.quorum.describe(self._clock_ms())

    def stop(self) -> None:
        """Resign, sync and close. What was appended is durable afterwards, whether or not its commit was heard of. Raises OSError, StorageError."""
        if self._is_closed:
            return
        if self._disk is not None:
            self._disk.stop()
            self._disk.join(30)
        self._sync_and_commit()
        self.happen(Stop())
        self._is_closed = True
        self.snapshots.wait()
        self._log.close()
