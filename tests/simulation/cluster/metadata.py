"""A node's metadata log: `core.quorum` over a production Log, its votes on disk, the images and the controller that follow from it.

The host of the quorum's contract (`core.quorum.events`), as small as it can be. What it hands out: `image` after each publication, and to the controller
what is committed (on a standby) or what it appended itself (while it is active).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from barnabas.core.metadata.record_versions import decode_record, encode_record, record_version
from barnabas.core.metadata.snapshot import image_records
from barnabas.core.partition.epochs import LeaderEpochs
from barnabas.core.partition.producers import ProducerStates
from barnabas.core.quorum import events as ev
from barnabas.core.quorum import peer_events as pe
from barnabas.core.quorum.log_shape import TOPIC_ID, LogShape
from barnabas.core.quorum.quorum import Quorum
from barnabas.core.quorum.voters import ControlHistory, Endpoint, Voter
from barnabas.node.metadata_batches import MetadataBatch, control_batch, data_batches, decode_batch, decode_control
from barnabas.node.metadata_loader import MetadataLoader
from barnabas.storage.atomic_file import sync_directory
from barnabas.storage.log import Log
from barnabas.storage.log_config import LogConfig
from barnabas.storage.metadata_snapshot import SnapshotId, SnapshotReader, mark_deleted, recover_snapshots, snapshot_batches, write_snapshot
from barnabas.storage.quorum_state import StoredQuorumState, read_quorum_state, write_quorum_state
from barnabas.wire.errors import Error
from barnabas.wire.messages.api_versions import ApiVersionsResponse
from barnabas.wire.messages.vote import VoteRequest
from barnabas.wire.records.batch import read_header
from tests.simulation.quorum.disk import split
from tests.simulation.quorum.node import KRAFT_VERSIONS, LISTENER, NEWEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from barnabas.core.metadata.image import MetadataImage
    from barnabas.core.quorum.events import Effect, Event
    from barnabas.core.quorum.settings import QuorumSettings
    from barnabas.core.quorum.voters import VoterSet
    from barnabas.wire.schema import Message

    from .node import Node

CONFIG = LogConfig(segment_bytes=6000, segment_index_bytes=960, index_interval_bytes=300, retention_bytes=-1, retention_ms=-1)
READ_BYTES = 1 << 20
NEVER_EXPIRES_MS = (1 << 31) - 1


class MetadataHost:
    """Loads when it is made; `begin` starts the quorum."""

    def __init__(self, node: Node, directory_id: bytes, static_voters: VoterSet, bootstrap: list[pe.Peer], settings: QuorumSettings) -> None:
        self.node = node
        self.directory = f"{node.disk.root}/__cluster_metadata-0"
        if not os.path.isdir(self.directory):
            os.mkdir(self.directory)
        self.directory_id = directory_id
        self.epochs = LeaderEpochs()
        self.log = self._open()
        self.snapshots = recover_snapshots(self.directory, self.log.start_offset)
        latest = self.snapshots[-1] if self.snapshots else None
        last_epoch = max(self.epochs.latest, 0)
        if latest is not None and (latest.epoch > last_epoch or (latest.epoch == last_epoch and latest.offset > self.log.end_offset)):
            self.log.truncate_fully(latest.offset)
            self._forget_before(latest)
        self.loader = MetadataLoader()
        self.image: MetadataImage = self.loader.image
        self.applied = 0
        self._partial = ""
        history = ControlHistory(static_voters)
        self._load(history)
        stored = read_quorum_state(self.directory)
        election = None if stored is None else ev.Election(stored.leader_epoch, stored.leader_id, stored.voted_id, stored.voted_directory_id)
        self.quorum = Quorum(
            Voter(node.id, directory_id, (Endpoint(LISTENER, f"node{node.id}", 9000 + node.incarnation),)),
            history,
            election,
            LogShape(self.log.end_offset, self.epochs.entries, start_offset=self.log.start_offset, snapshots=[tuple(one) for one in self.snapshots]),  # type: ignore[misc]
            cluster_id=node.cluster.id,
            bootstrap=bootstrap,
            settings=settings,
            random_below=node.cluster.random.randrange,
        )
        self._syncing = False
        self._pending: list[Event] = []
        self._stepping = False
        self._next_key = 0
        self._asked: dict[int, tuple[Message, int, Callable[[Message], None]]] = {}

    def _open(self) -> Log:
        """Always as after a crash: every segment is read and checked (D24)."""
        return Log.open(
            self.directory,
            CONFIG,
            recovery_point=0,
            clean=False,
            log_start_offset=0,
            producers=ProducerStates(NEVER_EXPIRES_MS),
            epochs=self.epochs,
            now_ms=self.node.cluster.now_ms,
            topic_id=TOPIC_ID,
        )

    def _load(self, history: ControlHistory) -> None:
        """What the quorum must know of the whole log; images and controller learn of the rest when it is known to be committed."""
        if self.snapshots:
            self._read_snapshot_into(self.snapshots[-1], history)
        for batch in self._batches(max(self.log.start_offset, self.applied), self.log.end_offset):
            for offset, control in batch.controls:
                history.replay(offset, control)

    def _read_snapshot_into(self, snapshot_id: SnapshotId, history: ControlHistory | None) -> tuple[Message, ...]:
        reader = SnapshotReader(f"{self.directory}/{snapshot_id.file_name}")
        controls = tuple(control for kind, value in reader.control_records if (control := decode_control(kind, value)) is not None)
        for control in controls if history is not None else ():
            assert history is not None
            history.replay(snapshot_id.offset - 1, control)
        if snapshot_id.offset > 0:
            records = [decode_record(value)[0] for value in reader.values()]
            self.loader.load_snapshot(records, snapshot_id.offset - 1, snapshot_id.epoch, reader.last_timestamp_ms)
            self.node.controller_loads(records, snapshot_id.offset - 1)
            self.applied = snapshot_id.offset
        reader.close()
        return controls

    def read(self, offset: int, max_bytes: int, end_offset: int | None = None) -> bytes:
        found = self.log.read(offset, max_bytes, self.log.end_offset if end_offset is None else end_offset, True)
        return b"" if found is None else os.pread(found.file.fileno(), found.size, found.position)

    def _batches(self, offset: int, end_offset: int) -> Iterator[MetadataBatch]:
        while offset < end_offset:
            data = self.read(offset, READ_BYTES, end_offset)
            position = 0
            while position < len(data):
                header = read_header(data, position)
                if header.base_offset >= offset:
                    yield decode_batch(header, memoryview(data)[position : position + header.size])
                offset, position = header.next_offset, position + header.size

    # --- the quorum

    def happen(self, event: Event) -> None:
        """One event, and all that follows from it at once."""
        self._pending.append(event)
        if self._stepping:
            return
        self._stepping = True
        cluster = self.node.cluster
        try:
            while self._pending:
                effects = self.quorum.step(self._pending.pop(0), cluster.now_ms)
                cluster.steps += 1
                for effect in effects:
                    answer = self._carry_out(effect)
                    if answer is not None:
                        self._pending.insert(0, answer)
        finally:
            self._stepping = False
        self._sync()
        self.node.controller_may_activate()
        cluster.arm(self.node, self.quorum.deadline_ms)

    def _carry_out(self, effect: Effect) -> Event | None:
        if isinstance(effect, pe.Send):
            self._send(effect)
        elif isinstance(effect, pe.Reply):
            self._reply(effect)
        elif isinstance(effect, ev.Persist):
            epoch, leader_id, voted_id, voted_directory_id = effect.election
            state = StoredQuorumState(epoch, leader_id, voted_id, voted_directory_id, effect.voter_ids)
            write_quorum_state(self.directory, state, effect.kraft_version)
        elif isinstance(effect, ev.BecameLeader):
            self.log.flush_epochs(self.epochs.assign(effect.epoch, effect.start_offset))
            self.node.cluster.invariants.quorum_leads(self.node, effect.epoch)
            self.node.controller_elected(effect.epoch, effect.start_offset)
        elif isinstance(effect, ev.LostLeadership):
            self.node.controller_resigns()
        elif isinstance(effect, ev.AppendControl):
            self._write([control_batch(effect.records, self.log.end_offset, effect.epoch, self.node.cluster.now_ms)])
        elif isinstance(effect, pe.AppendFetched):
            return self._append_fetched(effect)
        elif isinstance(effect, pe.Truncate):
            self.log.truncate_to(effect.end_offset)
        elif isinstance(effect, ev.HighWatermark):
            self._committed(effect.offset)
        elif isinstance(effect, pe.WriteSnapshot):
            self._write_snapshot_piece(effect)
        elif isinstance(effect, pe.InstallSnapshot):
            return self._install_snapshot(effect.snapshot)
        elif isinstance(effect, pe.Contradiction):
            self.node.cluster.invariants.fail(f"node {self.node.id}: {effect.text}")
        return None

    def append(self, records: Sequence[Message], version_of: Callable[[Message], int], *, is_atomic: bool) -> int:
        """As the leader, for the controller, which replays each batch that is returned to it."""
        made = data_batches(records, version_of, self.log.end_offset, self.quorum.epoch, self.node.cluster.now_ms, is_atomic=is_atomic)
        self._write(made)
        self.happen(ev.Appended(tuple((batch.base_offset, batch.last_offset + 1, batch.epoch) for _, batch in made)))
        return self.log.end_offset - 1

    def _write(self, made: Sequence[tuple[bytes, MetadataBatch]]) -> None:
        self.log.append([(data, batch.base_offset, batch.last_offset, batch.timestamp_ms, len(data), batch.epoch) for data, batch in made])
        for data, batch in made:
            self.node.cluster.invariants.metadata_appended(self.node, batch.base_offset, batch.epoch, data)
            self.node.controller_appended(batch)

    def _append_fetched(self, effect: pe.AppendFetched) -> ev.Appended:
        batches = [batch for batch in split(effect.records) if batch.base_offset >= self.log.end_offset]
        rows = [(batch.data, batch.base_offset, batch.end_offset - 1, 0, len(batch.data), batch.epoch) for batch in batches]
        if rows:
            self.log.append(rows)
        controls = []
        for batch in batches:
            self.node.cluster.invariants.metadata_appended(self.node, batch.base_offset, batch.epoch, batch.data)
            controls += decode_batch(read_header(batch.data), memoryview(batch.data)).controls
        return ev.Appended(tuple(batch[:3] for batch in batches), tuple(controls))

    def _sync(self) -> None:
        """One sync at a time."""
        if not self._syncing and self.quorum.log.flushed_offset < self.log.end_offset:
            self._syncing = True
            self.node.after(self.node.cluster.random.choice((1, 1, 2, 5, 20)), self._sync_now)

    def _sync_now(self) -> None:
        self._syncing = False
        self.log.flush()
        self.happen(ev.Flushed(self.log.end_offset))

    # --- what is committed

    def _committed(self, high_watermark: int) -> None:
        self.node.cluster.invariants.metadata_committed(self.node, high_watermark)
        if high_watermark > self.applied:
            for batch in self._batches(self.applied, high_watermark):
                self.loader.replay(batch)
                self.node.controller_committed(batch)
            self.applied = high_watermark
        published = self.loader.publish()
        if published is not None:
            self.image = published[1]
            self.node.cluster.invariants.published(self.node, self.image)
            image = self.image
            self.node.after(0, lambda: self.node.published(image))

    # --- snapshots

    def take_snapshot(self) -> None:
        """Of the image; the log before goes, and older snapshots with it."""
        image = self.image
        snapshot_id = SnapshotId(image.epoch, image.offset + 1)
        if (
            snapshot_id in self.snapshots
            or image.features.metadata_version is None
            or self.loader.in_transaction
            or image.offset < self.log.start_offset
        ):
            return
        kraft_version, voters = self.quorum.history.at(image.offset)
        level = image.features.metadata_version
        values = [encode_record(record, record_version(record, level)) for record in image_records(image)]
        batches = snapshot_batches(
            values,
            epoch=image.epoch,
            now_ms=self.node.cluster.now_ms,
            last_timestamp_ms=image.timestamp_ms,
            kraft_version=kraft_version,
            voters=voters.to_record(),
        )
        write_snapshot(self.directory, snapshot_id, batches)
        self.snapshots = sorted([*self.snapshots, snapshot_id])
        self.happen(ev.SnapshotTaken(*snapshot_id))
        self.log.set_start_offset(snapshot_id.offset)
        self.log.delete_old_segments(self.node.cluster.now_ms, self.quorum.high_watermark or 0)
        self._forget_before(snapshot_id)
        self.happen(ev.LogStartMoved(self.log.start_offset))

    def _forget_before(self, first_kept: SnapshotId) -> None:
        for snapshot_id in [found for found in self.snapshots if found < first_kept]:
            mark_deleted(self.directory, snapshot_id)
            self.snapshots.remove(snapshot_id)

    def _write_snapshot_piece(self, effect: pe.WriteSnapshot) -> None:
        self._fetching = (self._fetching if effect.position else b"") + effect.data

    _fetching = b""

    def _install_snapshot(self, snapshot: pe.SnapshotId) -> ev.Event:
        snapshot_id = SnapshotId(snapshot.epoch, snapshot.end_offset)
        write_snapshot(self.directory, snapshot_id, [self._fetching])
        self.log.truncate_fully(snapshot_id.offset)
        sync_directory(self.directory)
        self.snapshots = sorted({*self.snapshots, snapshot_id})
        self._forget_before(snapshot_id)
        self.node.controller_reloads()
        controls = self._read_snapshot_into(snapshot_id, None)
        return pe.SnapshotInstalled(snapshot, controls)

    # --- messages

    def _send(self, effect: pe.Send) -> None:
        message, version = effect.message, NEWEST[effect.message.api_key]
        peer_id = int(effect.peer.host.removeprefix("node"))
        node = self.node

        def answered(response: Message) -> None:
            self.happen(pe.Response(effect.peer.id, effect.correlation_id, response))

        def refused() -> None:
            self.happen(pe.Failed(effect.peer.id, effect.correlation_id, is_refused=True))

        node.cluster.ask(node, peer_id, lambda peer, reply: peer.metadata.serve(effect, data, version, reply), answered, refused)
        data = message.encode(version)

    def serve(self, send: pe.Send, data: bytes, version: int, reply: Callable[[Message], None]) -> None:
        """A peer asks."""
        if send.message.api_key == ApiVersionsResponse.api_key:
            reply(ApiVersionsResponse(error_code=0, api_keys=[], supported_features=KRAFT_VERSIONS))
            return
        self.ask(type(send.message).decode(data, version), version, reply)

    def ask(self, message: Message, version: int, reply: Callable[[Message], None]) -> None:
        """What a peer asks, or an operator."""
        self._next_key += 1
        self._asked[self._next_key] = (message, version, reply)
        self.happen(pe.Request(self._next_key, message, version))

    def _reply(self, effect: pe.Reply) -> None:
        asked, version, reply = self._asked.pop(effect.key)
        message, read = effect.message, effect.read
        if isinstance(read, pe.Read):
            message.responses[0].partitions[0].records = self.read(read.offset, read.max_bytes)  # type: ignore[attr-defined]
        elif read is not None:
            self._read_snapshot_piece(message, read)
        if isinstance(asked, VoteRequest):
            self.node.cluster.invariants.voted(self.node, message, asked)
        reply(type(message).decode(message.encode(version), version))

    def _read_snapshot_piece(self, message: Message, read: pe.ReadSnapshot) -> None:
        row = message.topics[0].partitions[0]  # type: ignore[attr-defined]
        with open(f"{self.directory}/{SnapshotId(*read.snapshot).file_name}", "rb") as file:
            data = file.read()
        if read.position >= len(data):
            row.error_code = Error.POSITION_OUT_OF_RANGE
        else:
            row.size = len(data)
            row.unaligned_records = data[read.position : read.position + read.max_bytes]


def format_directory(directory: str, voters: VoterSet) -> None:
    """As kafka-storage format --initial-controllers: a bootstrap snapshot names the voters (D42)."""
    os.mkdir(f"{directory}/__cluster_metadata-0")
    path = f"{directory}/__cluster_metadata-0"
    write_snapshot(path, SnapshotId(0, 0), snapshot_batches([], epoch=0, now_ms=0, kraft_version=1, voters=voters.to_record()))
    sync_directory(directory)
