"""One connection to a leader, by which the replicas of several partitions follow it: fetch, append, fetch on (R1-R16).

Owns the fetch session with the leader (what it knows already isn't told again), the one request under way, reconnecting, and the pauses. Everything here
happens on a network thread's loop. Where a replica is in its leader's log and what an answer means is `core.partition.following`'s; what happens to the log,
`appending`'s. Source: AbstractFetcherThread, RemoteLeaderEndPoint, FetchSessionHandler of 4.3.1.

A request waits at the leader until there is something to tell. Replicas that join meanwhile don't wait for that: the connection is given up for a new one,
whose first request names the old session and so ends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.partition.following import Append, AskOffsets, Failed, Following, LogEnd, Pause, StartAt, TruncateTo
from barnabas.node.call import steady_ms
from barnabas.node.outbound import Failure, Outbound, SetupLimits
from barnabas.node.replication.appending import CorruptBatch, start_at, take, truncate
from barnabas.storage.errors import StorageError
from barnabas.wire.errors import Error
from barnabas.wire.messages.fetch import FetchRequest, FetchResponse

if TYPE_CHECKING:
    from barnabas.core.partition.following import Effect, Position
    from barnabas.node.loop import Loop, Timer
    from barnabas.node.partition import Partition
    from barnabas.node.server import Node

    Key = tuple[bytes, int]  # topic id, partition
    Told = tuple[Position, int]  # and the replica's log start

Row = FetchResponse.FetchableTopicResponse.PartitionData

_FIRST_RECONNECT_MS = 20
_LAST_RECONNECT_MS = 1_000
_SESSION_ERRORS = (Error.FETCH_SESSION_ID_NOT_FOUND, Error.INVALID_FETCH_SESSION_EPOCH, Error.FETCH_SESSION_TOPIC_ID_ERROR)
_LAST_EPOCH = 0x7FFFFFFF
_NEVER = -(1 << 62)
_CUT_OFF_MS = 1_000  # within which a controller that goes by evidence has found somebody else to lead


class Followed:
    """One replica here, and where it is in its leader's log."""

    __slots__ = ("following", "lag", "partition")

    def __init__(self, partition: Partition, following: Following) -> None:
        self.partition = partition
        self.following = following
        self.lag: int | None = None  # behind the leader's high watermark, as of what came last

    @property
    def log_end(self) -> LogEnd:
        return LogEnd(self.partition.log.end_offset, self.partition.epochs)


