"""Records on their way to the log, and the answers that wait for them (G8, G9, G11).

Owns the batch that is being filled, the replies parked until it commits, and what happens when an append fails: state goes back to
what was appended before, and everything in the batch is refused. Knows the log only as something to append to. Several operations
share one batch, as in Apache's coordinator runtime: a batch is written whole or not at all, so each operation is atomic.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.core.groups.records import GroupLogRecord
    from barnabas.core.timeline import SnapshotRegistry
    from barnabas.wire.schema import Struct

RECORD_OVERHEAD_BYTES = 21  # the most that a record takes beside its key and value
BATCH_OVERHEAD_BYTES = 61

LogRecord = tuple[int, bytes, "bytes | None"]  # timestamp in ms, key, value


class AppendFailed(Exception):
    """The log refused a batch; nothing of it was written."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.name)
        self.error = error


class CoordinatorLog(Protocol):
    """The partition that a shard writes to."""

    def append(self, records: Sequence[LogRecord]) -> int:
        """Append one batch; the offset after it. Raises AppendFailed. Must not call back into the shard."""

    def committed_offset(self) -> int:
        """The high watermark."""


class Waiter:
    """A request that waits for an answer; the first answer counts. `token` is the host's."""

    __slots__ = ("answered", "token")

    def __init__(self, token: object) -> None:
        self.token = token
        self.answered = False


class Write:
    """One operation: its records, and who is told what when they are committed or refused.

    `response` answers the waiter after the commit, `refuse(error)` makes the answer for a failure, `done(error)` is called in both cases
    (Error.NONE for a commit). With `replay` False the records describe soft state that has changed already.
    """

    __slots__ = ("atomic", "deadline_ms", "done", "finished", "records", "refuse", "replay", "response", "waiter")

    def __init__(
        self,
        records: Sequence[GroupLogRecord],
        *,
        waiter: Waiter | None = None,
        response: Struct | None = None,
        refuse: Callable[[Error], Struct] | None = None,
        done: Callable[[Error], None] | None = None,
        replay: bool = True,
        atomic: bool = True,
    ) -> None:
        self.records = records
        self.waiter = waiter
        self.response = response
        self.refuse = refuse
        self.done = done
        self.replay = replay
        self.atomic = atomic
        self.deadline_ms = 0
        self.finished = False


