"""The host of the metadata quorum: `core.quorum` over the files of `metadata_files`, its peers, and what the node's controller hears of it all.

Owns loading, carrying out the quorum's effects in their order, appending, syncing, telling of what is committed. Everything happens on the control thread,
but syncing, which has a thread of its own: appends that come while the disk is busy share the next sync (O8, O9). Doesn't know what a record means.
Source: INTERCHANGE Q28-Q46; Apache's `KafkaRaftClient`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from barnabas.core.quorum.peers import FOREVER
from barnabas.core.quorum.quorum import Quorum
from barnabas.core.quorum.settings import QuorumSettings
from barnabas.core.quorum.voters import ControlHistory, Voter, VoterSet
from barnabas.node.background_sync import BackgroundSync
from barnabas.node.metadata_batches import control_batch, data_batches
from barnabas.node.metadata_commits import MetadataCommits
from barnabas.node.metadata_files import MetadataFiles, MetadataLogSettings
from barnabas.node.metadata_start import MetadataLogRefused
from barnabas.storage.quorum_state import StoredQuorumState, read_quorum_state, write_quorum_state
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from barnabas.core.metadata.image import MetadataImage
    from barnabas.core.quorum.events import Effect, Event
    from barnabas.core.quorum.peer_events import AppendFetched, Peer
    from barnabas.core.quorum.quorum import QuorumDescription
    from barnabas.node.loop import Loop, Timer
    from barnabas.node.metadata_batches import MetadataBatch
    from barnabas.node.metadata_listener import MetadataListener
    from barnabas.node.metadata_snapshots import MetadataSnapshots
    from barnabas.node.quorum_peers import QuorumPeers
    from barnabas.storage.metadata_snapshot import SnapshotId
    from barnabas.wire.schema import Message

CLEAN_INTERVAL_MS = 60_000


class MetadataLog:
    """Construct it (which loads), then `start`; `append` from the time on when the listener is `leading`."""

    __slots__ = (
        "_armed_ms",
        "_awaits_commit_of",
        "_clock_ms",
        "_commits",
        "_disk",
        "_files",
        "_is_closed",
        "_is_led",
        "_is_stepping",
        "_listener",
        "_local",
        "_loop",
        "_on_failure",
        "_peers",
        "_timer",
        "on_contradiction",
        "on_reply",
        "on_snapshot_failure",
        "quorum",
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
        bootstrap: Sequence[Peer] = (),
        quorum_settings: QuorumSettings | None = None,
        random_below: Callable[[int], int] = lambda bound: 0,
    ) -> None:
        """Open and load. `metadata_directory`: of metadata.log.dir, locked by the caller; `local`: node id, directory.id, controller endpoints;
        `static_voters`: of controller.quorum.voters, empty without; `loop`: the control thread's; `clock_ms` never goes back; `on_failure`: the disk failed,
        the node must stop; `bootstrap`: whom to ask for the leader.

        What a lone voter has in its log counts as committed, and the listener is told of it at once; else of the latest snapshot only.
        Raises MetadataLogRefused, SnapshotError, QuorumStateError, StorageError, OSError, and what the listener's replay raises.
        """
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
        self.on_contradiction: Callable[[str], object] = lambda text: None
        """May be set: a peer said what can't be (Q6)."""
        self._disk: BackgroundSync | None = None
        self._peers: QuorumPeers | None = None
        self._is_closed = False
        self._is_led = self._is_stepping = False
        self._awaits_commit_of: tuple[int, int] | None = None
        """This node was elected: (epoch, where it starts); the listener hears of it once it has all before (Q37)."""
        self._files = MetadataFiles(metadata_directory, settings, clock_ms())
        self._commits = MetadataCommits(self._files, listener)
        history = ControlHistory(static_voters)
        try:
            self._load(history)
        except DecodeError as error:
            raise MetadataLogRefused(
                f"{self.directory}: {error}. A newer release wrote it, or the disk damaged it: start that release, or restore the directory."
            ) from None
        stored = read_quorum_state(self.directory)
        election = None if stored is None else Election(stored.leader_epoch, stored.leader_id, stored.voted_id, stored.voted_directory_id)
        self.quorum = Quorum(
            local,
            history,
            election,
            self._files.shape(),
            cluster_id=cluster_id,
            bootstrap=bootstrap,
            settings=quorum_settings,
            random_below=random_below,
        )

    # --- what there is

    @property
    def directory(self) -> str:
        return self._files.directory

    @property
    def snapshots(self) -> MetadataSnapshots:
        return self._files.snapshots

    @property
    def start_offset(self) -> int:
        return self._files.start_offset

    @property
    def end_offset(self) -> int:
        return self._files.end_offset

    @property
    def kraft_version(self) -> int:
        return self.quorum.history.kraft_version

    @property
    def is_alone(self) -> bool:
        """No other voter is needed for anything."""
        return self.quorum.voters.is_only(self._local.id, self._local.directory_id)

    def read(self, offset: int, max_bytes: int) -> bytes:
        """Whole batches from the one that holds `offset`, at least one."""
        return self._files.read(offset, max_bytes)

    # --- loading

    def _load(self, history: ControlHistory) -> None:
        """Newest snapshot, then the log behind it, to the quorum's history; what is committed to the listener."""
        latest = self._files.snapshots.latest
        if latest is not None:
            self._load_snapshot(latest, history)
        is_alone = history.voters.is_only(self._local.id, self._local.directory_id)
        for batch in self._files.batches(self._commits.told, self._files.end_offset, controls_only=not is_alone):
            for position, control in batch.controls:
                history.replay(position, control)
            if is_alone:
                self._files.snapshots.count(batch.size_bytes)
                self._listener.loaded(batch)
        if is_alone:
            self._commits.told = self._files.end_offset

    def _load_snapshot(self, snapshot_id: SnapshotId, history: ControlHistory | None) -> list[Message]:
        """Tell the listener of a snapshot, and the history of the voters in it, which are returned."""
        from barnabas.core.metadata.record_versions import decode_record

        reader, controls = self._files.snapshot(snapshot_id)
        last_offset = snapshot_id.offset - 1
        if history is not None:
            for control in controls:
                history.replay(last_offset, control)
        if snapshot_id.offset > 0:
            records = (decode_record(value)[0] for value in reader.values())
            self._listener.load_snapshot(records, last_offset, snapshot_id.epoch, reader.last_timestamp_ms)
        reader.close()
        self._commits.restart(snapshot_id.offset)
        return controls

    def replay_committed(self, take_snapshot: Callable[[Iterator[Message], int], object], take_batch: Callable[[MetadataBatch], object]) -> None:
        """Once more all that the listener was told. Raises SnapshotError, StorageError, OSError."""
        self._files.replay(self._commits.told, take_snapshot, take_batch)

    # --- leading

    def start(self) -> None:
        """Take part in the quorum. A lone voter leads on return: the epoch's first batch is durable and committed, and so is what the listener appends in
        `leading`. Others need the loop to run, and `run`.

        Raises QuorumRefused, StorageError, OSError.
        """
        self.happen(Start())
        while self.is_alone and self.quorum.log.flushed_offset < self._files.end_offset:
            self._sync_and_commit()

    def append(self, records: Sequence[Message], version_of: Callable[[Message], int], *, is_atomic: bool = True) -> int:
        """Write records as the leader, let the listener replay them, and sync soon; the last one's offset. `committed` follows.

        Raises TooManyRecords (nothing happened), StorageError (the node must stop, unless it isn't `offline`: then nothing happened).
        """
        if self._is_closed or not self.quorum.is_leader:
            raise ValueError("append to the metadata log without being its leader")
        made = data_batches(records, version_of, self._files.end_offset, self.quorum.epoch, self._clock_ms(), is_atomic=is_atomic)
        self._write(made)
        self.happen(_appended(made))
        return self._files.end_offset - 1

    def _write(self, made: Sequence[tuple[bytes, MetadataBatch]]) -> None:
        self._files.append(made)
        self._commits.keep(batch for _, batch in made)
        if self._is_led or self.is_alone:
            for _, batch in made:
                self._listener.appended(batch)
        self._sync()

    # --- the quorum

    def happen(self, event: Event) -> None:
        """Tell the quorum, and do what it wants done. On the control thread. Raises QuorumRefused, StorageError, OSError."""
        if not self._is_closed:
            self._step(event, self._clock_ms())

    def _step(self, event: Event | None, now_ms: int) -> None:
        if self._is_stepping:
            raise AssertionError(f"{event} in the middle of another event of the metadata quorum")
        self._is_stepping = True
        try:
            while event is not None:
                event = self._do(self.quorum.step(event, now_ms))
        finally:
            self._is_stepping = False
        self._arm(now_ms)
        if self._awaits_commit_of is not None and self._commits.told > self._awaits_commit_of[1]:
            epoch, _ = self._awaits_commit_of
            self._is_led, self._awaits_commit_of = True, None
            self._listener.leading(epoch)

    def _arm(self, now_ms: int) -> None:
        deadline_ms = self.quorum.deadline_ms
        if deadline_ms != self._armed_ms:
            if self._timer is not None:
                self._timer.cancel()
            self._armed_ms = deadline_ms
            self._timer = None if deadline_ms >= FOREVER else self._loop.call_later(max(deadline_ms - now_ms, 0), self._tick, deadline_ms)

    def _tick(self, deadline_ms: int) -> None:
        """The time is over, whatever the clock says."""
        self._armed_ms, self._timer = FOREVER, None
        if not self._is_closed:
            self._step(Tick(), max(deadline_ms, self._clock_ms()))

    def _do(self, effects: Iterable[Effect]) -> Event | None:
        """Carry out the quorum's effects in their order. What it must be told next, if anything."""
        then: Event | None = None
        for effect in effects:
            if isinstance(effect, HighWatermark):
                self._commits.commit(effect.offset)
            elif isinstance(effect, Persist):
                epoch, leader_id, voted_id, voted_directory_id = effect.election
                state = StoredQuorumState(epoch, leader_id, voted_id, voted_directory_id, effect.voter_ids)
                write_quorum_state(self.directory, state, effect.kraft_version)
            elif isinstance(effect, BecameLeader):
                self._files.begin_epoch(effect.epoch, effect.start_offset)
                self._awaits_commit_of = (effect.epoch, effect.start_offset)
            elif isinstance(effect, AppendControl):
                self._write([control_batch(effect.records, self._files.end_offset, effect.epoch, self._clock_ms())])
            elif isinstance(effect, LostLeadership):
                self._is_led, self._awaits_commit_of = False, None
                self._listener.resigned(effect.epoch)
            else:
                then = self._do_for_peers(effect) or then
        return then

    def _do_for_peers(self, effect: Any) -> Event | None:
        """What a lone voter's quorum wants only when it is asked something, or never."""
        from barnabas.core.quorum import peer_events as peers

        if isinstance(effect, peers.Reply):
            assert self.on_reply is not None
            self.on_reply(effect)
        elif isinstance(effect, peers.Send):
            self._send(effect)
        elif isinstance(effect, peers.LeaderChanged):
            self._listener.leader_changed(effect.leader_id, effect.epoch)
        elif isinstance(effect, peers.AppendFetched):
            return self._append_fetched(effect)
        elif isinstance(effect, peers.Truncate):
            self._files.truncate(effect.end_offset)
            self._commits.truncate(effect.end_offset)
        elif isinstance(effect, peers.WriteSnapshot):
            self._files.write_piece(_id(effect.snapshot), effect.position, effect.data)
        elif isinstance(effect, peers.InstallSnapshot):
            return self._install(_id(effect.snapshot))
        elif isinstance(effect, peers.Contradiction):
            self.on_contradiction(effect.text)
        else:
            raise AssertionError(f"{type(effect).__name__} is nobody's")
        return None

    def _send(self, effect: Any) -> None:
        if self._peers is None:
            from barnabas.node.quorum_peers import QuorumPeers

            self._peers = QuorumPeers(self._loop, self._local.id, self.happen)
        self._peers.send(effect)

    def _append_fetched(self, effect: AppendFetched) -> Event:
        made = self._files.check_fetched(effect.records, effect.epoch)
        if made:
            self._files.append(made)
            self._commits.keep(batch for _, batch in made)
            self._sync()
        return _appended(made)

    def _install(self, snapshot_id: SnapshotId) -> Event:
        """A fetched snapshot is the log now."""
        from barnabas.core.quorum.peer_events import SnapshotId as FetchedId
        from barnabas.core.quorum.peer_events import SnapshotInstalled

        self._files.install(snapshot_id, self._clock_ms())
        controls = self._load_snapshot(snapshot_id, None)
        return SnapshotInstalled(FetchedId(*snapshot_id), tuple(controls))

    # --- syncing

    def _sync(self) -> None:
        if self._disk is not None:
            self._disk.want()

    def _sync_and_commit(self) -> None:
        """Here and now: at a start and at a stop, when nobody else waits for this thread."""
        self._files.sync()
        self.happen(Flushed(self._files.end_offset))

    def run(self) -> None:
        """From now on sync on a thread of its own, and clean. On the control thread, or before it runs. Until then an append stays uncommitted."""
        self._disk = BackgroundSync(self._files, self._loop, lambda end_offset: self.happen(Flushed(end_offset)), self._on_failure)
        self._loop.call_later(CLEAN_INTERVAL_MS, self._clean_again)

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
        if image.offset < self._files.start_offset or image.features.metadata_version is None:
            return False
        kraft_version, voters = self.quorum.history.at(image.offset)
        return self.snapshots.begin(image, kraft_version, voters, self._clock_ms(), self._snapshot_done)

    def _snapshot_done(self, snapshot_id: SnapshotId, error: Exception | None) -> None:
        self._loop.call(self._snapshot_finished, snapshot_id, error)

    def _snapshot_finished(self, snapshot_id: SnapshotId, error: Exception | None) -> None:
        is_one_more = self.snapshots.finished(snapshot_id, error, self._files.start_offset, self._clock_ms())
        if error is not None:
            self.on_snapshot_failure(error)
        elif is_one_more:
            self.happen(SnapshotTaken(snapshot_id.epoch, snapshot_id.offset))

    def clean(self) -> None:
        """Drop old snapshots and the log's head by the rules of retention; `run` sees to it every minute (D32). Raises OSError, StorageError."""
        high_watermark = self.quorum.high_watermark
        if high_watermark is not None and not self._is_closed:
            self._files.clean(high_watermark, self._clock_ms())
            self.happen(LogStartMoved(self._files.start_offset))

    # --- others

    def raise_kraft_version(self, level: int, *, validate_only: bool = False) -> None:
        """For UpdateFeatures (C36): append the new level, and the voters. Raises QuorumRefused, StorageError."""
        self.happen(RaiseKRaftVersion(level, validate_only))

    def describe(self) -> QuorumDescription | None:
        """For DescribeQuorum; None unless this node leads (Q54)."""
        return self.quorum.describe(self._clock_ms())

    def resign(self) -> bool:
        """Lead no longer, and take no other lead. Whether all have heard of it; the loop must run until then. On the control thread."""
        self.happen(Stop())
        return self.quorum.has_stopped

    def stop(self) -> None:
        """Resign, sync and close. What was appended is durable afterwards, whether or not its commit was heard of. Raises OSError, StorageError."""
        if self._is_closed:
            return
        if self._disk is not None:
            self._disk.stop()
        self._sync_and_commit()
        self.resign()
        self._is_closed = True
        if self._peers is not None:
            self._peers.close()
        self._files.close()


def _id(fetched: Any) -> SnapshotId:
    from barnabas.storage.metadata_snapshot import SnapshotId

    return SnapshotId(*fetched)


def _appended(made: Sequence[tuple[bytes, MetadataBatch]]) -> Appended:
    return Appended(
        tuple((batch.base_offset, batch.last_offset + 1, batch.epoch) for _, batch in made),
        tuple(control for _, batch in made for control in batch.controls),
    )
