"""One partition that this node leads: its log, its producers, its high watermark, and who waits for it.

Owns the lock under which offsets are given out. Appending has two steps, so that requests that arrive together share one write: `append` gives a batch its
offset and puts it into the current WriteGroup; `write` writes the group. An answer may go out only after its group was written. Reads take no lock.

With one replica everything that is written is committed: the high watermark is the log's end (R20).
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from barnabas.core.partition.producers import ProducerError
from barnabas.node.call import clock_ms
from barnabas.storage.errors import StorageError
from barnabas.wire.errors import Error
from barnabas.wire.records.batch import STAMP
from barnabas.wire.records.validation import InvalidBatch, validate

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.partition.epochs import LeaderEpochs
    from barnabas.core.partition.producers import ProducerStates
    from barnabas.storage.log import Log, Slice
    from barnabas.storage.segment import Appended
    from barnabas.wire.records.validation import AppendRules

READ_COMMITTED = 1
_LENGTH_BEHIND = 12
_TRANSACTIONAL = 0x10


class WriteGroup:
    """Batches with offsets that aren't written yet. `error` is set when writing them failed."""

    __slots__ = ("batches", "error", "is_written", "partition")

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.batches: list[Appended] = []
        self.is_written = False
        self.error: Error | None = None


class Partition:
    """`waiters` are called (and forgotten) when the high watermark moves. `retired`: deleted or no longer led; look it up anew."""

    __slots__ = (
        "directory_id",
        "epochs",
        "group",
        "high_watermark",
        "index",
        "leader_epoch",
        "lock",
        "log",
        "next_offset",
        "on_storage_error",
        "producers",
        "retired",
        "rules",
        "topic",
        "topic_id",
        "waiters",
    )

    def __init__(
        self,
        topic: str,
        index: int,
        topic_id: bytes,
        log: Log,
        producers: ProducerStates,
        epochs: LeaderEpochs,
        rules: AppendRules,
        directory_id: bytes,
        on_storage_error: Callable[[Partition, StorageError], object],
    ) -> None:
        self.topic = topic
        self.index = index
        self.topic_id = topic_id
        self.log = log
        self.producers = producers
        self.epochs = epochs
        self.rules = rules
        self.directory_id = directory_id
        self.on_storage_error = on_storage_error
        self.lock = Lock()
        self.group: WriteGroup | None = None
        self.next_offset = log.end_offset
        self.high_watermark = log.end_offset
        self.leader_epoch = -1
        self.retired = False
        self.waiters: dict[object, Callable[[], object]] = {}

    def __repr__(self) -> str:
        return f"<{self.topic}-{self.index}>"

    def lead(self, leader_epoch: int) -> None:
        """Become leader in `leader_epoch`: the epoch starts at the log's end, before any write (D74)."""
        with self.lock:
            if leader_epoch > self.leader_epoch:
                self.log.flush_epochs(self.epochs.assign(leader_epoch, self.log.end_offset))
                self.leader_epoch = leader_epoch

    # Appending

    def append(self, records: memoryview, now_ms: int) -> tuple[int, int, WriteGroup | None]:
        """Give a producer's batch its offset: (base offset, append time in ms or -1, the group to `write` before answering).

        Raises InvalidBatch or ProducerError; nothing changes then.
        """
        valid = validate(records, self.rules, now_ms)
        buffer, size, attributes, count, _, max_timestamp, producer_id, producer_epoch, base_sequence, append_time_ms = valid
        with self.lock:
            if self.retired or self.leader_epoch < 0:
                raise InvalidBatch(Error.NOT_LEADER_OR_FOLLOWER, f"{self!r} isn't led here")
            if producer_id >= 0:
                known = self.producers.check(producer_id, producer_epoch, base_sequence, count, bool(attributes & _TRANSACTIONAL))
                if known is not None:  # a retry of something that was appended: answered as the first time
                    return known.base_offset, known.timestamp, self.group
            base_offset = self.next_offset
            last_offset = base_offset + count - 1
            if producer_id >= 0:
                self.producers.update(
                    producer_id, producer_epoch, base_sequence, base_offset, last_offset, max_timestamp, bool(attributes & _TRANSACTIONAL)
                )
            STAMP.pack_into(buffer, 0, base_offset, size - _LENGTH_BEHIND, self.leader_epoch)
            group = self.group
            if group is None:
                group = self.group = WriteGroup(self)
            group.batches.append((buffer, base_offset, last_offset, max_timestamp, size, self.leader_epoch))
            self.next_offset = last_offset + 1
        return base_offset, append_time_ms, group

    def append_own(self, batch: bytearray | memoryview, count: int, max_timestamp: int) -> int:
        """Append and write a batch that a coordinator of this node made; its base offset. Raises StorageError, InvalidBatch (not led here)."""
        with self.lock:
            if self.retired or self.leader_epoch < 0:
                raise InvalidBatch(Error.NOT_COORDINATOR, f"{self!r} isn't led here")
            base_offset = self.next_offset
            last_offset = base_offset + count - 1
            STAMP.pack_into(batch, 0, base_offset, len(batch) - _LENGTH_BEHIND, self.leader_epoch)
            group = self.group
            if group is None:
                group = self.group = WriteGroup(self)
            group.batches.append((batch, base_offset, last_offset, max_timestamp, len(batch), self.leader_epoch))
            self.next_offset = last_offset + 1
        self.write(group)
        if group.error is not None:
            raise StorageError(self.log.directory, f"{self!r} can't be written")
        return base_offset

    def write(self, group: WriteGroup) -> None:
        """Write a group unless another thread has; on return it is written, or has an error."""
        if group.is_written:
            return
        failure: StorageError | None = None
        waiters: dict[object, Callable[[], object]] = {}
        with self.lock:
            if group.is_written:
                return
            self.group = None
            group.error = Error.KAFKA_STORAGE_ERROR  # until it is written: whatever ends this early, nobody takes it for an acknowledgement
            try:
                self.log.append(group.batches)
                group.error = None
            except Exception as error:
                failure = self._take_back(error)
            else:
                self.high_watermark = self.log.end_offset
                if self.waiters:
                    waiters, self.waiters = self.waiters, {}
            finally:
                group.batches = []
                group.is_written = True  # last: those who see it don't take the lock
        if failure is not None:  # without the lock: giving up the disk takes it
            self.on_storage_error(self, failure)
        for waiter in waiters.values():
            waiter()

    def _take_back(self, error: Exception) -> StorageError:
        """The log is as it was before the group; so must be offsets and producers, or their disk is given up."""
        self.next_offset = self.log.end_offset
        if isinstance(error, StorageError):
            failure = error
        elif isinstance(error, OSError):
            failure = StorageError.of(self.log.directory, "could not append", error)
        else:  # a broken invariant: nobody knows what the log has
            failure = StorageError(self.log.directory, f"could not append: {error!r}")
        if not failure.offline:
            try:
                self.log.reload_producers(clock_ms())
            except StorageError as worse:  # on a full disk they have been read again, only their snapshot isn't there
                if worse.offline:
                    failure = StorageError(self.log.directory, f"producers could not be read again after {error}: {worse}")
        return failure

    # Reading

    @property
    def last_stable_offset(self) -> int:
        """Below it every transaction is decided (G45)."""
        first_open = self.producers.first_open_offset()
        high_watermark = self.high_watermark
        return high_watermark if first_open is None or first_open > high_watermark else first_open

    def read(self, offset: int, max_bytes: int, *, committed: bool, min_one: bool) -> Slice | None:
        """What a consumer may see from `offset` on, at most `max_bytes` unless `min_one` and the first batch is larger."""
        upper = self.last_stable_offset if committed else self.high_watermark
        return self.log.read(offset, max_bytes, upper, min_one) if offset < upper else None

    def aborted_transactions(self, offset: int, found: Slice) -> list[tuple[int, int]]:
        """(producer id, first offset) of each aborted transaction that touches a slice read from `offset` on (R31)."""
        return [(aborted.producer_id, aborted.first_offset) for aborted in self.log.aborted_transactions(offset, self.log.read_end_of(found))]

    def check_epoch(self, epoch: int) -> Error:
        """Whether a client's idea of the leader epoch is this one (-1: it has none)."""
        if self.retired or self.leader_epoch < 0:
            return Error.NOT_LEADER_OR_FOLLOWER
        if epoch < 0 or epoch == self.leader_epoch:
            return Error.NONE
        return Error.FENCED_LEADER_EPOCH if epoch < self.leader_epoch else Error.UNKNOWN_LEADER_EPOCH

    def add_waiter(self, waiter: object, call: Callable[[], object]) -> None:
        """Have `call` called once when the high watermark moves, or the partition retires."""
        if waiter not in self.waiters:
            with self.lock:
                self.waiters[waiter] = call

    def remove_waiter(self, waiter: object) -> None:
        with self.lock:
            self.waiters.pop(waiter, None)

    def retire(self) -> None:
        """Take no more appends; whoever waits is told."""
        with self.lock:
            self.retired = True
            waiters, self.waiters = self.waiters, {}
        for waiter in waiters.values():
            waiter()


__all__ = ["READ_COMMITTED", "InvalidBatch", "Partition", "ProducerError", "WriteGroup"]
