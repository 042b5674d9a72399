"""What must be so in every cluster after every step, one checker each. Sees everything at once, as no node can. A Violation says what broke, in a sentence."""

from __future__ import annotations

import os
from bisect import bisect_right
from typing import TYPE_CHECKING
from zlib import crc32

from barnabas.wire.errors import Error
from barnabas.wire.records.batch import iterate_headers, read_header
from barnabas.wire.records.record import decode_records
from tests.simulation.failures import Violation

if TYPE_CHECKING:
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.core.metadata.partition import Partition
    from barnabas.wire.messages.vote import VoteRequest
    from barnabas.wire.schema import Message

    from .broker import Broker
    from .cluster import Cluster
    from .node import Node
    from .replica import Key, Replica


class Batch:
    """A committed batch of data. `committed_epoch`: of the leader that committed it; later leaders must have it."""

    __slots__ = ("base_offset", "committed_epoch", "end_offset", "row")

    def __init__(self, base_offset: int, end_offset: int, epoch: int, crc: int, committed_epoch: int) -> None:
        self.base_offset, self.end_offset, self.committed_epoch = base_offset, end_offset, committed_epoch
        self.row = (base_offset, end_offset, epoch, crc)


class Truth:
    """One partition's committed records, as the first leader to commit them had them."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.sequences: dict[tuple[int, int, int], int] = {}
        self.values: dict[int, bytes] = {}

    @property
    def end_offset(self) -> int:
        return self.batches[-1].end_offset if self.batches else 0

    def at(self, offset: int) -> Batch:
        """The batch that holds it."""
        return self.batches[bisect_right(self.batches, offset, key=lambda batch: batch.base_offset) - 1]


class Invariants:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._quorum_leaders: dict[int, tuple[int, int]] = {}
        self._votes: dict[tuple[int, bytes, int], int] = {}
        self._metadata: dict[tuple[int, int], int] = {}
        self._metadata_committed: dict[int, tuple[int, int]] = {}
        self._metadata_seen: dict[tuple[int, int], int] = {}
        self._images: dict[int, MetadataImage] = {}
        self._newest: MetadataImage | None = None
        self._partition_leaders: dict[tuple[Key, int], tuple[int, int]] = {}
        self.truths: dict[Key, Truth] = {}
        self._acknowledged: dict[tuple[str, int], dict[int, bytes]] = {}
        self._checked: dict[Key, int] = {}
        self._assigned: dict[tuple[str, int, int], str] = {}
        self._group_offsets: dict[tuple[str, int], int] = {}
        self.unclean: set[int] = set()
        """Brokers that have died, until they are in sync again."""
        self.lost_power: set[int] = set()
        """Those among them whose logs may have lost something."""
        self.acknowledgements = self.elections = self.truncations = self.generations = 0
        self.voter_changes = self.replaced_disks = 0

    def fail(self, text: str) -> None:
        raise Violation(f"{text} (at {self._cluster.now_ms} ms)")

    @property
    def partitions(self) -> list[Partition]:
        """As the newest image has them."""
        return [] if self._newest is None else [partition for topic in self._newest.topics.by_id.values() for partition in topic.partitions.values()]

    # --- the metadata quorum

    def quorum_leads(self, node: Node, epoch: int) -> None:
        who = (node.id, node.incarnation)
        if self._quorum_leaders.setdefault(epoch, who) != who:
            self.fail(f"epoch {epoch} of the quorum has two leaders, {self._quorum_leaders[epoch]} and {who}")

    def voted(self, node: Node, answer: Message, request: VoteRequest) -> None:
        row = answer.topics[0].partitions[0] if answer.topics else None  # type: ignore[attr-defined]
        asked = request.topics[0].partitions[0]
        if row is not None and row.vote_granted and not asked.pre_vote:
            key = (node.id, node.directory_id, asked.replica_epoch)
            if self._votes.setdefault(key, asked.replica_id) != asked.replica_id:
                self.fail(f"{node} votes for {asked.replica_id} in epoch {asked.replica_epoch}, and voted for {self._votes[key]}")

    def metadata_appended(self, node: Node, base_offset: int, epoch: int, data: bytes) -> None:
        """One leader an epoch, so one batch at an offset of it."""
        crc = crc32(data)
        if self._metadata.setdefault((base_offset, epoch), crc) != crc:
            self.fail(f"{node}: the metadata batch at {base_offset} of epoch {epoch} differs from another node's")

    def metadata_committed(self, node: Node, high_watermark: int) -> None:
        key = (node.id, node.incarnation)
        seen = self._metadata_seen.get(key, -1)
        if high_watermark <= seen:
            self.fail(f"{node}: the metadata's high watermark goes from {seen} to {high_watermark}")
        self._metadata_seen[key] = high_watermark
        log = node.metadata.log
        if high_watermark > log.end_offset:
            self.fail(f"{node}: the metadata's high watermark {high_watermark} is beyond the log's end {log.end_offset}")
        data = node.metadata.read(max(node.metadata.applied, log.start_offset), 1 << 24, high_watermark)
        for position, header in iterate_headers(data):
            row = (header.leader_epoch, crc32(data[position : position + header.size]))
            if self._metadata_committed.setdefault(header.base_offset, row) != row:
                self.fail(f"{node} commits another metadata batch at {header.base_offset} than was committed")

    # --- metadata images

    def published(self, node: Node, image: MetadataImage) -> None:
        """Equal at equal offsets; in-sync sets within the replicas."""
        known = self._images.get(image.offset)
        if known is not None:
            if image != known:
                self.fail(f"{node} has another image of the metadata at offset {image.offset}")
            return
        self._images[image.offset] = image
        if self._newest is None or image.offset > self._newest.offset:
            self._newest = image
            for topic in image.topics.by_id.values():
                for index, partition in topic.partitions.items():
                    if not set(partition.isr) <= set(partition.replicas) or len(set(partition.isr)) != len(partition.isr):
                        self.fail(f"{topic.name}-{index} has the in-sync set {partition.isr} among the replicas {partition.replicas}")
                    if partition.leader >= 0 and partition.leader not in partition.isr:
                        self.fail(f"{topic.name}-{index} is led by {partition.leader}, which isn't in sync: {partition.isr}")
            self._in_sync_replicas_have_everything(image)

    def _in_sync_replicas_have_everything(self, image: MetadataImage) -> None:
        """So that any of them may lead. Those apart that lost power a moment ago, which the controller hasn't noticed yet."""
        for topic in image.topics.by_id.values():
            for index, partition in topic.partitions.items():
                key = (topic.id, index)
                truth = self.truths.get(key)
                if truth is None or self._checked.get(key) == partition.partition_epoch:
                    continue
                self._checked[key] = partition.partition_epoch
                before = [batch.end_offset for batch in truth.batches if batch.committed_epoch <= partition.leader_epoch]
                for member in partition.isr:
                    node = self._cluster.nodes[member]
                    replica = None if node.broker is None or not node.is_up else node.broker.replicas.get(key)
                    if replica is not None and member not in self.lost_power:
                        self._has_what_is_committed(replica, truth, 0, before[-1] if before else 0, "is in sync")

    # --- partitions

    def loaded(self, broker: Broker) -> None:
        """A log that was read after a crash: whole batches, one behind the other; nothing makes gaps here."""
        for replica in broker.replicas.values():
            end_offset = replica.log.start_offset
            for header in _headers(replica, replica.log.start_offset):
                if header.base_offset != end_offset:
                    self.fail(f"{replica}: a batch at {header.base_offset} follows the offset {end_offset}")
                end_offset = header.next_offset
            if end_offset != replica.log.end_offset:
                self.fail(f"{replica} says that it ends at {replica.log.end_offset}, its batches at {end_offset}")

    def leads(self, replica: Replica, epoch: int) -> None:
        """One leader an epoch; it has everything that is committed, unless more lost power than min.insync.replicas protects from."""
        who = (replica.broker.node.id, replica.broker.node.incarnation)
        if self._partition_leaders.setdefault((replica.key, epoch), who) != who:
            self.fail(f"epoch {epoch} of {replica.topic}-{replica.index} has two leaders, {self._partition_leaders[replica.key, epoch]} and {who}")
        self.elections += 1
        truth = self.truths.get(replica.key)
        if truth is not None:
            before = [batch.end_offset for batch in truth.batches if batch.committed_epoch < epoch]
            self._has_what_is_committed(replica, truth, 0, before[-1] if before else 0, f"leads epoch {epoch}")

    def _has_what_is_committed(self, replica: Replica, truth: Truth, start: int, end: int, what: str) -> None:
        """All in [start, end)."""
        if start >= end:
            return
        if replica.log.end_offset < end:
            self.fail(f"{replica} {what}, and ends at {replica.log.end_offset} of {end} that are committed")
        found = {header.base_offset: header for header in _headers(replica, start)}
        first = bisect_right(truth.batches, start, key=lambda batch: batch.end_offset)
        for batch in truth.batches[first:]:
            if batch.base_offset >= end:
                return
            header = found.get(batch.base_offset)
            row = None if header is None else (header.base_offset, header.next_offset, header.leader_epoch, header.crc)
            if row != batch.row:
                self.fail(f"{replica} {what}, and has {row} where {batch.row} is committed")

    def truncates(self, replica: Replica, offset: int) -> None:
        self.truncations += offset < replica.log.end_offset

    def appended(self, replica: Replica, base_offset: int, data: bytes) -> None:
        """No later leader writes where something is committed already. (A leader that doesn't know of its successor may.)"""
        truth = self.truths.get(replica.key)
        if truth is None or base_offset >= truth.end_offset:
            return
        header = read_header(data)
        row = (header.base_offset, header.next_offset, header.leader_epoch, header.crc)
        known = truth.at(base_offset)
        if known.row != row and header.leader_epoch > known.committed_epoch:
            self.fail(f"{replica} appends {row}, where {known.row} was committed in epoch {known.committed_epoch}")

    def learned(self, replica: Replica, before: int) -> None:
        """A follower's high watermark: it rises, and tells of nothing that isn't committed."""
        if replica.high_watermark < before:
            self.fail(f"{replica}: the high watermark goes back from {before} to {replica.high_watermark}")
        truth = self.truths.get(replica.key)
        if replica.high_watermark > (truth.end_offset if truth is not None else 0):
            self.fail(f"{replica}: the high watermark {replica.high_watermark} is beyond what is committed")
        if truth is not None:
            self._has_what_is_committed(replica, truth, before, replica.high_watermark, "follows")

    def committed(self, replica: Replica, before: int) -> None:
        """A leader's high watermark moved, or didn't."""
        if replica.high_watermark < before:
            self.fail(f"{replica}: the high watermark goes back from {before} to {replica.high_watermark}")
        truth = self.truths.setdefault(replica.key, Truth())
        if replica.high_watermark <= truth.end_offset or not replica.broker.is_serving:
            return
        start = truth.end_offset
        for header, data in _batches(replica, start):
            if header.base_offset >= replica.high_watermark:
                break
            if header.base_offset < start:
                self.fail(f"{replica} commits a batch at {header.base_offset} inside of what is committed up to {start}")
            values = [record.value or b"" for record in decode_records(data)]
            assert replica.leading is not None
            truth.batches.append(Batch(header.base_offset, header.next_offset, header.leader_epoch, header.crc, replica.leading.leader_epoch))
            for number, value in enumerate(values):
                truth.values[header.base_offset + number] = value
                if header.producer_id >= 0:
                    self._once(
                        replica, truth, (header.producer_id, header.producer_epoch, header.base_sequence + number), header.base_offset + number
                    )
        self._enough_have_it(replica, truth)

    def _once(self, replica: Replica, truth: Truth, sequence: tuple[int, int, int], offset: int) -> None:
        if truth.sequences.setdefault(sequence, offset) != offset:
            self.fail(f"{replica}: producer, epoch and sequence {sequence} stand at {truth.sequences[sequence]} and at {offset}")

    def _enough_have_it(self, replica: Replica, truth: Truth) -> None:
        """min.insync.replicas have it. Whoever died since may have had it."""
        holders = 0
        for node in self._cluster.nodes.values():
            other = None if node.broker is None else node.broker.replicas.get(replica.key)
            holders += node.id in self.unclean or (other is not None and other.log.end_offset >= truth.end_offset)
        if holders < min(self._cluster.min_isr, self._cluster.replication_factor):
            self.fail(f"{replica} commits up to {truth.end_offset}, which {holders} replicas have; min.insync.replicas is {self._cluster.min_isr}")

    # --- clients

    def acknowledged(self, topic: str, index: int, offset: int, values: list[bytes]) -> None:
        """A producer with acks=all was told that its records are at `offset`: they are committed there, now and for ever."""
        self.acknowledgements += 1
        truth = self._truth_of(topic, index)
        for number, value in enumerate(values):
            if truth.values.get(offset + number) != value:
                self.fail(
                    f"{topic}-{index}: {value!r} is acknowledged at {offset + number}, where {truth.values.get(offset + number)!r} is committed"
                )

    def _truth_of(self, topic: str, index: int) -> Truth:
        assert self._newest is not None
        found = self._newest.topics.by_name.get(topic)
        return Truth() if found is None else self.truths.get((found.id, index), Truth())

    def consumed(self, consumer: str, topic: str, index: int, position: int, data: bytes) -> int:
        """In order, without gaps, and nothing that isn't committed. The next position."""
        truth = self._truth_of(topic, index)
        for at, header in iterate_headers(data):
            if header.next_offset <= position:
                continue
            for record in decode_records(memoryview(data)[at : at + header.size]):
                if record.offset < position:
                    continue
                if record.offset != position:
                    self.fail(f"{consumer} reads {topic}-{index} at {record.offset}, {position} was next")
                if truth.values.get(position) != (record.value or b""):
                    self.fail(f"{consumer} reads {record.value!r} at {topic}-{index} {position}, where {truth.values.get(position)!r} is committed")
                position += 1
        return position

    def refused_for_good(self, producer: str, error: Error, topic: str, index: int, values: list[bytes]) -> None:
        """A leader that was started again knows the last batch of each producer from a snapshot, so it may not know those before for retries, as in Apache
        Kafka. No other reason may there be, so some replica must have the records.
        """
        nodes = [node for node in self._cluster.nodes.values() if node.is_up and node.broker is not None]
        replicas = [replica for node in nodes for replica in node.broker.replicas.values() if (replica.topic, replica.index) == (topic, index)]  # type: ignore[union-attr]
        written = (record.value for replica in replicas for _, data in _batches(replica, 0) for record in decode_records(data))
        if self._cluster.in_flight == 1 or values[0] not in written:
            self.fail(f"{producer} did nothing wrong, and is told {error.name}")

    def out_of_range(self, consumer: str, topic: str, index: int, position: int) -> None:
        self.fail(f"{consumer} is told that its position {position} isn't in {topic}-{index}")

    def assigned(self, group: str, generation: int, member: str, partitions: list[int]) -> None:
        self.generations += 1
        for index in partitions:
            owner = self._assigned.setdefault((group, generation, index), member)
            if owner != member:
                self.fail(f"generation {generation} of {group} gives partition {index} to {owner} and to {member}")

    def group_committed(self, group: str, index: int, offset: int) -> None:
        self._group_offsets[group, index] = max(offset, self.group_floor(group, index))

    def group_floor(self, group: str, index: int) -> int:
        """The greatest offset that members were told is kept."""
        return self._group_offsets.get((group, index), -1)

    def resumed(self, member: str, index: int, position: int, floor: int) -> None:
        """What a group was told is kept is where its next member begins."""
        if position < floor:
            self.fail(f"{member} begins partition {index} at {position}, but {floor} was committed")

    def after_step(self, node: Node) -> None:
        """A node that died is as good as the others again once it is in every in-sync set, by a registration of this life."""
        if node.id not in self.unclean or not node.is_up or node.broker is None or node.broker.epoch < 0 or self._newest is None:
            return
        registered = self._newest.cluster.brokers.get(node.id)
        if registered is None or registered.epoch != node.broker.epoch or registered.fenced:
            return
        if all(node.id in partition.isr for partition in self.partitions if node.id in partition.replicas):
            self.unclean.discard(node.id)
            self.lost_power.discard(node.id)


def _batches(replica: Replica, offset: int) -> list:  # type: ignore[type-arg]
    log = replica.log
    found = log.read(max(offset, log.start_offset), 1 << 26, log.end_offset)
    result = []
    while found is not None:
        data = memoryview(os.pread(found.file.fileno(), found.size, found.position))
        for at, header in iterate_headers(data):
            result.append((header, data[at : at + header.size]))
        found = log.read(result[-1][0].next_offset, 1 << 26, log.end_offset)
    return result


def _headers(replica: Replica, offset: int) -> list:  # type: ignore[type-arg]
    return [header for header, _ in _batches(replica, offset)]
