"""Records that the members of a share group take in turns, each acknowledged by itself (KIP-932).

Owns: sessions with leaders, what was acquired, its acknowledgement, implicit or explicit. Doesn't own membership (`share_group`) nor formats.
"""

from __future__ import annotations

import asyncio
import time
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.wire.errors import Error
from barnabas.wire.messages.share_acknowledge import ShareAcknowledgeRequest
from barnabas.wire.messages.share_fetch import ShareFetchRequest
from barnabas.wire.records.batch import iterate_headers
from barnabas.wire.records.record import decode_records

from .errors import ConnectionLost, KafkaError, check, error_of
from .share_group import ShareGroupMember

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .cluster import Cluster

    Key = tuple[str, int]
    Outcomes = dict[Key, KafkaError | None]

NEW, FINAL = 0, -1
_FetchTopic = ShareFetchRequest.FetchTopic
_AcknowledgeTopic = ShareAcknowledgeRequest.AcknowledgeTopic


class Acknowledge(IntEnum):
    """What becomes of a record: done with; for somebody to try again; for nobody; still worked on, for another lock's length (KIP-1222)."""

    GAP = 0
    ACCEPT = 1
    RELEASE = 2
    REJECT = 3
    RENEW = 4


class ShareSettings(NamedTuple):
    """Kafka's share consumer settings of these names. `explicit`: each record is acknowledged by `acknowledge`, not all of them by the next `poll`;
    `record_limit`: never more than `max_poll_records` are acquired, where otherwise whole batches are."""

    explicit: bool = False
    record_limit: bool = False
    max_poll_records: int = 500
    fetch_min_bytes: int = 1
    fetch_max_wait_ms: int = 500
    fetch_max_bytes: int = 52_428_800
    rack_id: str | None = None


class SharedRecord(NamedTuple):
    """`delivery_count` is 1 for who gets it first."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    delivery_count: int


class _Session:
    """With one leader: what it knows that we fetch, and the acquired records that it waits to hear about."""

    __slots__ = ("epoch", "partitions", "unacknowledged", "verdicts")

    def __init__(self) -> None:
        self.epoch = NEW
        self.partitions: set[Key] = set()
        self.unacknowledged: dict[Key, set[int]] = {}
        self.verdicts: dict[Key, dict[int, int]] = {}

    def judge(self, key: Key, offset: int, verdict: int) -> None:
        """Raises KeyError for a record that isn't acquired."""
        self.unacknowledged[key].remove(offset)
        self.verdicts.setdefault(key, {})[offset] = verdict
        if verdict == Acknowledge.RENEW:
            self.unacknowledged[key].add(offset)

    def take_verdicts(self) -> dict[Key, dict[int, int]]:
        verdicts, self.verdicts = self.verdicts, {}
        return verdicts

    def end(self) -> None:
        """The leader forgets it: its locks are gone."""
        self.epoch = NEW
        self.partitions.clear()
        self.unacknowledged.clear()
        self.verdicts.clear()


