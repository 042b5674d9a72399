"""A metadata log's disk: what is in the page cache, and what survives a crash.

A crash keeps what was synced, and as much of what was written since as the seed says, cut anywhere: a torn batch is what recovery finds and drops.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from barnabas.core.quorum.events import Election
from barnabas.core.quorum.log_shape import LogShape
from barnabas.core.quorum.peer_events import SnapshotId
from barnabas.core.quorum.voters import ControlHistory, VoterSet
from barnabas.node.metadata_batches import decode_control
from barnabas.wire.logs.raft import KRaftVersionRecord, VotersRecord
from barnabas.wire.records.batch import HEADER_SIZE, read_header
from barnabas.wire.records.control import control_type
from barnabas.wire.records.record import decode_records
from barnabas.wire.schema import Message
from barnabas.wire.types import DecodeError


class Batch(NamedTuple):
    base_offset: int
    end_offset: int
    epoch: int
    data: bytes


class Snapshot(NamedTuple):
    id: SnapshotId
    kraft_version: int
    voters: VoterSet
    data: bytes

    @property
    def controls(self) -> tuple[Message, ...]:
        if not self.kraft_version:
            return ()
        return (KRaftVersionRecord(version=0, k_raft_version=self.kraft_version), self.voters.to_record())


def split(data: bytes) -> list[Batch]:
    """The whole, undamaged batches at the beginning of `data`."""
    found: list[Batch] = []
    position = 0
    while len(data) - position >= HEADER_SIZE:
        try:
            header = read_header(data, position)
            if position + header.size > len(data):
                break
            piece = data[position : position + header.size]
            list(decode_records(memoryview(piece)))  # checks the CRC
        except DecodeError:
            break
        found.append(Batch(header.base_offset, header.next_offset, header.leader_epoch, piece))
        position += header.size
    return found


def controls_of(batch: Batch) -> list[tuple[int, Message]]:
    """The quorum's own records in a batch."""
    if not read_header(batch.data).is_control:
        return []
    decoded = [(record.offset, decode_control(control_type(record.key), record.value or b"")) for record in decode_records(memoryview(batch.data))]
    return [(offset, control) for offset, control in decoded if control is not None]


class Disk:
    def __init__(self, directory_id: bytes) -> None:
        self.directory_id = directory_id
        self.election: Election | None = None
        self.start_offset = 0
        self.batches: list[Batch] = []
        self.snapshots: list[Snapshot] = []
        self.fetching = b""
        self._durable: list[Batch] = []

    @property
    def end_offset(self) -> int:
        return self.batches[-1].end_offset if self.batches else self.start_offset

    def is_durable(self, end_offset: int, epoch: int) -> bool:
        """Whether a crash now would leave the batch of `epoch` that ends at `end_offset`."""
        if any(snapshot.id.end_offset >= end_offset for snapshot in self.snapshots):
            return True
        return any(batch.end_offset == end_offset and batch.epoch == epoch for batch in self._durable)

    def append(self, batch: Batch) -> None:
        assert batch.base_offset >= self.end_offset
        self.batches.append(batch)

    def truncate(self, end_offset: int) -> None:
        self.batches = [batch for batch in self.batches if batch.end_offset <= end_offset]

    def written(self) -> list[Batch]:
        """What a sync that begins now will make durable."""
        return list(self.batches)

    def synced(self, batches: list[Batch]) -> None:
        if not batches or batches[-1].base_offset >= self.start_offset:
            self._durable = [batch for batch in batches if batch.base_offset >= self.start_offset]

    def install(self, snapshot: Snapshot) -> None:
        """A fetched snapshot takes the place of everything, durably."""
        self.snapshots = [snapshot]
        self.start_offset = snapshot.id.end_offset
        self.batches, self._durable = [], []

    def take_snapshot(self, snapshot: Snapshot, *, trim: bool) -> None:
        self.snapshots.append(snapshot)
        if trim:
            self.start_offset = snapshot.id.end_offset
            self.snapshots = [snapshot]
            self.batches = [batch for batch in self.batches if batch.base_offset >= self.start_offset]
            self._durable = [batch for batch in self._durable if batch.base_offset >= self.start_offset]

    def read(self, offset: int, max_bytes: int) -> bytes:
        taken, size = [], 0
        for batch in self.batches:
            if batch.end_offset > offset:
                if taken and size + len(batch.data) > max_bytes:
                    break
                taken.append(batch.data)
                size += len(batch.data)
        return b"".join(taken)

    def crash(self, random: Random) -> None:
        """Lose the page cache."""
        kept = b"".join(batch.data for batch in self._durable)
        continues = self.batches[: len(self._durable)] == self._durable
        if continues and random.random() < 0.5:
            unsynced = b"".join(batch.data for batch in self.batches[len(self._durable) :])
            kept += unsynced[: random.randint(0, len(unsynced))]
        self.batches = split(kept)
        self._durable = list(self.batches)
        self.fetching = b""

    def load(self, static_voters: VoterSet) -> tuple[ControlHistory, LogShape]:
        """What a node that starts finds."""
        history = ControlHistory(static_voters)
        for snapshot in self.snapshots[-1:]:
            for control in snapshot.controls:
                history.replay(snapshot.id.end_offset - 1, control)
        for batch in self.batches:
            for offset, control in controls_of(batch):
                history.replay(offset, control)
        epochs = [(batch.epoch, batch.base_offset) for batch in self.batches]
        ids = [tuple(snapshot.id) for snapshot in self.snapshots]
        shape = LogShape(self.end_offset, epochs, start_offset=self.start_offset, snapshots=ids)  # type: ignore[arg-type]
        self._durable = list(self.batches)
        return history, shape

    def voters_at(self, offset: int, history: ControlHistory) -> tuple[int, VoterSet]:
        return history.at(offset)


__all__ = ["Batch", "Disk", "Snapshot", "VotersRecord", "controls_of", "split"]
