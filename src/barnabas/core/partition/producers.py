"""The idempotent and transactional producers of one partition (G40, G44, G45, D63-D70). KIP-98, KIP-360, KIP-890.

Owns which batch may follow which, which is a retry, which transactions are open, and the last stable offset that follows. Doesn't own the snapshot files
(`storage.producer_snapshot`) nor the aborted-transaction index. Sequences count 0 ... 2^31-1 and wrap to 0.

`check` judges a client's batch and changes nothing; `update` notes a batch that is in the log, whoever wrote it: a leader after `check`, a follower or a
recovery without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NONE = -1
LAST_SEQUENCE = 0x7FFFFFFF
REMEMBERED_BATCHES = 5
_MAX_EPOCH = 0x7FFF


class ProducerError(Exception):
    """A batch or marker that must not be appended; `error` is what the producer is told."""

    def __init__(self, error: Error, message: str) -> None:
        super().__init__(message)
        self.error = error


class Duplicate(NamedTuple):
    """A batch that was appended earlier, as it stands in the log; `timestamp` goes into the reply's append time."""

    base_offset: int
    last_offset: int
    timestamp: int


class ProducerEntry(NamedTuple):
    """One producer as a snapshot keeps it, in the order of the file. `first_offset` is its open transaction's, -1 without one."""

    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp: int
    coordinator_epoch: int
    first_offset: int