class ShareConsumer:
    """`subscribe`, then `poll` again and again; `commit` at will; `close` at the end.

    `on_acknowledged` hears what became of acknowledgements that went along with a poll.
    """

    def __init__(
        self,
        cluster: Cluster,
        group_id: str,
        settings: ShareSettings = ShareSettings(),  # noqa: B008 - immutable
        *,
        on_acknowledged: Callable[[Outcomes], object] | None = None,
    ) -> None:
        self._cluster = cluster
        self._group_id = group_id
        self._settings = settings
        self._member = ShareGroupMember(cluster, group_id, settings.rack_id)
        self._sessions: dict[int, _Session] = {}
        self._purpose = f"share consumer {id(self)}"
        self._on_acknowledged = on_acknowledged or (lambda outcomes: None)
        self._lock_timeout_ms: int | None = None

    @property
    def lock_timeout_ms(self) -> int | None:
        """How long a record stays with its member; None until records have come."""
        return self._lock_timeout_ms

    @property
    def assigned(self) -> list[Key]:
        return list(self._member.assigned)

    def subscribe(self, topics: Iterable[str]) -> None:
        self._member.topics = tuple(sorted(topics))

    async def poll(self, timeout_ms: int) -> list[SharedRecord]:
        """Records that are there, or that come within the time. Raises KafkaError, ValueError if one before isn't acknowledged that has to be."""
        self._settle()
        deadline_s = time.monotonic() + timeout_ms / 1000
        while True:
            await self._member.beat()
            left_ms = int((deadline_s - time.monotonic()) * 1000)
            if self._member.assigned or any(session.verdicts for session in self._sessions.values()):
                records = await self._fetch(max(0, min(left_ms, self._settings.fetch_max_wait_ms)))
                if records:
                    return records
            elif left_ms > 0:
                await asyncio.sleep(min(left_ms, 100) / 1000)
            if time.monotonic() >= deadline_s:
                return []

    def acknowledge(self, record: SharedRecord, verdict: Acknowledge = Acknowledge.ACCEPT) -> None:
        """Says what becomes of a record, with the next `poll` or `commit`. Raises ValueError."""
        if not self._settings.explicit:
            raise ValueError("Without ShareSettings(explicit=True) the next poll acknowledges all records.")
        key = (record.topic, record.partition)
        for session in self._sessions.values():
            if record.offset in session.unacknowledged.get(key, ()):
                session.judge(key, record.offset, verdict)
                return
        raise ValueError(f"{record.topic}-{record.partition} {record.offset} isn't this consumer's to acknowledge (any more).")

    async def commit(self) -> Outcomes:
        """Tells the leaders at once; what each says of its partitions."""
        if not self._settings.explicit:
            self._settle()
        told = [leader for leader, session in self._sessions.items() if session.verdicts]
        outcomes: Outcomes = {}
        for answers in await asyncio.gather(*(self._acknowledge(leader) for leader in told)):
            outcomes.update(answers)
        return outcomes

    async def close(self) -> None:
        """Says what was decided; records that weren't acknowledged go to other members."""
        for leader, session in self._sessions.items():
            if session.epoch != NEW:
                await self._acknowledge(leader, final=True)
        self._sessions.clear()
        await self._member.leave()
        self._cluster.release(self._purpose)

    def _settle(self) -> None:
        """What was handed out before is acknowledged by now."""
        for session in self._sessions.values():
            for key, offsets in session.unacknowledged.items():
                if not self._settings.explicit:
                    for offset in sorted(offsets):
                        session.judge(key, offset, Acknowledge.ACCEPT)
                elif not offsets <= session.verdicts.get(key, {}).keys():  # those that are renewed have a verdict, and stay
                    raise ValueError("All records must be acknowledged in explicit acknowledgement mode.")

    # Talking to leaders

    async def _fetch(self, max_wait_ms: int) -> list[SharedRecord]:
        by_leader: dict[int, set[Key]] = {leader: set() for leader, session in self._sessions.items() if session.partitions or session.verdicts}
        for key in self._member.assigned:
            by_leader.setdefault(await self._cluster.leader(*key), set()).add(key)
        results = await asyncio.gather(*(self._fetch_from(leader, keys, max_wait_ms) for leader, keys in by_leader.items()))
        return [record for records in results for record in records]

    async def _fetch_from(self, leader: int, wanted: set[Key], max_wait_ms: int) -> list[SharedRecord]:
        session = self._sessions.setdefault(leader, _Session())
        if any(Acknowledge.RENEW in verdicts.values() for verdicts in session.verdicts.values()):
            self._on_acknowledged(await self._acknowledge(leader))  # a fetch that renews brings no records
        verdicts = session.take_verdicts()
        try:
            connection = await self._cluster.connection(leader, self._purpose)
            ids = {name: self._cluster.topic_id(name) for name, _ in {*wanted, *session.partitions, *verdicts}}
            mentioned = {key: verdicts.get(key, {}) for key in sorted({*(wanted - session.partitions), *verdicts})}
            request = ShareFetchRequest(
                group_id=self._group_id,
                member_id=self._member.member_id,
                share_session_epoch=session.epoch,
                max_wait_ms=max_wait_ms,
                min_bytes=self._settings.fetch_min_bytes,
                max_bytes=self._settings.fetch_max_bytes,
                max_records=self._settings.max_poll_records,
                batch_size=self._settings.max_poll_records,
                share_acquire_mode=int(self._settings.record_limit),
                topics=_topics(_FetchTopic, _FetchTopic.FetchPartition, ids, mentioned),
                forgotten_topics_data=[
                    ShareFetchRequest.ForgottenTopic(topic_id=ids[name], partitions=parts)
                    for name, parts in _by_topic(session.partitions - wanted).items()
                ],
            )
            reply = await connection.call(request, timeout_s=max_wait_ms / 1000 + self._cluster.settings.request_timeout_ms / 1000)
            check(reply.error_code, reply.error_message)
        except KafkaError as error:
            self._lose(session, verdicts, error)
            if not error.retriable:
                raise
            for name, _ in wanted:
                self._cluster.forget_leader(name)
            await asyncio.sleep(self._cluster.settings.retry_backoff_ms / 1000)
            return []
        session.epoch, session.partitions = _next(session.epoch), wanted
        self._lock_timeout_ms = reply.acquisition_lock_timeout_ms
        return self._take(session, reply, {topic_id: name for name, topic_id in ids.items()}, verdicts)

    def _take(self, session: _Session, reply: Any, names: Mapping[bytes, str], verdicts: Mapping[Key, object]) -> list[SharedRecord]:
        records: list[SharedRecord] = []
        outcomes: Outcomes = dict.fromkeys(verdicts)
        for topic in reply.responses:
            for p in topic.partitions:
                key = (names[topic.topic_id], p.partition_index)
                if p.acknowledge_error_code:
                    outcomes[key] = KafkaError(error_of(p.acknowledge_error_code), p.acknowledge_error_message)
                if p.error_code:
                    failure = KafkaError(error_of(p.error_code), p.error_message)
                    if not failure.retriable:
                        raise failure
                    self._cluster.forget_leader(key[0])
                    session.partitions.discard(key)
                    continue
                records += _acquired(session, key, p)
        if verdicts:
            self._on_acknowledged(outcomes)
        return records

    async def _acknowledge(self, leader: int, *, final: bool = False) -> Outcomes:
        session = self._sessions[leader]
        verdicts = session.take_verdicts()
        try:
            connection = await self._cluster.connection(leader, self._purpose)
            ids = {name: self._cluster.topic_id(name) for name, _ in verdicts}
            request = ShareAcknowledgeRequest(
                group_id=self._group_id,
                member_id=self._member.member_id,
                share_session_epoch=FINAL if final else session.epoch,
                is_renew_ack=any(Acknowledge.RENEW in judged.values() for judged in verdicts.values()),
                topics=_topics(_AcknowledgeTopic, _AcknowledgeTopic.AcknowledgePartition, ids, verdicts),
            )
            reply = await connection.call(request)
            check(reply.error_code, reply.error_message)
        except KafkaError as error:
            self._lose(session, {}, error)
            return dict.fromkeys(verdicts, error)
        session.epoch = _next(session.epoch)
        names = {topic_id: name for name, topic_id in ids.items()}
        return {
            (names[topic.topic_id], p.partition_index): KafkaError(error_of(p.error_code), p.error_message) if p.error_code else None
            for topic in reply.responses
            for p in topic.partitions
        }

    def _lose(self, session: _Session, verdicts: Mapping[Key, object], error: KafkaError) -> None:
        """A session that isn't in step with its leader any more; the leader gives what it had acquired to others."""
        session.end()
        if isinstance(error, ConnectionLost) or error.error is Error.SHARE_SESSION_LIMIT_REACHED:
            self._cluster.release(self._purpose)
        if verdicts:
            self._on_acknowledged(dict.fromkeys(verdicts, error))


