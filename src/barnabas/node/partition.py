"""One replica of a partition: its log, its producers, its high watermark, and who waits for it.

Owns the lock under which offsets are given out. Appending has two steps, so that requests that arrive together share one write: `append` gives a batch its
offset and puts it into the current WriteGroup; `write` writes the group. An answer may go out only after its group was written. Reads take no lock.

A partition that this node leads and that has no other replica needs nothing more: everything that is written is committed, the high watermark is the log's
end (R20). With other replicas `leading` knows how far they are. While another node leads, `leader_epoch` is -1, and the log grows by what
`replication.following` brings.
"""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from barnabas.core.partition.producers import ProducerError
from barnabas.node.write_group import WriteGroup, take_back
from barnabas.wire.errors import Error
from barnabas.wire.records.batch import STAMP
from barnabas.wire.records.validation import InvalidBatch, validate

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.fetch_sessions import PartitionKey
    from barnabas.core.metadata.partition import Partition as Registration
    from barnabas.core.partition.epochs import LeaderEpochs
    from barnabas.core.partition.leadership import Outcome, Proposal
    from barnabas.core.partition.producers import ProducerStates
    from barnabas.node.replication.follower_fetch import FollowerWatch
    from barnabas.node.replication.leading import Cluster, Commit, Leading
    from barnabas.storage.errors import StorageError
    from barnabas.storage.log import Log, Slice
    from barnabas.wire.records.validation import AppendRules

READ_COMMITTED = 1
_LENGTH_BEHIND = 12
_TRANSACTIONAL = 0x10
ALL = -1
"""As acks: every replica that is in sync has it."""