class Fetcher:
    """To `leader_id`, its `number`th."""

    def __init__(self, node: Node, loop: Loop, leader_id: int, number: int) -> None:
        self._node = node
        self._loop = loop
        self._leader_id = leader_id
        self._client_id = f"broker-{node.config.node_id}-fetcher-{number}"
        self._followed: dict[Key, Followed] = {}
        self._connection: Outbound | None = None
        self._limits = SetupLimits(node.config.network.first_setup_timeout_ms, node.config.network.most_setup_timeout_ms)
        self._failures = 0
        self._retry: Timer | None = None
        self._deadline: Timer | None = None
        self._is_fetching = False
        self._is_due = False
        self._session_id = 0
        self._session_epoch = 0
        self._told: dict[Key, Told] = {}  # what the leader knows by the session
        self._changed: dict[Key, None] = {}  # what it may not know yet
        self._held_up: dict[Key, None] = {}  # left out of the request, too much came lately
        self._look_again: Timer | None = None
        self._cut_off_ms = _NEVER  # since when the leader's process seems gone

    # Who follows

    def follow(self, partition: Partition, leader_epoch: int) -> None:
        """Have a replica follow this leader from its log's end on."""
        config = self._node.config.replication
        followed = Followed(partition, Following(leader_epoch, config.fetch_backoff_ms))
        key = (partition.topic_id, partition.index)
        self._followed[key] = followed
        self._changed[key] = None
        effect = followed.following.begin(followed.log_end, partition.high_watermark)
        if effect is not None:
            self._do(key, followed, effect)
        if self._is_fetching:
            self._hang_up()  # or they would wait for what the present request waits for
        self._go_soon()

    def leave(self, key: Key, partition: Partition) -> None:
        """A replica follows somebody else, leads, or is gone."""
        followed = self._followed.get(key)
        if followed is not None and followed.partition is partition:
            del self._followed[key]
            self._changed[key] = None
            self._go_soon()

    def leader_changed(self) -> None:
        """The leader's broker registered anew, or was fenced or unfenced: it may be there again, or elsewhere."""
        connection, address = self._connection, self._address()
        if connection is not None and address is not None and connection.address != address:
            self._hang_up()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
            self._failures = 0
        self._go_soon()

    def close(self) -> None:
        self._followed.clear()
        self._hang_up()

    def is_cut_off(self, now_ms: int) -> bool:
        """The connection has ended just now, and not by this node: the leader's process is gone, most likely. From any thread."""
        connection = self._connection
        if self._cut_off_ms == _NEVER and connection is not None and connection.has_ended:
            self._cut_off_ms = now_ms
        return now_ms - self._cut_off_ms < _CUT_OFF_MS

    # Asking

    def _go_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call(self._go)

    def _go(self) -> None:
        """Send the next request, unless one is under way, or there is nothing to ask for."""
        self._is_due = False
        if self._is_fetching or self._retry is not None:
            return
        if not self._followed:
            self._hang_up()
            return
        if self._connection is None and not self._connect():
            return
        connection = self._connection
        assert connection is not None
        request = self._request()
        if request is None:
            if self._held_up and self._look_again is None:
                self._look_again = self._loop.call_later(self._node.config.replication.fetch_backoff_ms, self._look)
            return
        self._is_fetching = True
        self._deadline = self._loop.call_later(self._node.config.replication.socket_timeout_ms, self._timed_out, connection)
        connection.ask_raw(request, lambda answer: self._answered(connection, answer))

    def _look(self) -> None:
        self._look_again = None
        self._go_soon()

    def _address(self) -> tuple[str, int] | None:
        broker = self._node.image.cluster.brokers.get(self._leader_id)
        point = None if broker is None else broker.listeners.get(self._node.config.listeners.inter_broker)
        return None if point is None else (point.host, point.port)

    def _connect(self) -> bool:
        address = self._address()
        if address is None:
            self._retry_later()
            return False
        connection: Outbound
        connection = self._connection = Outbound(
            self._loop,
            *address,
            self._client_id,
            lambda failure: self._lost(connection, failure),
            limits=self._limits,
            receive_buffer_bytes=self._node.config.replication.socket_receive_buffer_bytes,
        )
        self._session_epoch = 0
        return True

    def _request(self) -> FetchRequest | None:
        """What the leader doesn't know yet; None when there is nothing that it should answer to."""
        now_ms = steady_ms()
        wanted: dict[bytes, list[FetchRequest.Topic.Partition]] = {}
        forgotten: dict[bytes, list[int]] = {}
        if self._session_epoch == 0:
            self._told.clear()
        self._changed.update(self._held_up)
        self._held_up.clear()
        keys = self._changed if self._session_epoch else self._followed
        for key in keys:
            followed = self._followed.get(key)
            position = None if followed is None else followed.following.position(now_ms)
            if position is not None and followed is not None and followed.partition.throttled_as_follower and self._is_held_up(followed):
                self._held_up[key] = None
                position = None
            if followed is None or position is None:
                if self._told.pop(key, None) is not None:
                    forgotten.setdefault(key[0], []).append(key[1])
                continue
            told = (position, followed.partition.log.start_offset)
            if self._told.get(key) != told:
                self._told[key] = told
                wanted.setdefault(key[0], []).append(self._wanted(key[1], *told))
        self._changed.clear()
        if not self._told and not forgotten:
            return None
        config = self._node.config.replication
        return FetchRequest(
            replica_state=FetchRequest.ReplicaState(replica_id=self._node.config.node_id, replica_epoch=self._node.broker.epoch),
            max_wait_ms=config.fetch_wait_max_ms,
            min_bytes=config.fetch_min_bytes,
            max_bytes=config.fetch_response_max_bytes,
            session_id=self._session_id,
            session_epoch=self._session_epoch,
            topics=[FetchRequest.Topic(topic_id=topic_id, partitions=partitions) for topic_id, partitions in wanted.items()],
            forgotten_topics_data=[FetchRequest.ForgottenTopic(topic_id=topic_id, partitions=indexes) for topic_id, indexes in forgotten.items()],
        )

    def _is_held_up(self, followed: Followed) -> bool:
        """Whether nothing is asked for now: it isn't in sync, and too much came lately (R34)."""
        return (followed.lag is None or followed.lag > 0) and self._node.throttles.follower.is_exceeded

    def _wanted(self, index: int, position: Position, start_offset: int) -> FetchRequest.Topic.Partition:
        return FetchRequest.Topic.Partition(
            partition=index,
            current_leader_epoch=position.leader_epoch,
            fetch_offset=position.offset,
            last_fetched_epoch=position.last_fetched_epoch,
            log_start_offset=start_offset,
            partition_max_bytes=self._node.config.replication.fetch_partition_max_bytes,
        )

    # Being answered

    def _answered(self, connection: Outbound, answer: tuple[memoryview, int] | Failure) -> None:
        if connection is not self._connection:
            return
        if isinstance(answer, Failure):
            if answer.is_unsupported:
                self._lost(connection, answer)
            return  # else the connection's end is told of next
        self._is_fetching = False
        self._forget_deadline()
        self._failures = 0
        self._cut_off_ms = _NEVER
        response = FetchResponse.decode(*answer)
        if response.error_code:
            self._session_epoch = 0
            if response.error_code == Error.FETCH_SESSION_ID_NOT_FOUND:
                self._session_id = 0  # else the next request names the old one, and so ends it
            if response.error_code not in _SESSION_ERRORS:
                self._retry_later()
                return
        else:
            self._session_id = response.session_id
            self._session_epoch = 0 if not response.session_id else 1 if self._session_epoch == _LAST_EPOCH else self._session_epoch + 1
            now_ms = steady_ms()
            for topic in response.responses:
                for row in topic.partitions:
                    self._take((topic.topic_id, row.partition_index), row, now_ms)
        self._go_soon()

    def _take(self, key: Key, row: Row, now_ms: int) -> None:
        followed, told = self._followed.get(key), self._told.get(key)
        if followed is None or told is None:
            return
        diverging = row.diverging_epoch
        parting = None if diverging.epoch < 0 else (diverging.epoch, diverging.end_offset)
        effect = followed.following.answered(told[0], _error(row.error_code), parting, followed.log_end, now_ms)
        if effect is not None:
            self._do(key, followed, effect, row)

    def _do(self, key: Key, followed: Followed, effect: Effect, row: Row | None = None) -> None:
        """Carry out what comes of an answer."""
        partition, following = followed.partition, followed.following
        epoch = following.leader_epoch
        self._changed[key] = None
        try:
            match effect:
                case Append():
                    assert row is not None
                    records = row.records
                    take(partition, None if records is None else memoryview(records), epoch, row.high_watermark, row.log_start_offset)
                    following.appended(followed.log_end)
                    if records or followed.lag is None:
                        followed.lag = max(row.high_watermark - partition.log.end_offset, 0)
                    if records and partition.throttled_as_follower:
                        self._node.throttles.follower.record(len(records))
                case TruncateTo(offset):
                    if offset < partition.log.end_offset:
                        self._node.log_info(
                            f"{partition!r} is cut from offset {partition.log.end_offset} to {offset}, where its leader's log goes on"
                        )
                    self._node.disk.cut(partition, offset, lambda: truncate(partition, epoch, offset))
                    self._node.replicas.cleaner_offsets.cut(partition)
                    following.truncated(followed.log_end)
                case StartAt(offset):
                    self._node.log_warning(f"{partition!r} begins anew at offset {offset}: its leader has nothing before that")
                    start_at(partition, epoch, offset)
                    self._node.replicas.cleaner_offsets.cut(partition)
                    following.truncated(followed.log_end)
                case AskOffsets():
                    self._ask_offsets(key, followed)
                case Pause():
                    self._pause(key, followed)
                case Failed(reason):
                    self._node.log_debug(f"{partition!r} doesn't follow broker {self._leader_id} any more: {reason}")
        except CorruptBatch as error:
            self._node.warn_seldom(f"replica {partition!r}", f"Broker {self._leader_id} sent for {partition!r} what can't be appended: {error}")
            following.pause(steady_ms())
            self._pause(key, followed)
        except StorageError as error:
            if error.offline:
                following.fail(str(error))
            else:
                following.pause(steady_ms())
                self._pause(key, followed)
            self._node.on_storage_error(partition, error)

    def _pause(self, key: Key, followed: Followed) -> None:
        self._loop.call_later(max(followed.following.ready_ms - steady_ms(), 1), self._resume, key, followed)

    def _resume(self, key: Key, followed: Followed) -> None:
        if self._followed.get(key) is followed:
            self._changed[key] = None
            self._go_soon()

    # When the own place isn't in the leader's log

    def _ask_offsets(self, key: Key, followed: Followed) -> None:
        from barnabas.node.replication.leader_offsets import ask_offsets

        def learned(outcome: tuple[int, int] | Error) -> None:
            deadline.cancel()
            if self._followed.get(key) is not followed:
                return
            following = followed.following
            if isinstance(outcome, Error):
                self._do(key, followed, following.not_learned(outcome, steady_ms()))
            else:
                effect = following.learned(*outcome, followed.log_end)
                if effect is not None:
                    self._do(key, followed, effect)
            self._changed[key] = None
            self._go_soon()

        connection = self._connection
        assert connection is not None
        deadline = self._loop.call_later(self._node.config.replication.socket_timeout_ms, self._timed_out, connection)
        ask_offsets(connection, self._node.config.node_id, followed.partition, followed.following.leader_epoch, learned)

    # When the leader isn't there

    def _timed_out(self, connection: Outbound) -> None:
        if connection is self._connection:
            self._lost(connection, Failure(f"broker {self._leader_id} hasn't answered for replica.socket.timeout.ms"))

    def _lost(self, connection: Outbound, failure: Failure) -> None:
        if connection is not self._connection:
            return
        self._node.log_debug(f"fetching from broker {self._leader_id}: {failure.reason}")
        if self._cut_off_ms == _NEVER:
            self._cut_off_ms = steady_ms()
        self._hang_up()
        self._retry_later()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            for followed in self._followed.values():
                followed.following.unanswered()
        self._is_fetching = False
        self._session_epoch = 0
        self._forget_deadline()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _retry_later(self) -> None:
        if self._retry is None:
            delay_ms = min(_FIRST_RECONNECT_MS << min(self._failures, 10), _LAST_RECONNECT_MS)
            self._failures += 1
            self._retry = self._loop.call_later(delay_ms, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._go_soon()


def _error(code: int) -> Error:
    try:
        return Error(code)
    except ValueError:
        return Error.UNKNOWN_SERVER_ERROR