def _acquired(session: _Session, key: Key, found: Any) -> list[SharedRecord]:
    """The records that are ours, and a word about offsets among them that have none."""
    counts = {
        offset: acquired.delivery_count for acquired in found.acquired_records for offset in range(acquired.first_offset, acquired.last_offset + 1)
    }
    if not counts:
        return []
    data = memoryview(found.records or b"")
    records = [
        SharedRecord(*key, r.offset, r.timestamp, r.key, r.value, r.headers, counts[r.offset])
        for start, header in iterate_headers(data)
        if not header.is_control
        for r in decode_records(data[start : start + header.size])
        if r.offset in counts
    ]
    there = {record.offset for record in records}
    session.unacknowledged.setdefault(key, set()).update(there)
    if len(there) < len(counts):
        session.verdicts.setdefault(key, {}).update(dict.fromkeys(counts.keys() - there, int(Acknowledge.GAP)))
    return records


def _next(epoch: int) -> int:
    """Behind the greatest comes 1, since 0 opens a session."""
    return epoch + 1 if epoch < 2**31 - 1 else 1


def _by_topic(keys: Iterable[Key]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for name, partition in sorted(keys):
        found.setdefault(name, []).append(partition)
    return found


def _topics(topic: Any, partition: Any, ids: Mapping[str, bytes], verdicts: Mapping[Key, Mapping[int, int]]) -> list[Any]:
    """For either request, whose structs have the same fields."""
    return [
        topic(
            topic_id=ids[name],
            partitions=[
                partition(
                    partition_index=index,
                    acknowledgement_batches=[
                        partition.AcknowledgementBatch(first_offset=first, last_offset=first + len(types) - 1, acknowledge_types=types)
                        for first, types in _runs(verdicts[(name, index)])
                    ],
                )
                for index in indexes
            ],
        )
        for name, indexes in _by_topic(verdicts).items()
    ]


def _runs(verdicts: Mapping[int, int]) -> list[tuple[int, list[int]]]:
    """Offsets without a hole: the first, and what becomes of each."""
    runs: list[tuple[int, list[int]]] = []
    for offset in sorted(verdicts):
        if runs and runs[-1][0] + len(runs[-1][1]) == offset:
            runs[-1][1].append(verdicts[offset])
        else:
            runs.append((offset, [verdicts[offset]]))
    return runs