class Partition:
    """`waiters` are called (and forgotten) when the high watermark moves. `retired`: deleted or no longer led; look it up anew."""

    __slots__ = (
        "directory_id",
        "epochs",
        "followed_epoch",
        "group",
        "high_watermark",
        "index",
        "leader_epoch",
        "leading",
        "lock",
        "log",
        "min_isr",
        "next_offset",
        "on_storage_error",
        "producers",
        "retired",
        "rules",
        "throttled_as_follower",
        "throttled_as_leader",
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
        self.followed_epoch = -1  # while somebody else leads
        self.leading: Leading | None = None
        self.min_isr = 1
        self.throttled_as_leader = self.throttled_as_follower = False  # the topic's lists name it
        self.retired = False
        self.waiters: dict[object, Callable[[], object]] = {}

    def __repr__(self) -> str:
        return f"<{self.topic}-{self.index}>"

    # Who leads

    def lead(self, leader_epoch: int) -> None:
        """Become leader in `leader_epoch`, having the only replica: the epoch starts at the log's end, before any write (D74). Raises StorageError."""
        with self.lock:
            woken = self._write_pending()
            if leader_epoch > self.leader_epoch:
                self._begin(leader_epoch)
            if self.leading is not None:
                woken += self.leading.end()
                self.leading = None
            if self.high_watermark < self.log.end_offset:
                self.high_watermark = self.log.end_offset
                woken += self._take_waiters()
        _call(woken)

    def lead_replicas(self, registration: Registration, cluster: Cluster) -> None:
        """Become leader, or go on being it, of several replicas. Raises StorageError."""
        from barnabas.node.replication.leading import Leading

        with self.lock:
            woken = self._write_pending()
            leading = self.leading or Leading(self, cluster, self.min_isr)
            if registration.leader_epoch > self.leader_epoch:
                self._begin(registration.leader_epoch)
            self.leading = leading
            woken += leading.lead(registration)[1]
        _call(woken)

    def _begin(self, leader_epoch: int) -> None:
        end_offset = self.next_offset = self.log.end_offset
        self.log.flush_epochs(self.epochs.assign(leader_epoch, end_offset))
        self.leader_epoch = leader_epoch
        self.followed_epoch = -1

    def follow(self, leader_epoch: int) -> bool:
        """Another node leads, or none does. Whether that is news: a new leader epoch."""
        with self.lock:
            if leader_epoch <= max(self.followed_epoch, self.leader_epoch):
                return False
            woken = self._write_pending()
            self.followed_epoch, self.leader_epoch = leader_epoch, -1
            if self.leading is not None:
                woken += self.leading.end()
                self.leading = None
            woken += self._take_waiters()
        _call(woken)
        return True

    def _write_pending(self) -> list[Callable[[], object]]:
        """What has an offset under the present leadership is written under it. Under the lock."""
        group = self.group
        if group is None:
            return []
        failure, woken = self._write(group)
        if failure is not None:
            woken.append(partial(self.on_storage_error, self, failure))
        return woken

    def _take_waiters(self) -> list[Callable[[], object]]:
        waiters, self.waiters = self.waiters, {}
        return list(waiters.values())

    # Appending

    def append(self, records: memoryview, now_ms: int, commit: Commit | None = None) -> tuple[int, int, WriteGroup | None]:
        """Give a producer's batch its offset: (base offset, append time in ms or -1, the group to `write` before answering).

        `commit` is for acks ALL: when other replicas are to be waited for it is placed, and settled later. Raises InvalidBatch or ProducerError; nothing
        changes then.
        """
        if commit is not None and self.leading is not None:
            self.leading.require_in_sync()
        valid = validate(records, self.rules, now_ms)
        buffer, size, attributes, count, _, max_timestamp, producer_id, producer_epoch, base_sequence, append_time_ms = valid
        with self.lock:
            if self.retired or self.leader_epoch < 0:
                raise InvalidBatch(Error.NOT_LEADER_OR_FOLLOWER, f"{self!r} isn't led here")
            if producer_id >= 0:
                known = self.producers.check(producer_id, producer_epoch, base_sequence, count, bool(attributes & _TRANSACTIONAL))
                if known is not None:  # a retry of something that was appended: answered as the first time
                    if commit is not None and self.leading is not None:
                        self._await(self.leading, commit, known.base_offset, known.last_offset, known.timestamp)
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
            if commit is not None and self.leading is not None:
                self._await(self.leading, commit, base_offset, last_offset, append_time_ms)
        return base_offset, append_time_ms, group

    def _await(self, leading: Leading, commit: Commit, base_offset: int, last_offset: int, append_time_ms: int) -> None:
        commit.place(base_offset, append_time_ms)
        for settle in leading.await_commit(last_offset + 1, commit):
            settle()  # it only notes that its reply is known

    def append_own(self, batch: bytearray | memoryview, count: int, max_timestamp: int) -> int:
        """Append and write a batch that a coordinator of this node made; its base offset.

        Raises StorageError, InvalidBatch (not led here, or too few replicas are in sync).
        """
        with self.lock:
            if self.leading is not None:
                self.leading.require_in_sync()
            if self.retired or self.leader_epoch < 0:
                raise InvalidBatch(Error.NOT_LEADER_OR_FOLLOWER, f"{self!r} isn't led here")
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
        with self.lock:
            if group.is_written:
                return
            failure, woken = self._write(group)
        if failure is not None:  # without the lock: giving up the disk takes it
            self.on_storage_error(self, failure)
        for wake in woken:
            wake()

    def _write(self, group: WriteGroup) -> tuple[StorageError | None, list[Callable[[], object]]]:
        """Under the lock: what went wrong, and who is to be woken."""
        failure: StorageError | None = None
        woken: list[Callable[[], object]] = []
        self.group = None
        group.error = Error.KAFKA_STORAGE_ERROR  # until it is written: whatever ends this early, nobody takes it for an acknowledgement
        try:
            self.log.append(group.batches)
            group.error = None
        except Exception as error:
            failure = take_back(self, error)
            if self.leading is not None:
                woken = self.leading.refuse_from(self.log.end_offset, Error.KAFKA_STORAGE_ERROR)
        else:
            if self.leading is None:
                self.high_watermark = self.log.end_offset
                if self.waiters:
                    woken = self._take_waiters()
            else:
                woken = self.leading.written()
        finally:
            group.batches = []
            group.is_written = True  # last: those who see it don't take the lock
        return failure, woken

    def take_over(self, future: Partition, prepare: Callable[[], bool]) -> bool:
        """Go on with the log of a replica in another directory, if `prepare`, called while nobody writes, says that it may be. Raises StorageError."""
        woken: list[Callable[[], object]] = []
        try:
            with self.lock:
                woken = self._write_pending()
                done = not self.retired and prepare()
                if done:
                    self.log, self.producers, self.epochs, self.directory_id = future.log, future.producers, future.epochs, future.directory_id
        finally:
            _call(woken)
        return done

    # Other replicas

    def forget_settled(self) -> None:
        with self.lock:
            if self.leading is not None:
                self.leading.forget_settled()

    def has_follower(self, replica: int) -> bool:
        leading = self.leading
        return leading is not None and replica in leading.state.followers

    def fetched_by(
        self,
        replica: int,
        broker_epoch: int,
        offset: int,
        start_offset: int,
        watch: FollowerWatch | None = None,
        key: PartitionKey = ("", -1),
    ) -> bool:
        """A follower asks for records from `offset` on, and has those before. Whether it is one. What is new from here on is noted as `key` in `watch`.

        Where the watch's session is over the follower may have asked for more by another one already: nothing is noted then.
        """
        leading = self.leading
        if leading is None:
            return False
        with self.lock:
            if watch is not None and watch.is_closed:
                return replica in leading.state.followers
            known, woken = leading.fetched(replica, broker_epoch, offset, start_offset)
            if known and watch is not None:
                leading.watches[replica] = (watch, key)
        _call(woken)
        return known

    def await_low_watermark(self, offset: int, call: Callable[[int, Error], object]) -> None:
        """Have `call(low watermark, error)` called once all replicas that live begin at `offset` or behind it."""
        with self.lock:
            if self.leading is None:
                woken: list[Callable[[], object]] = [partial(call, -1, Error.NOT_LEADER_OR_FOLLOWER)]
            else:
                woken = self.leading.await_low_watermark(offset, call)
        _call(woken)

    def start_moved(self) -> None:
        """The log begins later now: followers are to learn of it."""
        with self.lock:
            if self.leading is not None:
                self.leading.note_records()

    def is_proposing(self, proposal: Proposal) -> bool:
        leading = self.leading
        return leading is not None and leading.state.is_proposing(proposal)

    def isr_answered(self, proposal: Proposal, outcome: Outcome) -> bool:
        """The controller's answer to a proposal. Whether to send it again."""
        leading = self.leading
        if leading is None:
            return False
        with self.lock:
            again, woken = leading.answered(proposal, outcome)
        _call(woken)
        return again

    def tend_replicas(self, *, brokers_changed: bool = False) -> None:
        """Look who is late, or, when brokers came and went, who may join."""
        leading = self.leading
        if leading is None:
            return
        with self.lock:
            woken = leading.brokers_changed() if brokers_changed else leading.shrink()
        _call(woken)

    def set_min_isr(self, min_isr: int) -> None:
        """min.insync.replicas may be another one now."""
        self.min_isr = min_isr
        leading = self.leading
        if leading is None or leading.state.min_isr == min_isr:
            return
        with self.lock:
            leading.state.min_isr = min_isr
            woken = leading.advance()
        _call(woken)

    def is_below_its_epoch(self) -> bool:
        """A new leader doesn't know yet what its epoch begins with for readers: the high watermark has to come there first (R22)."""
        leading = self.leading
        return leading is not None and self.high_watermark < leading.state.epoch_start_offset

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

    def read_all(self, offset: int, max_bytes: int, *, min_one: bool) -> Slice | None:
        """What a follower may see: everything up to the log's end."""
        return self.log.read(offset, max_bytes, self.log.end_offset, min_one)

    def aborted_transactions(self, offset: int, found: Slice) -> list[tuple[int, int]]:
        """(producer id, first offset) of each aborted transaction that touches a slice read from `offset` on (R31)."""
        return [(aborted.producer_id, aborted.first_offset) for aborted in self.log.aborted_in(offset, found)]

    def check_epoch(self, epoch: int, *, any_replica: bool = False) -> Error:
        """Whether a client's idea of the leader epoch is this one (-1: it has none). With `any_replica` a follower serves too."""
        own = self.leader_epoch
        if own < 0 and any_replica:
            own = self.followed_epoch
        if self.retired or own < 0:
            return Error.NOT_LEADER_OR_FOLLOWER
        if epoch < 0 or epoch == own:
            return Error.NONE
        return Error.FENCED_LEADER_EPOCH if epoch < own else Error.UNKNOWN_LEADER_EPOCH

    def nearest_replica(self, offset: int, rack: str) -> int | None:
        """The follower that a consumer in `rack` had better read from; None when that is this leader."""
        leading = self.leading
        return None if leading is None else leading.nearest_replica(offset, rack)

    def add_waiter(self, waiter: object, call: Callable[[], object]) -> None:
        """Have `call` called once when the high watermark moves, or the partition retires."""
        if waiter not in self.waiters:
            with self.lock:
                self.waiters[waiter] = call

    def add_end_waiter(self, waiter: object, call: Callable[[], object]) -> None:
        """Have `call` called once when the log grows: for followers."""
        with self.lock:
            if self.leading is not None:
                self.leading.end_waiters[waiter] = call

    def remove_waiter(self, waiter: object) -> None:
        with self.lock:
            self.waiters.pop(waiter, None)
            if self.leading is not None:
                self.leading.end_waiters.pop(waiter, None)

    def retire(self) -> None:
        """Take no more appends; whoever waits is told."""
        with self.lock:
            self.retired = True
            woken = self._take_waiters()
            if self.leading is not None:
                woken += self.leading.end()
        _call(woken)


def _call(woken: list[Callable[[], object]]) -> None:
    for wake in woken:
        wake()


__all__ = ["READ_COMMITTED", "InvalidBatch", "Partition", "ProducerError", "WriteGroup"]