class Completed(NamedTuple):
    """A transaction that a marker ended. `last_stable_offset` is what the aborted-transaction index wants (D60)."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


class Verification:
    """The guard of a transaction that the coordinator is asked about (G42): only the append that carries this very object may start it."""

    __slots__ = ("epoch", "lowest_sequence", "started_ms", "supports_epoch_bump")

    def __init__(self, sequence: int, epoch: int, supports_epoch_bump: bool, now_ms: int) -> None:
        self.lowest_sequence = sequence
        self.epoch = epoch
        self.supports_epoch_bump = supports_epoch_bump
        self.started_ms = now_ms


class _Producer:
    __slots__ = ("batches", "coordinator_epoch", "epoch", "first_offset", "next_sequence", "timestamp")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.next_sequence = 0
        self.coordinator_epoch = NONE
        self.timestamp = NONE
        self.first_offset = NONE
        self.batches: list[tuple[int, int, int, int]] = []  # (last sequence, last offset, offset delta, timestamp), oldest first

    def enter(self, epoch: int) -> None:
        if epoch != self.epoch:
            self.epoch = epoch
            self.batches = []
            self.next_sequence = 0


class ProducerStates:
    """All producers that this partition remembers. The caller holds the partition's lock, except for the two offsets."""

    __slots__ = ("_completed", "_first_open", "_open", "_producers", "_verifications", "expiration_ms")

    def __init__(self, expiration_ms: int = 24 * 3600 * 1000) -> None:
        self.expiration_ms = expiration_ms
        """After so long without a batch a producer is forgotten."""
        self._producers: dict[int, _Producer] = {}
        self._open: dict[int, int] = {}  # first offset -> producer id
        self._first_open: int | None = None
        self._completed: list[tuple[int, int]] = []  # (first offset, marker's offset), not yet below the high watermark
        self._verifications: dict[int, Verification] = {}

    def __len__(self) -> int:
        return len(self._producers)

    # Appending data

    def check(self, producer_id: int, epoch: int, base_sequence: int, count: int, transactional: bool) -> Duplicate | None:
        """May a client append this batch? None: yes. A Duplicate: it did before. Raises ProducerError."""
        producer = self._producers.get(producer_id)
        if producer is None or producer.epoch == NONE:
            if self._verifications:
                self._check_verification(producer_id, base_sequence, known=False)
            return None
        if (
            epoch == producer.epoch
            and base_sequence == producer.next_sequence
            and (transactional or producer.first_offset < 0)
            and not self._verifications
        ):
            return None
        return self._judge(producer, producer_id, epoch, base_sequence, count, transactional)

    def _judge(self, producer: _Producer, producer_id: int, epoch: int, base_sequence: int, count: int, transactional: bool) -> Duplicate | None:
        if epoch == producer.epoch:
            last_sequence = (base_sequence + count - 1) & LAST_SEQUENCE
            for sequence, last_offset, delta, timestamp in producer.batches:
                if sequence == last_sequence and delta == count - 1:
                    return Duplicate(last_offset - delta, last_offset, timestamp)
        if epoch < producer.epoch:
            raise ProducerError(Error.INVALID_PRODUCER_EPOCH, f"producer {producer_id} writes with epoch {epoch}, {producer.epoch} was seen")
        self._check_verification(producer_id, base_sequence, known=True)
        if epoch > producer.epoch:
            if base_sequence != 0:
                raise ProducerError(
                    Error.OUT_OF_ORDER_SEQUENCE_NUMBER,
                    f"producer {producer_id} begins epoch {epoch} with sequence {base_sequence}, 0 was expected (current epoch {producer.epoch})",
                )
        elif base_sequence != producer.next_sequence:
            raise ProducerError(
                Error.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"producer {producer_id} goes on with sequence {base_sequence}, {producer.next_sequence} was expected",
            )
        if producer.first_offset >= 0 and not transactional:
            raise ProducerError(Error.INVALID_TXN_STATE, f"producer {producer_id} has a transaction open since offset {producer.first_offset}")
        return None

    def update(
        self, producer_id: int, epoch: int, base_sequence: int, base_offset: int, last_offset: int, timestamp: int, transactional: bool
    ) -> None:
        """A batch of data is in the log (or has its place there). `timestamp` is the batch's greatest."""
        producer = self._producers.get(producer_id)
        if producer is None:
            producer = self._producers[producer_id] = _Producer(epoch)
        elif epoch != producer.epoch:
            producer.enter(epoch)
        delta = last_offset - base_offset
        sequence = (base_sequence + delta) & LAST_SEQUENCE if base_sequence >= 0 else NONE
        batches = producer.batches
        batches.append((sequence, last_offset, delta, timestamp))
        if len(batches) > REMEMBERED_BATCHES:
            del batches[0]
        producer.next_sequence = (sequence + 1) & LAST_SEQUENCE
        producer.timestamp = timestamp
        if transactional and producer.first_offset < 0:
            producer.first_offset = base_offset
            self._open[base_offset] = producer_id
            if self._first_open is None or base_offset < self._first_open:
                self._first_open = base_offset

    # Markers

    def check_marker(self, producer_id: int, epoch: int, coordinator_epoch: int, transaction_version: int) -> None:
        """May a coordinator end this producer's transaction (G40)? Raises ProducerError."""
        producer = self._producers.get(producer_id)
        if producer is None:
            return
        strict = transaction_version >= 2
        if epoch < producer.epoch or (strict and epoch == producer.epoch and producer.first_offset >= 0 and epoch != _MAX_EPOCH):
            raise ProducerError(Error.INVALID_PRODUCER_EPOCH, f"a marker for producer {producer_id} has epoch {epoch}, {producer.epoch} was seen")
        if coordinator_epoch < producer.coordinator_epoch:
            raise ProducerError(
                Error.TRANSACTION_COORDINATOR_FENCED,
                f"a marker for producer {producer_id} is of coordinator epoch {coordinator_epoch}, {producer.coordinator_epoch} was seen",
            )

    def end_transaction(self, producer_id: int, epoch: int, coordinator_epoch: int, offset: int, timestamp: int) -> Completed | None:
        """A marker is in the log at `offset`. The transaction that it ended, None when none was open."""
        producer = self._producers.get(producer_id)
        if producer is None:
            producer = self._producers[producer_id] = _Producer(epoch)
        first_offset = producer.first_offset
        producer.enter(epoch)
        producer.coordinator_epoch = coordinator_epoch
        producer.timestamp = timestamp
        producer.first_offset = NONE
        self._verifications.pop(producer_id, None)
        if first_offset < 0:
            return None
        self._open.pop(first_offset, None)
        self._first_open = min(self._open, default=None)
        self._completed.append((first_offset, offset))
        return Completed(producer_id, first_offset, offset, offset + 1 if self._first_open is None else self._first_open)

    def has_open_transaction(self, producer_id: int, epoch: int) -> bool:
        """Whether this producer, in this epoch, has a transaction open here."""
        producer = self._producers.get(producer_id)
        return producer is not None and producer.first_offset >= 0 and producer.epoch == epoch

    # Verification (transaction.version 1 clients, and the first batch of a transaction)

    def begin_verification(self, producer_id: int, base_sequence: int, epoch: int, supports_epoch_bump: bool, now_ms: int) -> Verification | None:
        """The guard to bring back with the append once the coordinator has agreed; None when the transaction is open already."""
        if self.has_open_transaction(producer_id, epoch):
            return None
        guard = self._verifications.get(producer_id)
        if guard is None:
            guard = self._verifications[producer_id] = Verification(base_sequence, epoch, supports_epoch_bump, now_ms)
        elif epoch > guard.epoch:
            guard.epoch, guard.lowest_sequence = epoch, base_sequence
        elif epoch == guard.epoch and base_sequence < guard.lowest_sequence:
            guard.lowest_sequence = base_sequence
        return guard

    def is_verified(self, producer_id: int, epoch: int, guard: Verification | None) -> bool:
        """Whether a transactional batch may be appended: its transaction is open, or `guard` is the one that was handed out and still stands."""
        return self.has_open_transaction(producer_id, epoch) or (guard is not None and self._verifications.get(producer_id) is guard)

    def end_verification(self, producer_id: int) -> None:
        """The first batch of the transaction is in the log: from here the open transaction speaks for itself."""
        self._verifications.pop(producer_id, None)

    def _check_verification(self, producer_id: int, base_sequence: int, *, known: bool) -> None:
        guard = self._verifications.get(producer_id)
        if guard is None:
            return
        if guard.supports_epoch_bump and base_sequence != 0 and not known:
            raise ProducerError(
                Error.OUT_OF_ORDER_SEQUENCE_NUMBER, f"producer {producer_id} is unknown here and begins with sequence {base_sequence}, 0 was expected"
            )
        if base_sequence > guard.lowest_sequence:
            raise ProducerError(
                Error.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"producer {producer_id} goes on with sequence {base_sequence}; {guard.lowest_sequence} waits before it",
            )

    # Offsets that readers ask for

    def first_open_offset(self) -> int | None:
        """Where the oldest open transaction begins."""
        return self._first_open

    def first_unstable_offset(self, high_watermark: int) -> int | None:
        """Where the oldest transaction begins that is open, or whose marker isn't below the high watermark: what bounds the last stable offset (G45)."""
        first = self._first_open
        completed = self._completed
        if completed:
            if any(marker < high_watermark for _, marker in completed):
                completed = self._completed = [entry for entry in completed if entry[1] >= high_watermark]
            for first_offset, _ in completed:
                if first is None or first_offset < first:
                    first = first_offset
        return first

    # Snapshots

    def entries(self, below: int | None = None) -> Iterator[ProducerEntry]:
        """Every producer, for a snapshot. With `below`, as things stood when the log ended at that offset, as far as the remembered batches tell."""
        for producer_id, producer in self._producers.items():
            batches, first_offset = producer.batches, producer.first_offset
            timestamp = producer.timestamp
            if below is not None and batches and batches[-1][1] >= below:
                batches = [batch for batch in batches if batch[1] < below]
                if not batches:
                    continue  # nothing is known of it from before: a scan from `below` on finds its batches
                timestamp = batches[-1][3]
                first_offset = first_offset if first_offset < below else NONE
            sequence, last_offset, delta, _ = batches[-1] if batches else (NONE, NONE, 0, NONE)
            yield ProducerEntry(producer_id, producer.epoch, sequence, last_offset, delta, timestamp, producer.coordinator_epoch, first_offset)

    def load(self, entries: Iterable[tuple[int, int, int, int, int, int, int, int]], now_ms: int) -> None:
        """Add the producers of a snapshot, without those that expired meanwhile."""
        for producer_id, epoch, sequence, last_offset, delta, timestamp, coordinator_epoch, first_offset in entries:
            if first_offset < 0 and now_ms - timestamp >= self.expiration_ms:
                continue
            producer = self._producers[producer_id] = _Producer(epoch)
            producer.coordinator_epoch = coordinator_epoch
            producer.timestamp = timestamp
            if last_offset >= 0:
                producer.batches.append((sequence, last_offset, delta, timestamp))
                producer.next_sequence = (sequence + 1) & LAST_SEQUENCE
            if first_offset >= 0:
                producer.first_offset = first_offset
                self._open[first_offset] = producer_id
        self._first_open = min(self._open, default=None)

    def clear(self) -> None:
        """Forget everything: the log is read anew."""
        self._producers.clear()
        self._open.clear()
        self._first_open = None
        self._completed = []

    def expire(self, now_ms: int) -> None:
        """Forget producers that are silent for too long and have nothing open (D69)."""
        limit = now_ms - self.expiration_ms
        for producer_id in [known for known, producer in self._producers.items() if producer.first_offset < 0 and producer.timestamp <= limit]:
            del self._producers[producer_id]
        for producer_id in [known for known, guard in self._verifications.items() if guard.started_ms <= limit]:
            del self._verifications[producer_id]