class Writes:
    """The writes of one shard. `written` is the log's end as far as it was appended from here, `committed` its high watermark."""

    __slots__ = (
        "_batch",
        "_batch_bytes",
        "_batch_writes",
        "_log",
        "_max_bytes",
        "_replay",
        "_reply",
        "_snapshots",
        "_timeout_ms",
        "_waiting",
        "committed",
        "out_of_step",
        "written",
    )

    def __init__(
        self,
        log: CoordinatorLog,
        snapshots: SnapshotRegistry,
        replay: Callable[[GroupLogRecord, int], None],
        reply: Callable[[Waiter, Struct], None],
        *,
        max_bytes: int,
        timeout_ms: int,
    ) -> None:
        self._log = log
        self._snapshots = snapshots
        self._replay = replay
        self._reply = reply
        self._max_bytes = max_bytes
        self._timeout_ms = timeout_ms
        self._batch: list[LogRecord] = []
        self._batch_bytes = BATCH_OVERHEAD_BYTES
        self._batch_writes: list[Write] = []
        self._waiting: deque[tuple[int, list[Write]]] = deque()
        self.written = 0
        self.committed = 0
        self.out_of_step = False  # somebody else wrote to the partition: the shard must be loaded anew

    def start(self, end_offset: int, committed: int) -> None:
        """The log has been loaded up to `end_offset`. Readers see what `load_uncommitted` kept, if it was called, until the rest commits."""
        self.written = end_offset
        self.committed = committed
        self._snapshots.take(end_offset)
        self._forget_before_commit()

    def load_uncommitted(self, offset: int) -> None:
        """What is loaded from `offset` on isn't committed yet."""
        self._snapshots.take(offset)

    @property
    def readable(self) -> int:
        """The offset of the snapshot that a read of committed state uses."""
        return self._snapshots.offsets[0]

    @property
    def has_batch(self) -> bool:
        return bool(self._batch)

    def submit(self, write: Write, now_ms: int) -> None:
        """Replay the records and put them into the batch; the answer comes when they have committed."""
        write.deadline_ms = now_ms + self._timeout_ms
        if not write.records:
            if self._batch:
                self._batch_writes.append(write)
            elif self.committed < self.written:
                self._waiting.append((self.written, [write]))
            else:
                self._finish(write, Error.NONE)
            return
        encoded = [record.encode() for record in write.records]
        sizes = [_size(key, value) for key, value in encoded]
        if write.atomic and self._batch and self._batch_bytes + sum(sizes) > self._max_bytes and (error := self.flush()):
            self._finish(write, error)
            return
        for record, (key, value), size in zip(write.records, encoded, sizes, strict=True):
            if not write.atomic and self._batch and self._batch_bytes + size > self._max_bytes and (error := self.flush()):
                self._finish(write, error)
                return
            if write.replay:
                self._replay(record, self.written + len(self._batch))
            self._batch.append((now_ms, key, value))
            self._batch_bytes += size
        self._batch_writes.append(write)
        if self._batch_bytes > self._max_bytes:
            self.flush()

    def flush(self) -> Error:
        """Append the batch. To be called when no more work is at hand. If the log refuses, all of it is undone; the log's error, or NONE."""
        if not self._batch:
            return Error.NONE
        batch, writes = self._batch, self._batch_writes
        self._batch, self._batch_writes, self._batch_bytes = [], [], BATCH_OVERHEAD_BYTES
        expected = self.written + len(batch)
        try:
            end_offset = self._log.append(batch)
        except AppendFailed as failure:
            self._snapshots.revert_to(self.written)
            for write in writes:
                self._finish(write, failure.error)
            return failure.error
        self.written = end_offset
        self._snapshots.take(end_offset)
        self._waiting.append((end_offset, writes))
        if end_offset != expected:
            self.out_of_step = True  # the host unloads the shard: what waits is refused then, although it may count
            return Error.NOT_COORDINATOR
        self.advance(self._log.committed_offset())
        return Error.NONE

    def advance(self, committed: int) -> None:
        """The high watermark has risen: answer what was waiting for it."""
        if committed <= self.committed:
            return
        self.committed = committed
        waiting = self._waiting
        while waiting and waiting[0][0] <= committed:
            for write in waiting.popleft()[1]:
                self._finish(write, Error.NONE)
        self._forget_before_commit()

    def _forget_before_commit(self) -> None:
        """Readers see the last state that is committed."""
        offsets = self._snapshots.offsets
        kept = offsets[0]
        for offset in offsets:
            if offset > self.committed:
                break
            kept = offset
        self._snapshots.delete_up_to(kept)

    def expire(self, now_ms: int) -> None:
        """Refuse what has waited too long for its commit. The records stay: they may still commit."""
        for _, writes in self._waiting:
            if writes and writes[0].deadline_ms > now_ms:
                return
            for write in writes:
                if write.deadline_ms <= now_ms:
                    self._finish(write, Error.REQUEST_TIMED_OUT)

    def shift(self, by_ms: int) -> None:
        """The clock has been set: what waits may wait as long as before."""
        for write in [write for _, writes in self._waiting for write in writes] + self._batch_writes:
            write.deadline_ms += by_ms

    def next_deadline_ms(self) -> int | None:
        for _, writes in self._waiting:
            for write in writes:
                if not write.finished:
                    return write.deadline_ms
        return None

    def fail(self, error: Error) -> None:
        """The partition is lost: refuse everything."""
        waiting = [write for _, writes in self._waiting for write in writes] + self._batch_writes
        self._waiting.clear()
        self._batch, self._batch_writes, self._batch_bytes = [], [], BATCH_OVERHEAD_BYTES
        for write in waiting:
            self._finish(write, error)

    def _finish(self, write: Write, error: Error) -> None:
        if write.finished:
            return
        write.finished = True
        if write.done is not None:
            write.done(error)
        if write.waiter is None:
            return
        if error is Error.NONE:
            assert write.response is not None
            self._reply(write.waiter, write.response)
        elif write.refuse is not None:
            self._reply(write.waiter, write.refuse(error))


_CLIENT_ERRORS = {
    Error.UNKNOWN_TOPIC_OR_PARTITION: Error.COORDINATOR_NOT_AVAILABLE,
    Error.NOT_ENOUGH_REPLICAS: Error.COORDINATOR_NOT_AVAILABLE,
    Error.REQUEST_TIMED_OUT: Error.COORDINATOR_NOT_AVAILABLE,
    Error.NOT_LEADER_OR_FOLLOWER: Error.NOT_COORDINATOR,
    Error.KAFKA_STORAGE_ERROR: Error.NOT_COORDINATOR,
    Error.MESSAGE_TOO_LARGE: Error.UNKNOWN_SERVER_ERROR,
    Error.RECORD_LIST_TOO_LARGE: Error.UNKNOWN_SERVER_ERROR,
    Error.INVALID_FETCH_SIZE: Error.UNKNOWN_SERVER_ERROR,
    Error.NETWORK_EXCEPTION: Error.COORDINATOR_LOAD_IN_PROGRESS,
}


def client_error(error: Error) -> Error:
    """What a group's client is told when its records couldn't be written."""
    return _CLIENT_ERRORS.get(error, error)


def _size(key: bytes, value: bytes | None) -> int:
    return RECORD_OVERHEAD_BYTES + len(key) + (0 if value is None else len(value))
