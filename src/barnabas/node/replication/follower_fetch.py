"""A follower's fetch by session, on its leader: what it costs depends on what is new, not on how many partitions the follower has here.

Owns, for each session of a follower, which of its partitions may have something to tell (`FollowerWatch`): partitions note themselves there when their log
grows or their high watermark moves. What is said of a partition is `handlers.fetch`'s. Unlike Apache Kafka's, a fetch doesn't look at partitions about which
nothing is new (O18).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.handlers.fetch import Fetch

if TYPE_CHECKING:
    from barnabas.core.fetch_sessions import FetchPartition, FetchSession, PartitionKey
    from barnabas.node.call import Call
    from barnabas.node.partition import Partition
    from barnabas.wire.fetch_path import PartitionData
    from barnabas.wire.messages.fetch import FetchRequest


class FollowerWatch:
    """Of one session. Noting may come from any thread, under partitions' locks."""

    __slots__ = ("held_up", "is_closed", "parked", "ready", "unconfirmed")

    def __init__(self) -> None:
        self.ready: dict[PartitionKey, None] = {}
        self.unconfirmed: set[PartitionKey] = set()  # what was sent for these, the next request says that it has it, or is sent again
        self.held_up: set[PartitionKey] = set()  # of these nothing was sent though there may be something: the next request looks again
        self.parked: FollowerFetch | None = None
        self.is_closed = False  # the session is over

    def note_records(self, key: PartitionKey) -> None:
        """Records, or another change that the follower is to learn of at once."""
        self.ready[key] = None
        parked = self.parked
        if parked is not None:
            parked.wake()

    def note_high_watermark(self, key: PartitionKey) -> None:
        self.ready[key] = None
        parked = self.parked
        if parked is not None:
            parked.wake_for_news()


class FollowerFetch(Fetch):
    """`wanted` are the partitions that the request names; those that are ready join them."""

    __slots__ = ("_keys", "_watch")

    session: FetchSession

    def __init__(self, request: FetchRequest, call: Call, session: FetchSession, wanted: list[FetchPartition], *, incremental: bool) -> None:
        super().__init__(request, call, session, [], incremental=incremental)
        self._watch: FollowerWatch = session.watch
        self.watch = self._watch
        self._keys: set[PartitionKey] = set()
        self._add(self._watch.unconfirmed)
        self._take_ready()
        for partition in wanted:
            if partition.key not in self._keys:
                self._keys.add(partition.key)
                self.wanted.append(partition)

    def _add(self, keys: set[PartitionKey] | list[PartitionKey]) -> None:
        for key in keys:
            partition = self.session.partitions.get(key)
            if partition is not None and key not in self._keys:
                self._keys.add(key)
                self.wanted.append(partition)

    def _take_ready(self) -> None:
        ready = self._watch.ready
        keys = list(ready)
        for key in keys:
            ready.pop(key, None)  # before it is looked at: what changes from here on is noted again
        self._add(keys)

    def start(self) -> None:
        found, size, urgent = self._collect()
        self.is_noted = True
        # A new session is answered at once: from then on the follower is told of changes only.
        if size >= self.min_bytes or urgent or self.request.max_wait_ms <= 0 or not self.incremental:
            if not size or self._in_memory(found):
                self._answer(found)
                self.call.connection.muted = False
            return
        connection = self.call.connection
        connection.waiting = self
        self.timer = connection.network.call_later(self.request.max_wait_ms, self._give_up)
        self._watch.parked = self
        self._expect_news_of(found)
        self._look()

    def _look(self) -> None:
        if self.is_done or self.call.connection.closed:
            return
        self.is_awake = False
        if not self._watch.ready:
            return
        self._take_ready()
        found, size, urgent = self._collect()
        if size >= self.min_bytes or urgent:
            self._finish(found)
        else:
            self._expect_news_of(found)

    def _read(self, partition: Partition, wanted: FetchPartition, left: int, *, min_one: bool, committed: bool) -> PartitionData:
        data = super()._read(partition, wanted, left, min_one=min_one, committed=committed)
        leading = partition.leading
        if self.is_noted and leading is not None and leading.state.has_forgotten(self.replica_id):
            self._watch.ready[wanted.key] = None  # the next request says what it has, though there may be nothing new
        return data

    def _expect_news_of(self, found: list[tuple[FetchPartition, PartitionData]]) -> None:
        if any(data.high_watermark != wanted.high_watermark for wanted, data in found):
            self._expect_news()

    def _give_up(self) -> None:
        self._take_ready()
        super()._give_up()

    def drop(self) -> None:
        self.is_done = True
        if self._watch.parked is self:
            self._watch.parked = None
        for timer in (self.timer, self.news_timer):
            if timer is not None:
                timer.cancel()

    def _answer(self, found: list[tuple[FetchPartition, PartitionData]]) -> None:
        watch = self._watch
        sent = {wanted.key for wanted, data in found if data.size or data.error or data.diverging is not None}
        if sent:
            for wanted, _ in found:
                if wanted.key not in sent:
                    watch.ready[wanted.key] = None  # there may be more than fitted
        watch.unconfirmed = sent
        held_up, watch.held_up = watch.held_up, set()
        watch.ready.update(dict.fromkeys(held_up))
        super()._answer(found)
