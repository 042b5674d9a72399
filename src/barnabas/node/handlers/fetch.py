"""Fetch (1), versions 4-18. Needs Read on each topic.

5 has log start offsets, 7 sessions (KIP-227), 9 leader epochs (KIP-320), 11 racks (KIP-392), 12 tagged fields and divergence (KIP-595), 13 topic ids, 15 the
replica's state, 16 current leaders (KIP-951), 17 directories, 18 the follower's high watermark. As Apache Kafka: waits until min bytes are there, an error
shows, or max wait is over; the first partition with data gives at least one batch whatever the limits say. Records go from the file to the socket.

Consumers may read from any replica, up to its own high watermark; a leader names one in the consumer's rack where replica.selector.class asks for that
(KIP-392; R32). A follower is a reader that sees everything up to the log's end, and that acknowledges by its offset what it has (R4). Unlike with Apache
Kafka, its fetch doesn't wait for long when only the high watermark has moved (O19).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from barnabas.core.fetch_sessions import FINAL_EPOCH, INITIAL_EPOCH, FetchPartition, FetchSession
from barnabas.node.connection import KEEP_BUFFER, LARGE_REPLIES
from barnabas.node.current_leaders import NOBODY, CurrentLeaders
from barnabas.node.partition import READ_COMMITTED, Partition
from barnabas.storage.errors import OffsetOutOfRange, StorageError
from barnabas.storage.page_cache import is_old, is_resident, read_ahead
from barnabas.wire.errors import Error
from barnabas.wire.fetch_path import PartitionData, encode_fetch_response

if TYPE_CHECKING:
    from barnabas.core.fetch_sessions import PartitionKey, TopicKey
    from barnabas.node.call import Call
    from barnabas.node.loop import Timer
    from barnabas.node.replication.follower_fetch import FollowerWatch
    from barnabas.wire.messages.fetch import FetchRequest

_TOPIC_IDS = 13
_ANY_REPLICA = 11  # consumers that may be served by followers
_UNKNOWN = (Error.UNKNOWN_TOPIC_OR_PARTITION, Error.UNKNOWN_TOPIC_ID)
_MANY = 1000  # partitions of one fetch
_NEWS_MS = 20
_ERRORS_WITH_LEADER = (Error.NOT_LEADER_OR_FOLLOWER, Error.FENCED_LEADER_EPOCH)


def handle(request: FetchRequest, call: Call) -> None:
    by_id = call.version >= _TOPIC_IDS
    wanted = [
        FetchPartition(
            topic.topic_id if by_id else topic.topic,
            p.partition,
            p.fetch_offset,
            p.partition_max_bytes,
            p.current_leader_epoch,
            p.last_fetched_epoch,
            p.log_start_offset,
        )
        for topic in request.topics
        for p in topic.partitions
    ]
    request.topics = []  # it may wait for long, and they may be many
    node = call.node
    session: FetchSession | None = None
    full = request.session_epoch in (INITIAL_EPOCH, FINAL_EPOCH)
    with node.fetch_sessions_lock:
        if full:
            node.fetch_sessions.remove(request.session_id)
            if request.session_epoch == INITIAL_EPOCH and call.version >= 7:
                session = node.fetch_sessions.create(wanted, by_id, call.now_ms, is_privileged=_replica_of(request)[0] >= 0)
        else:
            used = node.fetch_sessions.use(request.session_id, request.session_epoch, by_id, call.now_ms)
            if isinstance(used, Error):
                _send(call, encode_fetch_response(call.version, call.correlation_id, used, 0, []))
                return
            forgotten = [(topic.topic_id if by_id else topic.topic, index) for topic in request.forgotten_topics_data for index in topic.partitions]
            node.fetch_sessions.update(used, wanted, forgotten)
            if used.partitions:
                session = used
                if session.watch is None:
                    wanted = list(used.partitions.values())
            else:
                full = True
    if session is not None and session.is_privileged:
        _start_follower(request, call, session, wanted, full)
    else:
        Fetch(request, call, session, wanted, incremental=not full).start()


def _start_follower(request: FetchRequest, call: Call, session: FetchSession, wanted: list[FetchPartition], full: bool) -> None:
    from barnabas.node.replication.follower_fetch import FollowerFetch, FollowerWatch

    if session.watch is None:
        session.watch = FollowerWatch()
    FollowerFetch(request, call, session, wanted, incremental=not full).start()


def _replica_of(request: FetchRequest) -> tuple[int, int]:
    """(broker id, broker epoch) of a follower; the id is -1 for a consumer, -2 for one that wants to see everything."""
    state = request.replica_state
    return (state.replica_id, state.replica_epoch) if state.replica_id != -1 else (request.replica_id, -1)


def _send(call: Call, pieces: list[bytes | tuple[object, int, int]]) -> None:
    connection = call.connection
    connection.out.extend(pieces)  # type: ignore[arg-type]
    connection.muted = False


class Fetch:
    """One request until it is answered; parked on its partitions while there is too little to send."""

    __slots__ = (
        "any_replica",
        "call",
        "committed",
        "counted",
        "expects_news",
        "incremental",
        "is_awake",
        "is_done",
        "is_looked_up",
        "is_noted",
        "leaders",
        "max_bytes",
        "min_bytes",
        "news_timer",
        "rack",
        "replica_epoch",
        "replica_id",
        "request",
        "session",
        "timer",
        "unknown",
        "wanted",
        "watch",
    )

    def __init__(self, request: FetchRequest, call: Call, session: FetchSession | None, wanted: list[FetchPartition], *, incremental: bool) -> None:
        self.request = request
        self.call = call
        self.session = session
        self.wanted = wanted
        self.incremental = incremental
        self.committed = request.isolation_level == READ_COMMITTED
        self.max_bytes = min(request.max_bytes, call.node.config.replication.fetch_max_bytes)
        self.min_bytes = min(request.min_bytes, self.max_bytes)
        self.replica_id, self.replica_epoch = _replica_of(request)
        is_consumer = self.replica_id == -1 and call.version >= _ANY_REPLICA
        self.any_replica = is_consumer
        self.rack = request.rack_id if is_consumer and call.node.config.replication.is_rack_aware else ""
        self.leaders: CurrentLeaders | None = None
        self.timer: Timer | None = None
        self.news_timer: Timer | None = None
        self.is_awake = False
        self.expects_news = False
        self.is_done = False
        self.watch: FollowerWatch | None = None  # where partitions note that they have news, for a follower's session
        self.counted: set[PartitionKey] = set()  # whose bytes count for the leader's throttle
        self.unknown: dict[PartitionKey, Error] = {}  # what wasn't there when a consumer asked
        self.is_looked_up = False
        self.is_noted = False  # what a follower acknowledges by its offsets

    def start(self) -> None:
        found, size, urgent = self._collect()
        self.is_noted = True
        if size >= self.min_bytes or urgent or self.request.max_wait_ms <= 0 or not self.wanted:
            if not size or self._in_memory(found):
                self._answer(found)
                self.call.connection.muted = False
            return
        if len(self.wanted) > _MANY and not self.call.node.park(len(self.wanted)):
            self._answer(found)
            self.call.connection.muted = False
            return
        connection = self.call.connection
        connection.waiting = self
        self.timer = connection.network.call_later(self.request.max_wait_ms, self._give_up)
        self._look()

    def wake(self) -> None:
        """The high watermark of one of the partitions moved. From any thread."""
        if not self.is_awake:
            self.is_awake = True
            self.call.connection.network.call(self._look)

    def wake_for_news(self) -> None:
        """A follower is to learn of the high watermark, with the next data if there are any soon. From any thread."""
        if not self.expects_news:
            self.expects_news = True
            self.call.connection.network.call(self._expect_news)

    def _expect_news(self) -> None:
        self.expects_news = True
        if self.news_timer is None and not self.is_done:
            self.news_timer = self.call.connection.network.call_later(_NEWS_MS, self._give_up)

    def _look(self) -> None:
        """Park first, look then: what is appended in between wakes this up again."""
        if self.is_done or self.call.connection.closed:
            return
        self.is_awake = False
        for partition in self._partitions():
            if self.replica_id >= 0:
                partition.add_end_waiter(self, self.wake)
                partition.add_waiter(self, self.wake_for_news)
            else:
                partition.add_waiter(self, self.wake)
        found, size, urgent = self._collect()
        if size >= self.min_bytes or urgent:
            self._finish(found)
        elif self.replica_id >= 0 and any(data.high_watermark != wanted.high_watermark for wanted, data in found):
            self._expect_news()

    def _partitions(self) -> list[Partition]:
        found = [self.call.node.partition_for_fetch(wanted.topic, wanted.index, any_replica=self.any_replica) for wanted in self.wanted]
        return [partition for partition in found if isinstance(partition, Partition)]

    def _give_up(self) -> None:
        if not self.is_done and not self.call.connection.closed:
            self._finish(self._collect()[0])

    def _finish(self, found: list[tuple[FetchPartition, PartitionData]]) -> None:
        self.call.connection.waiting = None
        self.drop()
        if self._in_memory(found):
            self._send(found)

    def _send(self, found: list[tuple[FetchPartition, PartitionData]]) -> None:
        if not self.call.connection.closed:
            self._answer(found)
            self.call.connection.unmute()

    def _in_memory(self, found: list[tuple[FetchPartition, PartitionData]]) -> bool:
        """Whether all records can be sent without waiting for a disk; if not, they are sent once the disk thread has fetched them."""
        cold = [data for _, data in found if data.size and data.is_old and not is_resident(data.file, data.position, data.size)]
        if cold:
            self.call.node.disk.loop.call(self._read_ahead, cold, found)
        return not cold

    def _read_ahead(self, cold: list[PartitionData], found: list[tuple[FetchPartition, PartitionData]]) -> None:
        """On the disk thread. What can't be read fails again in the send, which ends the connection."""
        with suppress(OSError):
            for data in cold:
                read_ahead(data.file, data.position, data.size)
        self.call.connection.network.call(self._send, found)

    def drop(self) -> None:
        """Wait no longer."""
        self.is_done = True
        if self.news_timer is not None:
            self.news_timer.cancel()
        if self.timer is not None:
            self.timer.cancel()
            if len(self.wanted) > _MANY:
                self.call.node.park(-len(self.wanted))
        for partition in self._partitions():
            partition.remove_waiter(self)

    def _collect(self) -> tuple[list[tuple[FetchPartition, PartitionData]], int, bool]:
        """Every partition's answer as of now; bytes of records in them; whether there is something that must not wait (an error, divergence).

        What wasn't there to begin with doesn't hurry the others, as with Apache Kafka: it would be asked for again at once. A follower's is an exception.
        """
        node, committed = self.call.node, self.committed
        left, total, urgent = self.max_bytes, 0, False
        is_first, unknown = not self.is_looked_up, self.unknown
        self.is_looked_up = True
        found = []
        for wanted in self.wanted:
            partition = (unknown and unknown.get(wanted.key)) or node.partition_for_fetch(wanted.topic, wanted.index, any_replica=self.any_replica)
            if isinstance(partition, Error):
                partition = self._of_topic_id(wanted, partition)
                if is_first and partition in _UNKNOWN and self.replica_id < 0:
                    unknown[wanted.key] = partition
                data = self._error(wanted, partition)
                urgent = urgent or wanted.key not in unknown
            else:
                wanted.name = partition.topic
                data = self._read(partition, wanted, left, min_one=total == 0, committed=committed)
                left -= data.size
                total += data.size
                urgent = urgent or data.error != 0 or data.diverging is not None or data.preferred >= 0
                urgent = urgent or (data.is_old and data.size > 0 and self._ends_with_its_segment(partition, data))
            found.append((wanted, data))
        urgent = urgent or len(unknown) == len(found) > 0
        return found, total, urgent

    def _of_topic_id(self, wanted: FetchPartition, error: Error) -> Error:
        """An id that was a topic's when it was asked for first is still told from one that never was."""
        if isinstance(wanted.topic, str):
            return error
        if error != Error.UNKNOWN_TOPIC_ID:
            known = self.call.node.image.topics.by_id.get(wanted.topic)
            wanted.name = known.name if known is not None else wanted.name
        elif wanted.name:
            others = self.call.node.partition_by_name(wanted.name, wanted.index, any_replica=self.any_replica)
            return Error.UNKNOWN_TOPIC_OR_PARTITION if others == Error.UNKNOWN_TOPIC_OR_PARTITION else Error.INCONSISTENT_TOPIC_ID
        return error

    def _ends_with_its_segment(self, partition: Partition, data: PartitionData) -> bool:
        """Whether it can't become more by waiting, since there are records in the next segment."""
        active = partition.log.segments[-1]
        return not active.is_file(data.file) and (self.replica_id >= 0 or partition.high_watermark >= active.base_offset)

    def _read(self, partition: Partition, wanted: FetchPartition, left: int, *, min_one: bool, committed: bool) -> PartitionData:
        error = partition.check_epoch(wanted.current_leader_epoch, any_replica=self.any_replica)
        if error:
            return self._error(wanted, error)
        replica = self.replica_id
        if replica >= 0 and not partition.has_follower(replica):
            return self._error(wanted, Error.UNKNOWN_LEADER_EPOCH if wanted.current_leader_epoch >= 0 else Error.NOT_LEADER_OR_FOLLOWER)
        offset, log = wanted.fetch_offset, partition.log
        diverging = None
        if wanted.last_fetched_epoch >= 0:
            try:
                diverging = partition.epochs.divergence(offset, wanted.last_fetched_epoch, log.end_offset)
            except LookupError:
                return self._error(wanted, Error.OFFSET_OUT_OF_RANGE)
        if offset < log.start_offset or (diverging is None and offset > log.end_offset):
            return self._error(wanted, Error.OFFSET_OUT_OF_RANGE)
        is_acknowledged = replica >= 0 and diverging is None and not self.is_noted
        if is_acknowledged and not partition.fetched_by(replica, self.replica_epoch, offset, wanted.start_offset, self.watch, wanted.key):
            return self._error(wanted, Error.NOT_LEADER_OR_FOLLOWER)
        aborted: list[tuple[int, int]] | None = [] if committed else None
        ends = (partition.high_watermark, partition.last_stable_offset, log.start_offset)
        if diverging is not None:
            return PartitionData(wanted.index, 0, *ends, diverging=diverging)
        if self.rack and (nearer := partition.nearest_replica(offset, self.rack)) is not None:
            return PartitionData(wanted.index, 0, *ends, preferred=nearer)
        if replica >= 0 and partition.throttled_as_leader and self._is_held_up(partition, wanted):
            return PartitionData(wanted.index, 0, *ends, aborted)
        try:
            limit = min(wanted.max_bytes, max(left, 0))
            if replica == -1:
                found = partition.read(offset, limit, committed=committed, min_one=min_one)
            else:
                found = partition.read_all(offset, limit, min_one=min_one)
            if found is None or not found.size:
                is_cut = committed and limit > 0 and offset < partition.last_stable_offset  # its first batch is larger than what is left
                return PartitionData(wanted.index, 0, *ends, None if is_cut else aborted)
            if committed:
                aborted = partition.aborted_transactions(offset, found)
        except OffsetOutOfRange:  # let go of between the look and the read
            return self._error(wanted, Error.OFFSET_OUT_OF_RANGE)
        except (StorageError, OSError) as failure:
            if partition.retired:  # its files went under the read
                return self._error(wanted, Error.NOT_LEADER_OR_FOLLOWER)
            if partition.log is not log:  # it lies in another directory now
                return self._read(partition, wanted, left, min_one=min_one, committed=committed)
            self.call.node.warn_seldom(log.directory, f"{partition!r} can't be read at offset {offset}: {failure}")
            return self._error(wanted, Error.KAFKA_STORAGE_ERROR)
        return PartitionData(wanted.index, 0, *ends, aborted, *found, is_old=is_old(found, log.segments[-1]))

    def _is_held_up(self, partition: Partition, wanted: FetchPartition) -> bool:
        """Whether a follower gets nothing of it now: it isn't in sync, and too much went by lately (R34)."""
        self.counted.add(wanted.key)
        leading = partition.leading
        held_up = leading is not None and self.replica_id not in leading.state.isr and self.call.node.throttles.leader.is_exceeded
        if held_up and self.watch is not None:
            self.watch.held_up.add(wanted.key)
        return held_up

    def _error(self, wanted: FetchPartition, error: Error) -> PartitionData:
        leader = None
        if error in _ERRORS_WITH_LEADER and self.call.version >= 16:
            if self.leaders is None:
                self.leaders = CurrentLeaders(self.call.node.image, self.call.listener)
            leader = self.leaders.of(wanted.topic, wanted.index)
            if leader == NOBODY:
                leader = None
        return PartitionData(wanted.index, error, aborted=[] if wanted.key in self.unknown else None, current_leader=leader)

    def _answer(self, found: list[tuple[FetchPartition, PartitionData]]) -> None:
        self.is_done = True
        call, session = self.call, self.session
        if self.counted:
            call.node.throttles.leader.record(sum([data.size for wanted, data in found if wanted.key in self.counted]))
        topics: dict[TopicKey, list[PartitionData]] = {}
        for wanted, data in found:
            if session is not None:
                told = wanted.must_tell(data.error, data.high_watermark, data.log_start_offset, data.size > 0)
                if self.incremental and not told and data.diverging is None and data.preferred < 0:
                    continue
                if self.incremental and data.size:
                    session.move_to_end(wanted)
            topics.setdefault(wanted.topic, []).append(data)
        endpoints = () if self.leaders is None else tuple(self.leaders.endpoints.values())
        session_id = session.id if session is not None else 0
        pieces = encode_fetch_response(call.version, call.correlation_id, 0, session_id, list(topics.items()), endpoints)
        connection = call.connection
        connection.out.extend(pieces)
        if not connection.kind and len(pieces) > 1 and sum([data.size for _, data in found]) > KEEP_BUFFER:
            connection.kind = LARGE_REPLIES
