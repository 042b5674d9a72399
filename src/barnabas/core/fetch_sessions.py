"""Fetch sessions: what a client fetches again and again, told once (KIP-227; R16-R19).

Owns the sessions' ids, epochs, partitions and eviction, and which partitions an incremental response has to name. Doesn't read logs. One session is
used by one connection at a time; the table of sessions is shared, and its caller holds a lock around `SessionCache`'s methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

INITIAL_EPOCH = 0
FINAL_EPOCH = -1
MOST_PARTITIONS = 250_000
"""Of all sessions together: each takes some 300 bytes, and a client can name any number that don't exist."""
_MAX_EPOCH = 0x7FFFFFFF

TopicKey = str | bytes  # a name before Fetch 13, an id from then on
PartitionKey = tuple[TopicKey, int]


class FetchPartition:
    """One partition that a client wants: where from, how much, and what it was last told."""

    __slots__ = (
        "current_leader_epoch",
        "fetch_offset",
        "high_watermark",
        "index",
        "last_fetched_epoch",
        "log_start_offset",
        "max_bytes",
        "name",
        "start_offset",
        "topic",
    )

    def __init__(
        self,
        topic: TopicKey,
        index: int,
        fetch_offset: int,
        max_bytes: int,
        current_leader_epoch: int,
        last_fetched_epoch: int,
        start_offset: int = -1,
    ) -> None:
        self.topic = topic
        self.index = index
        self.fetch_offset = fetch_offset
        self.max_bytes = max_bytes
        self.current_leader_epoch = current_leader_epoch
        self.last_fetched_epoch = last_fetched_epoch
        self.start_offset = start_offset  # of the asker's own log; a consumer has none
        self.high_watermark = -1
        self.log_start_offset = -1
        self.name = ""  # of a topic by id, once it was there

    @property
    def key(self) -> PartitionKey:
        return (self.topic, self.index)

    def must_tell(self, error: int, high_watermark: int, log_start_offset: int, has_records: bool) -> bool:
        """Whether an incremental response names this partition; remembers what is told (R17)."""
        told = has_records or bool(error) or high_watermark != self.high_watermark or log_start_offset != self.log_start_offset
        self.high_watermark = -1 if error else high_watermark  # after an error the next answer is told in any case
        self.log_start_offset = log_start_offset
        return told


class FetchSession:
    """`epoch` is the one that the next request must carry."""

    __slots__ = ("by_id", "epoch", "id", "is_privileged", "partitions", "used_ms", "watch")

    def __init__(self, session_id: int, partitions: Iterable[FetchPartition], by_id: bool, now_ms: int, *, is_privileged: bool) -> None:
        self.id = session_id
        self.epoch = 1
        self.by_id = by_id
        self.is_privileged = is_privileged
        self.watch: Any = None  # the host's: what may be news for a follower; told by `is_closed` when the session ends
        self.used_ms = now_ms
        self.partitions = {partition.key: partition for partition in partitions}

    def update(self, changed: Iterable[FetchPartition], forgotten: Iterable[PartitionKey]) -> None:
        for partition in changed:
            known = self.partitions.get(partition.key)
            if known is not None:
                partition.high_watermark = known.high_watermark
                partition.log_start_offset = known.log_start_offset
                partition.name = known.name
            self.partitions[partition.key] = partition
        for key in forgotten:
            self.partitions.pop(key, None)

    def move_to_end(self, partition: FetchPartition) -> None:
        """What was served goes behind what wasn't, so that no partition starves."""
        if self.partitions.pop(partition.key, None) is not None:
            self.partitions[partition.key] = partition


class SessionCache:
    """At most `slots` sessions; a new one takes the place of one unused for `eviction_ms`, a follower's that of any consumer's, else its client gets none."""

    def __init__(self, slots: int, eviction_ms: int, new_id: Callable[[], int]) -> None:
        self.slots = slots
        self.eviction_ms = eviction_ms
        self._new_id = new_id
        self.sessions: dict[int, FetchSession] = {}  # least recently used first
        self.partitions = 0

    def create(self, partitions: Sequence[FetchPartition], by_id: bool, now_ms: int, *, is_privileged: bool = False) -> FetchSession | None:
        """A session for what a full request asked, or None. Followers are privileged (R18)."""
        while len(self.sessions) >= self.slots or self.partitions + len(partitions) > MOST_PARTITIONS:
            if not self._evict(now_ms, is_privileged):
                return None
        session_id = self._new_id()
        while session_id in self.sessions or session_id == 0:
            session_id = self._new_id()
        session = self.sessions[session_id] = FetchSession(session_id, partitions, by_id, now_ms, is_privileged=is_privileged)
        self.partitions += len(session.partitions)
        return session

    def _evict(self, now_ms: int, for_privileged: bool) -> bool:
        oldest = next(iter(self.sessions.values()), None)
        if oldest is not None and now_ms - oldest.used_ms < self.eviction_ms:
            oldest = next((session for session in self.sessions.values() if not session.is_privileged), None) if for_privileged else None
        if oldest is None:
            return False
        self.remove(oldest.id)
        return True

    def use(self, session_id: int, epoch: int, by_id: bool, now_ms: int) -> FetchSession | Error:
        """The session that an incremental request goes on with."""
        session = self.sessions.get(session_id)
        if session is None:
            return Error.FETCH_SESSION_ID_NOT_FOUND
        if session.epoch != epoch:
            return Error.INVALID_FETCH_SESSION_EPOCH
        if session.by_id != by_id:
            return Error.FETCH_SESSION_TOPIC_ID_ERROR
        session.epoch = 1 if epoch == _MAX_EPOCH else epoch + 1
        session.used_ms = now_ms
        del self.sessions[session_id]
        self.sessions[session_id] = session
        return session

    def update(self, session: FetchSession, changed: Iterable[FetchPartition], forgotten: Iterable[PartitionKey]) -> None:
        """What an incremental request changes. A session that grows beyond all bounds ends with this request."""
        before = len(session.partitions)
        session.update(changed, forgotten)
        self.partitions += len(session.partitions) - before
        if not session.partitions or self.partitions > MOST_PARTITIONS:
            self.remove(session.id)

    def remove(self, session_id: int) -> None:
        gone = self.sessions.pop(session_id, None)
        if gone is not None:
            self.partitions -= len(gone.partitions)
            if gone.watch is not None:
                gone.watch.is_closed = True
