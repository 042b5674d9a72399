"""One partition on one broker: a production Log under `core.partition`'s leader and follower. Appends, answers fetches, follows, waits for commits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.partition.epochs import LeaderEpochs
from barnabas.core.partition.following import Append, AskOffsets, Following, LogEnd, Position, StartAt, TruncateTo
from barnabas.core.partition.leadership import Leadership, Proposal
from barnabas.core.partition.producers import ProducerError, ProducerStates
from barnabas.storage.errors import OffsetOutOfRange, StorageError
from barnabas.storage.log import Log
from barnabas.storage.log_config import LogConfig
from barnabas.storage.replica_state import replay_batch
from barnabas.wire.errors import Error
from barnabas.wire.records.batch import STAMP, BatchHeader, iterate_headers
from barnabas.wire.records.validation import AppendRules, InvalidBatch, validate

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.metadata.partition import Partition

    from .broker import Broker

    OnWritten = Callable[[Error, int], None]

LAG_MS = 1500
BACKOFF_MS = 100
RULES = AppendRules()
LENGTH_BEHIND = 12
Key = tuple[bytes, int]


class Answer(NamedTuple):
    """What a leader tells a follower or a consumer of one partition."""

    error: Error
    records: bytes = b""
    high_watermark: int = -1
    start_offset: int = 0
    diverging: tuple[int, int] | None = None

    @property
    def says_something(self) -> bool:
        return self.error is not Error.NONE or bool(self.records) or self.diverging is not None


class Replica:
    """`high_watermark` begins at the checkpoint's. `leading` or `following`, or neither while the metadata doesn't say."""

    def __init__(self, broker: Broker, topic: str, topic_id: bytes, index: int, path: str, config: LogConfig, *, clean: bool) -> None:
        self.broker = broker
        self.topic, self.topic_id, self.index = topic, topic_id, index
        self.producers, self.epochs = ProducerStates(), LeaderEpochs()
        key = (topic, index)
        self.log = Log.open(
            path,
            config,
            recovery_point=broker.files.recovery_points.get(key, 0),
            clean=clean,
            log_start_offset=broker.files.log_start_offsets.get(key, 0),
            producers=self.producers,
            epochs=self.epochs,
            now_ms=broker.now_ms,
            topic_id=topic_id,
        )
        self.high_watermark = min(broker.files.high_watermarks.get(key, 0), self.log.end_offset)
        self.leading: Leadership | None = None
        self.following: Following | None = None
        self.leader = -1
        self.partition_epoch = -1
        self._writes: list[tuple[int, OnWritten]] = []

    def __repr__(self) -> str:
        return f"{self.topic}-{self.index} on {self.broker.node.id}"

    @property
    def key(self) -> Key:
        return self.topic_id, self.index

    @property
    def end(self) -> LogEnd:
        return LogEnd(self.log.end_offset, self.epochs)

    # --- the metadata

    def follow_metadata(self, found: Partition) -> None:
        if found.partition_epoch <= self.partition_epoch:
            return
        self.partition_epoch = found.partition_epoch
        if found.leader == self.broker.node.id:
            self._lead(found)
        else:
            self._follow(found)

    def _lead(self, found: Partition) -> None:
        self.following, self.leader = None, self.broker.node.id
        if self.leading is None:
            self.leading = Leadership(self.leader, self.broker.min_isr, LAG_MS)
        if self.leading.lead(found, self.log.end_offset, self.broker.now_ms):
            self.log.flush_epochs(self.epochs.assign(found.leader_epoch, self.log.end_offset))
            self.broker.led(self, found.leader_epoch)
        self.advance()

    def _follow(self, found: Partition) -> None:
        if self.leading is not None:
            self.leading = None
            self._refuse_writes()
            self.broker.leads_no_longer(self)
        self.leader = found.leader
        if self.following is None or self.following.leader_epoch != found.leader_epoch:
            following = self.following = Following(found.leader_epoch, BACKOFF_MS)
            effect = following.begin(self.end, self.high_watermark)
            if effect is not None:
                self._cut(effect.offset)
                following.truncated(self.end)

    def retire(self) -> None:
        """It isn't a replica any more."""
        if self.leading is not None:
            self.leading = None
            self._refuse_writes()
            self.broker.leads_no_longer(self)
        self.following = None

    def _refuse_writes(self) -> None:
        writes, self._writes = self._writes, []
        for _, done in writes:
            done(Error.NOT_LEADER_OR_FOLLOWER, -1)

    # --- leading

    def produce(self, batch: bytes, leader_epoch: int, done: OnWritten) -> None:
        """acks=all: `done` when it is committed, or can't be."""
        leading = self.leading
        if leading is None:
            done(Error.NOT_LEADER_OR_FOLLOWER, -1)
        elif leading.is_under_min_isr:
            done(Error.NOT_ENOUGH_REPLICAS, -1)
        else:
            try:
                base_offset, end_offset = self.append(bytearray(batch))
            except (ProducerError, InvalidBatch) as refused:
                done(refused.error, -1)
            except StorageError as error:
                if error.offline:
                    raise
                done(Error.KAFKA_STORAGE_ERROR, -1)
            else:
                self.when_committed(end_offset, lambda error: done(error, base_offset))

    def produce_carelessly(self, batch: bytes) -> None:
        """acks=1."""
        try:
            self.append(bytearray(batch))
        except StorageError as error:
            if error.offline:
                raise

    def append(self, batch: bytearray) -> tuple[int, int]:
        """(base offset, end offset), also of what was appended earlier. Raises ProducerError, InvalidBatch, StorageError."""
        assert self.leading is not None
        valid = validate(memoryview(batch), RULES, self.broker.now_ms)
        buffer, size, _, count, _, max_timestamp, producer_id, producer_epoch, base_sequence, _ = valid
        if producer_id >= 0:
            known = self.producers.check(producer_id, producer_epoch, base_sequence, count, False)
            if known is not None:
                return known.base_offset, known.last_offset + 1
        return self.append_own(buffer, size, count, max_timestamp, (producer_id, producer_epoch, base_sequence))

    def append_own(
        self, buffer: bytearray | memoryview, size: int, count: int, max_timestamp: int, producer: tuple[int, int, int]
    ) -> tuple[int, int]:
        """A batch that needs no more checks, the coordinator's too."""
        assert self.leading is not None
        base_offset = self.log.end_offset
        last_offset = base_offset + count - 1
        epoch = self.leading.leader_epoch
        STAMP.pack_into(buffer, 0, base_offset, size - LENGTH_BEHIND, epoch)
        if producer[0] >= 0:
            self.producers.update(*producer, base_offset, last_offset, max_timestamp, False)
        try:
            self.log.append([(buffer, base_offset, last_offset, max_timestamp, size, epoch)], self.broker.now_ms)
        except StorageError as error:
            if not error.offline:
                self.log.reload_producers(self.broker.now_ms)
            raise
        self.broker.invariants.appended(self, base_offset, bytes(buffer))
        self.advance()
        self.broker.wake(self)
        return base_offset, last_offset + 1

    def when_committed(self, end_offset: int, done: Callable[[Error], None]) -> None:
        assert self.leading is not None
        self._writes.append((end_offset, lambda error, _: done(error)))
        self._answer_writes()

    def _answer_writes(self) -> None:
        if self.leading is None or not self._writes:
            return
        writes, self._writes = self._writes, []
        for end_offset, done in writes:
            outcome = self.leading.outcome_of_write(end_offset, self.high_watermark)
            if outcome is None:
                self._writes.append((end_offset, done))
            else:
                done(outcome, -1)

    def advance(self) -> None:
        """The leader's high watermark, and all that waits for it."""
        leading = self.leading
        assert leading is not None
        before = self.high_watermark
        self.high_watermark = leading.committed_to(before, self.log.end_offset, self.broker.now_ms, self.broker.brokers)
        self.broker.invariants.committed(self, before)
        if self.high_watermark > before:
            self._answer_writes()
            self.broker.wake(self)
            self.broker.high_watermark_moved(self)

    def fetched(self, follower_id: int, asked: Position, start_offset: int, follower_epoch: int) -> Answer:
        """A follower's fetch comes: note where it is, tell what is new."""
        refusal = self._refusal(asked.leader_epoch)
        if refusal is not None:
            return refusal
        end_offset = self.log.end_offset
        if asked.last_fetched_epoch >= 0:
            try:
                diverging = self.epochs.divergence(asked.offset, asked.last_fetched_epoch, end_offset)
            except LookupError:
                return Answer(Error.OFFSET_OUT_OF_RANGE)
            if diverging is not None:
                return Answer(Error.NONE, b"", self.high_watermark, self.log.start_offset, diverging)
        if not self.log.start_offset <= asked.offset <= end_offset:
            return Answer(Error.OFFSET_OUT_OF_RANGE)
        leading = self.leading
        assert leading is not None
        broker = self.broker
        if not leading.fetched(follower_id, asked.offset, start_offset, broker.now_ms, end_offset, follower_epoch, broker.brokers):
            return Answer(Error.NOT_LEADER_OR_FOLLOWER)
        self.propose(leading.proposal_to_add(follower_id, self.high_watermark, broker.epoch, broker.brokers))
        self.advance()
        return self.read_for_follower(asked)

    def read_for_follower(self, asked: Position) -> Answer:
        refusal = self._refusal(asked.leader_epoch)
        if refusal is not None:
            return refusal
        return Answer(Error.NONE, self._read(asked.offset, self.log.end_offset), self.high_watermark, self.log.start_offset)

    def read_for_consumer(self, offset: int, leader_epoch: int) -> Answer:
        refusal = self._refusal(leader_epoch)
        if refusal is not None:
            return refusal
        if not self.log.start_offset <= offset <= self.log.end_offset:
            return Answer(Error.OFFSET_OUT_OF_RANGE)
        return Answer(Error.NONE, self._read(offset, self.high_watermark), self.high_watermark, self.log.start_offset)

    def _refusal(self, leader_epoch: int) -> Answer | None:
        leading = self.leading
        if leading is None:
            return Answer(Error.NOT_LEADER_OR_FOLLOWER)
        if leader_epoch != leading.leader_epoch:
            return Answer(Error.FENCED_LEADER_EPOCH if leader_epoch < leading.leader_epoch else Error.UNKNOWN_LEADER_EPOCH)
        return None

    def _read(self, offset: int, upper: int) -> bytes:
        try:
            found = self.log.read(offset, self.broker.node.cluster.fetch_max_bytes, upper) if offset < upper else None
        except OffsetOutOfRange:
            found = None
        return b"" if found is None else os.pread(found.file.fileno(), found.size, found.position)

    def check_lag(self) -> None:
        if self.leading is not None:
            self.propose(self.leading.proposal_to_remove(self.log.end_offset, self.broker.now_ms, self.broker.epoch))
            self.advance()

    def propose(self, proposal: Proposal | None) -> None:
        if proposal is not None:
            self.broker.send_proposal(self, proposal)

    # --- following

    def position(self) -> Position | None:
        return None if self.following is None or self.leader < 0 else self.following.position(self.broker.now_ms)

    def receive(self, asked: Position, answer: Answer) -> None:
        following = self.following
        if following is None:
            return
        effect = following.answered(asked, answer.error, answer.diverging, self.end, self.broker.now_ms)
        if isinstance(effect, Append):
            self._append_fetched(following, answer)
        elif isinstance(effect, TruncateTo | StartAt):
            self._obey(following, effect)
        elif isinstance(effect, AskOffsets):
            self.broker.ask_offsets(self, following, asked.leader_epoch)

    def _append_fetched(self, following: Following, answer: Answer) -> None:
        data = memoryview(answer.records)
        batches: list[tuple[BatchHeader, memoryview]] = [(header, data[at : at + header.size]) for at, header in iterate_headers(data)]
        batches = [found for found in batches if found[0].base_offset >= self.log.end_offset]
        if batches:
            rows = [
                (batch, header.base_offset, header.last_offset, header.max_timestamp, header.size, header.leader_epoch) for header, batch in batches
            ]
            try:
                self.log.append(rows, self.broker.now_ms)
            except StorageError as error:
                if error.offline:
                    raise
                following.pause(self.broker.now_ms)
                return
            for header, batch in batches:
                replay_batch(self.producers, header, batch)
                self.broker.invariants.appended(self, header.base_offset, bytes(batch))
        following.appended(self.end)
        before, self.high_watermark = self.high_watermark, max(self.high_watermark, min(answer.high_watermark, self.log.end_offset))
        self.broker.invariants.learned(self, before)

    def learned(self, following: Following, latest: int, earliest: int) -> None:
        if following is self.following:
            effect = following.learned(latest, earliest, self.end)
            if effect is not None:
                self._obey(following, effect)

    def _obey(self, following: Following, effect: TruncateTo | StartAt) -> None:
        if isinstance(effect, TruncateTo):
            self._cut(effect.offset)
        else:
            self.log.truncate_fully(effect.offset, self.broker.now_ms)
            self.high_watermark = effect.offset
            self.broker.write_checkpoints()
        following.truncated(self.end)

    def _cut(self, offset: int) -> None:
        self.broker.invariants.truncates(self, offset)
        self.log.truncate_to(offset, self.broker.now_ms)
        self.high_watermark = min(self.high_watermark, self.log.end_offset)
        self.broker.write_checkpoints()  # before anything is written where the old recovery point says that all is synced (D79)
