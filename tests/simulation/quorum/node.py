"""A simulated host of the quorum: it carries effects out as a real one must, on a disk and a network that fail."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from barnabas.core.quorum import events as ev
from barnabas.core.quorum import peer_events as pe
from barnabas.core.quorum.quorum import Quorum
from barnabas.core.quorum.settings import QuorumSettings
from barnabas.core.quorum.voters import Endpoint, Voter, VoterSet
from barnabas.node.metadata_batches import control_batch
from barnabas.wire.errors import Error
from barnabas.wire.messages.add_raft_voter import AddRaftVoterRequest
from barnabas.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from barnabas.wire.messages.remove_raft_voter import RemoveRaftVoterRequest
from barnabas.wire.messages.vote import VoteRequest
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record

from .disk import Batch, Disk, Snapshot, controls_of, split

if TYPE_CHECKING:
    from barnabas.core.quorum.events import Effect, Event
    from barnabas.wire.schema import Message

    from .cluster import Cluster

LISTENER = "CONTROLLER"
NEWEST = {1: 18, 18: 4, 52: 2, 53: 1, 54: 1, 59: 1, 80: 1, 81: 0, 82: 0}
WITHOUT_PRE_VOTE = 1
KRAFT_VERSIONS = [ApiVersionsResponse.SupportedFeatureKey(name="kraft.version", min_version=0, max_version=1)]


class Crash(Exception):
    """The node dies between two effects."""


class Node:
    def __init__(self, node_id: int, cluster: Cluster, settings: QuorumSettings, static_voters: VoterSet, newest_vote: int) -> None:
        self.id = node_id
        self.cluster = cluster
        self.random: Random = cluster.random
        self.settings = settings
        self.static_voters = static_voters
        self.newest_vote = newest_vote
        self.disks = [Disk(self.random.randbytes(16))]
        """The last one is in use; those before were replaced, after they had been counted upon."""
        self.incarnation = 0
        self.is_up = False
        self.is_paused = False
        self.late: list[Event] = []
        self.voters_before: tuple[int, tuple[int, ...]] | None = None
        self._next_key = 0
        self._asked: dict[int, tuple[int, int, int, int, Message]] = {}
        self._syncing = False
        self._slowest_sync_ms = self.random.choice((4, 4, 80))
        self.quorum: Quorum

    @property
    def disk(self) -> Disk:
        return self.disks[-1]

    @property
    def local(self) -> Voter:
        return Voter(self.id, self.disk.directory_id, (Endpoint(LISTENER, f"node{self.id}", 9000 + self.incarnation),))

    # --- life

    def start(self) -> None:
        self.incarnation += 1
        self.is_up, self.is_paused, self._syncing = True, False, False
        self._asked.clear()
        history, shape = self.disk.load(self.static_voters)
        self.quorum = Quorum(
            self.local,
            history,
            self.disk.election,
            shape,
            cluster_id="c",
            bootstrap=self.cluster.bootstrap,
            settings=self.settings,
            random_below=self.random.randrange,
        )
        self.happen(ev.Start())

    def crash(self) -> None:
        self.is_up = False
        self.late.clear()
        self.disk.crash(self.random)

    def wipe(self) -> None:
        """The disk is replaced by an empty one: this is another replica now."""
        self.disks.append(Disk(self.random.randbytes(16)))

    # --- events and effects

    def happen(self, event: Event) -> None:
        """One event and all that follows from it at once."""
        if not self.is_up:
            return
        if self.is_paused:
            self.late.append(event)
            return
        pending = [event]
        try:
            while pending:
                offset = self.quorum.history.voters_offset
                self.voters_before = None if offset is None else (offset, self.quorum.voters.ids)
                effects = self.quorum.step(pending.pop(0), self.cluster.now_ms)
                self.cluster.steps += 1
                for effect in effects:
                    self.cluster.maybe_crash(self)
                    pending.extend(self._carry_out(effect))
                    self.cluster.invariants.check(self, effect, self.cluster.nodes)
        except Crash:
            self.crash()
            return
        self._sync()
        self.cluster.call_at(self.quorum.deadline_ms, self, ev.Tick())

    def _carry_out(self, effect: Effect) -> list[Event]:
        if isinstance(effect, ev.Persist):
            self.disk.election = effect.election
        elif isinstance(effect, pe.Send):
            self._send(effect)
        elif isinstance(effect, pe.Reply):
            self._reply(effect)
        elif isinstance(effect, ev.AppendControl):
            data, made = control_batch(effect.records, self.disk.end_offset, effect.epoch, self.cluster.now_ms)
            self._append(Batch(made.base_offset, made.last_offset + 1, effect.epoch, data))
        elif isinstance(effect, pe.AppendProposed):
            records = [Record(timestamp=self.cluster.now_ms, value=value) for value in effect.records]
            data = build_batch(records, base_offset=effect.base_offset, leader_epoch=effect.epoch)
            self._append(Batch(effect.base_offset, effect.base_offset + len(records), effect.epoch, data))
        elif isinstance(effect, pe.AppendFetched):
            return [self._append_fetched(effect)]
        elif isinstance(effect, pe.Truncate):
            self.disk.truncate(effect.end_offset)
        elif isinstance(effect, pe.WriteSnapshot):
            self.disk.fetching = (self.disk.fetching if effect.position else b"") + effect.data
        elif isinstance(effect, pe.InstallSnapshot):
            snapshot = self.cluster.snapshots[self.disk.fetching]
            assert snapshot.id == effect.snapshot
            self.disk.install(snapshot)
            return [pe.SnapshotInstalled(snapshot.id, snapshot.controls)]
        elif isinstance(effect, ev.HighWatermark):
            self.cluster.committed(self, effect.offset)
        return []

    def _append(self, batch: Batch) -> None:
        self.cluster.invariants.appended(self, batch)
        self.disk.append(batch)

    def _append_fetched(self, effect: pe.AppendFetched) -> ev.Appended:
        end_offset = self.disk.end_offset
        batches = [batch for batch in split(effect.records) if batch.base_offset >= end_offset]
        for batch in batches:
            self._append(batch)
        return ev.Appended(tuple(batch[:3] for batch in batches), tuple(control for batch in batches for control in controls_of(batch)))

    def _sync(self) -> None:
        """One sync at a time, of all that is written when it begins."""
        if self.is_up and not self._syncing and self.quorum.log.flushed_offset < self.disk.end_offset:
            self._syncing = True
            written, incarnation = self.disk.written(), self.incarnation
            self.cluster.call_in(1 + self.random.randint(0, self._slowest_sync_ms), lambda: self._synced(written, incarnation))

    def _synced(self, written: list[Batch], incarnation: int) -> None:
        if not self.is_up or incarnation != self.incarnation:
            return
        self._syncing = False
        if written != self.disk.batches[: len(written)]:
            self._sync()  # the log was cut meanwhile
            return
        self.disk.synced(written)
        self.happen(ev.Flushed(written[-1].end_offset if written else self.disk.start_offset))

    # --- messages

    def _send(self, effect: pe.Send) -> None:
        message, peer_id = effect.message, self.cluster.node_at(effect.peer)
        api = message.api_key
        newest = self.cluster.nodes[peer_id].newest_vote if api == VoteRequest.api_key else NEWEST[api]
        failed = pe.Failed(effect.peer.id, effect.correlation_id)
        if isinstance(message, VoteRequest) and message.topics[0].partitions[0].pre_vote and newest <= WITHOUT_PRE_VOTE:
            self.cluster.call_in(1, lambda: self.happen(failed._replace(is_unsupported=True)))
            return
        self.cluster.deliver(self, peer_id, effect, message.encode(newest), newest)

    def receive(self, sender: Node, sender_incarnation: int, effect: pe.Send, data: bytes, version: int) -> None:
        """A request arrived."""
        message = type(effect.message).decode(data, version)
        if isinstance(message, ApiVersionsRequest):
            response = ApiVersionsResponse(error_code=0, api_keys=[], supported_features=KRAFT_VERSIONS)
            self.cluster.answer(self, sender, sender_incarnation, effect, response.encode(version), version, ApiVersionsResponse)
            return
        self._next_key += 1
        self._asked[self._next_key] = (sender.id, sender_incarnation, version, self.incarnation, effect)  # type: ignore[assignment]
        self.happen(pe.Request(self._next_key, message, version))

    def ask(self, message: Message, version: int) -> None:
        """A tool asks; nobody waits for the answer."""
        self._next_key += 1
        self.happen(pe.Request(self._next_key, message, version))

    def _reply(self, reply: pe.Reply) -> None:
        asked = self._asked.pop(reply.key, None)
        message, read = reply.message, reply.read
        if isinstance(read, pe.Read):
            message.responses[0].partitions[0].records = self.disk.read(read.offset, read.max_bytes)  # type: ignore[attr-defined]
        elif read is not None:
            self._read_snapshot(message, read)
        if asked is None:
            self.cluster.tool_answers.append(message)
            return
        sender_id, sender_incarnation, version, _, send = asked
        assert isinstance(send, pe.Send)
        if isinstance(send.message, VoteRequest) and not send.message.topics[0].partitions[0].pre_vote:
            self.cluster.invariants.promised(self, reply, send.message.topics[0].partitions[0].replica_epoch, sender_id)
        self.cluster.answer(self, self.cluster.nodes[sender_id], sender_incarnation, send, message.encode(version), version, type(message))

    def _read_snapshot(self, message: Message, read: pe.ReadSnapshot) -> None:
        row = message.topics[0].partitions[0]  # type: ignore[attr-defined]
        data = next(snapshot.data for snapshot in self.disk.snapshots if snapshot.id == read.snapshot)
        if read.position >= len(data):
            row.error_code = Error.POSITION_OUT_OF_RANGE
        else:
            row.size = len(data)
            row.unaligned_records = data[read.position : read.position + read.max_bytes]

    # --- what operators and the controller do

    def propose(self, value: bytes) -> None:
        if self.is_up and not self.is_paused and self.quorum.is_leader:
            self.happen(pe.Propose((value,), len(value)))

    def take_snapshot(self, *, trim: bool) -> None:
        """Of what is committed here, up to the end of a batch."""
        committed = self.quorum.high_watermark or 0
        ends = [batch for batch in self.disk.batches if batch.end_offset <= committed]
        if not self.is_up or self.is_paused or not ends or (self.disk.snapshots and self.disk.snapshots[-1].id.end_offset >= ends[-1].end_offset):
            return
        snapshot_id = pe.SnapshotId(ends[-1].epoch, ends[-1].end_offset)
        version, voters = self.quorum.history.at(snapshot_id.end_offset - 1)
        data = b"snapshot %d %d " % snapshot_id * 20
        snapshot = self.cluster.snapshots.setdefault(data, Snapshot(snapshot_id, version, voters, data))
        self.disk.take_snapshot(snapshot, trim=trim)
        self.happen(ev.SnapshotTaken(*snapshot_id))
        if trim and self.is_up:
            self.happen(ev.LogStartMoved(snapshot_id.end_offset))

    def ask_to_add(self, other: Node) -> None:
        listeners = [AddRaftVoterRequest.Listener(name=name, host=host, port=port) for name, host, port in other.local.endpoints]
        request = AddRaftVoterRequest(
            cluster_id="c", timeout_ms=1000, voter_id=other.id, voter_directory_id=other.disk.directory_id, listeners=listeners
        )
        self.ask(request, 1)

    def ask_to_remove(self, voter: Voter) -> None:
        self.ask(RemoveRaftVoterRequest(cluster_id="c", voter_id=voter.id, voter_directory_id=voter.directory_id), 0)
