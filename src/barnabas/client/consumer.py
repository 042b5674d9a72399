"""Records in: fetches from leaders, aborted transactions left out; partitions by hand or as a member of a group.

Owns: what to fetch next and from whom. Doesn't own positions (`positions`), membership (`group`, `consumer_group`) nor formats.
Full fetches without sessions: a tool reads few partitions.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from barnabas.wire.errors import Error
from barnabas.wire.messages.fetch import FetchRequest
from barnabas.wire.records.batch import iterate_headers
from barnabas.wire.records.control import ControlType, control_type
from barnabas.wire.records.record import decode_records

from .admin import groups
from .consumer_group import ConsumerGroupMember, ConsumerGroupSettings
from .errors import KafkaError, TimedOut, check, error_of
from .group import COOPERATIVE, MAX_ROUNDS, GroupSettings, Member
from .heartbeats import JOINING
from .positions import LogTruncated, NoOffset, Positions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from barnabas.wire.messages.fetch import FetchResponse

    from .cluster import Cluster
    from .group import Membership
    from .subscription import Partitions

    Take = Callable[[tuple[str, int], memoryview, list[tuple[int, int]]], "list[T]"]
    """What to make of a partition's fetched batches, given (first offset, producer id) of the aborted transactions among them. It moves the position."""

T = TypeVar("T")
READ_UNCOMMITTED = 0
READ_COMMITTED = 1
_MOVED_ON = (
    Error.REBALANCE_IN_PROGRESS,
    Error.ILLEGAL_GENERATION,
    Error.UNKNOWN_MEMBER_ID,
    Error.STALE_MEMBER_EPOCH,
    Error.FENCED_MEMBER_EPOCH,
)
_STALE = (
    Error.NOT_LEADER_OR_FOLLOWER,
    Error.REPLICA_NOT_AVAILABLE,
    Error.KAFKA_STORAGE_ERROR,
    Error.FENCED_LEADER_EPOCH,
    Error.OFFSET_NOT_AVAILABLE,
    Error.UNKNOWN_TOPIC_OR_PARTITION,
    Error.UNKNOWN_TOPIC_ID,
    Error.UNKNOWN_LEADER_EPOCH,
    Error.LEADER_NOT_AVAILABLE,
    Error.INCONSISTENT_TOPIC_ID,
)


class ConsumerSettings(NamedTuple):
    """Kafka's consumer settings of these names. `auto_offset_reset` is "earliest", "latest", "none" or "by_duration": the first record that is
    at most `reset_age_ms` old."""

    isolation_level: int = READ_UNCOMMITTED
    auto_offset_reset: str = "latest"
    reset_age_ms: int = 0
    enable_auto_commit: bool = True
    auto_commit_interval_ms: int = 5_000
    fetch_min_bytes: int = 1
    fetch_max_wait_ms: int = 500
    fetch_max_bytes: int = 52_428_800
    max_partition_fetch_bytes: int = 1_048_576
    group: GroupSettings | ConsumerGroupSettings | None = None


class ConsumedRecord(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    append_time: bool
    leader_epoch: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def _unheard(partitions: Partitions) -> object:
    """Who doesn't listen."""


def _member(cluster: Cluster, settings: GroupSettings | ConsumerGroupSettings | None) -> Member | ConsumerGroupMember | None:
    if isinstance(settings, ConsumerGroupSettings):
        return ConsumerGroupMember(cluster, settings)
    return Member(cluster, settings) if settings else None


class Consumer:
    """Either `assign`, or `subscribe` with a group; then `poll`; `close` at the end."""

    def __init__(self, cluster: Cluster, settings: ConsumerSettings = ConsumerSettings()) -> None:  # noqa: B008 - immutable
        self._cluster = cluster
        self._settings = settings
        self._member = _member(cluster, settings.group)
        self._wants: Callable[[str], bool] | None = None
        self._names: Sequence[str] | None = None
        self._joined = False
        self._at = Positions(cluster, settings.auto_offset_reset, settings.reset_age_ms, settings.isolation_level)
        self._last_commit_s = time.monotonic()
        self._last_metadata_s = 0.0
        self._held: Partitions = []
        """As far as `on_assigned` and `on_revoked` have been told."""
        self._on_assigned: Callable[[Partitions], object] = _unheard
        self._on_revoked: Callable[[Partitions], object] = _unheard

    def assign(self, places: Mapping[tuple[str, int], int]) -> None:
        """Partitions by hand, each at an offset, or at `offsets.EARLIEST` or `LATEST`."""
        self._at.assign(places)

    @property
    def positions(self) -> dict[tuple[str, int], int]:
        """The next offset of each partition."""
        return self._at.offsets

    @property
    def epochs(self) -> dict[tuple[str, int], int]:
        """The leader epoch of the last record before each position, where it is known."""
        return self._at.epochs

    def subscribe(
        self,
        wants: Callable[[str], bool],
        *,
        names: Sequence[str] | None = None,
        on_assigned: Callable[[Partitions], object] | None = None,
        on_revoked: Callable[[Partitions], object] | None = None,
    ) -> None:
        """Topics by predicate, shared with the other members of the group; without a group, all their partitions.

        With `names` only these are asked for, and may be created by asking, as Kafka's consumer does. The others hear of what the group gives and takes.
        """
        self._wants = wants
        self._names = names
        self._last_metadata_s = 0.0
        if isinstance(self._member, ConsumerGroupMember):
            self._member.pattern = None
        self._on_assigned, self._on_revoked = on_assigned or _unheard, on_revoked or _unheard

    def subscribe_pattern(
        self,
        pattern: str,
        *,
        on_assigned: Callable[[Partitions], object] | None = None,
        on_revoked: Callable[[Partitions], object] | None = None,
    ) -> None:
        """Topics that match a regular expression of RE2, which the group's coordinator looks for: with `ConsumerGroupSettings`."""
        assert isinstance(self._member, ConsumerGroupMember), "subscribe_pattern needs a group whose coordinator shares it out"
        self.subscribe(lambda topic: False, names=[], on_assigned=on_assigned, on_revoked=on_revoked)
        self._member.pattern, self._member.topics = pattern, ()

    async def poll(self, timeout_ms: int) -> list[ConsumedRecord]:
        """Records that are there, or that come within the time. Raises KafkaError, NoOffset."""
        return await self.poll_for(self.decode, timeout_ms)

    async def poll_for(self, take: Take[T], timeout_ms: int) -> list[T]:
        """As `poll`, for what `take` makes of the batches."""
        deadline_s = time.monotonic() + timeout_ms / 1000
        while True:
            if self._wants is not None:
                await (self._keep_membership() if self._member is not None else self._keep_assignment(self._wants))
            await self._at.place()
            left_ms = int((deadline_s - time.monotonic()) * 1000)
            if self.positions:
                taken = await self._fetch(take, max(0, min(left_ms, self._settings.fetch_max_wait_ms)))
                if taken:
                    return taken
            elif left_ms > 0:
                await asyncio.sleep(min(left_ms, 100) / 1000)
            if time.monotonic() >= deadline_s:
                return []

    def seek(self, topic: str, partition: int, offset: int, leader_epoch: int = -1) -> None:
        """With the epoch of the record before (`epochs`), a log that has been cut since is noticed."""
        self._at.stand((topic, partition), offset, leader_epoch)

    async def commit(self, places: Mapping[tuple[str, int], int] | None = None) -> None:
        """Commits these offsets, or all positions, if this is a group's member."""
        if self._member is None or not self._joined:
            return
        wanted = self.positions if places is None else places
        await self._member.commit({key: groups.Committed(offset, self.epochs.get(key, -1), "") for key, offset in wanted.items()})
        self._last_commit_s = time.monotonic()

    @property
    def membership(self) -> Membership:
        """As what a transaction commits this group's offsets, with `reached`."""
        assert self._member is not None, "membership needs a group"
        return self._member.membership

    @property
    def reached(self) -> dict[tuple[str, int], groups.Committed]:
        """The offset behind what was polled of each partition."""
        return {key: groups.Committed(offset, self.epochs.get(key, -1), "") for key, offset in self.positions.items()}

    async def close(self) -> None:
        if self._member is not None:
            try:
                if self._settings.enable_auto_commit:
                    await self.commit()
            except KafkaError:
                pass  # the group moved on; whoever has the partitions now starts at the last commit
            self._give_back([])
            await self._member.leave()

    # Group

    async def _keep_membership(self) -> None:
        member, wants = self._member, self._wants
        assert member is not None and wants is not None, "subscribe needs a group"
        if isinstance(member, ConsumerGroupMember):
            await self._reconcile(member, wants)
        elif not self._joined or not await member.beat():
            await self._join(member, wants)
        elif (time.monotonic() - self._last_metadata_s) * 1000 > self._settings_age_ms():
            await self._look()
            if tuple(sorted(filter(wants, self._cluster.topics))) != member.topics:
                await self._join(member, wants)
        if self._settings.enable_auto_commit and (time.monotonic() - self._last_commit_s) * 1000 > self._settings.auto_commit_interval_ms:
            try:
                await self.commit()
            except KafkaError as error:
                if not error.retriable and error.error not in _MOVED_ON:
                    raise
                self._last_commit_s = time.monotonic()

    def _settings_age_ms(self) -> int:
        # Until a topic that is wanted exists, look often; it may be about to be created.
        return 1_000 if self._member is not None and not self._member.topics else min(self._cluster.settings.metadata_max_age_ms, 300_000)

    async def _keep_assignment(self, wants: Callable[[str], bool]) -> None:
        """Without a group: every partition of the topics wanted, new ones as they appear."""
        idle = not self._at
        if self._last_metadata_s and (time.monotonic() - self._last_metadata_s) * 1000 < (
            100 if idle else self._cluster.settings.metadata_max_age_ms
        ):
            return
        await self._look()
        for name, topic in self._cluster.topics.items():
            if wants(name):
                for partition in topic.partitions:
                    if (name, partition) not in self._at:
                        self._at.reset((name, partition))

    async def _look(self) -> None:
        await self._cluster.refresh(self._names, allow_creation=self._names is not None)
        self._last_metadata_s = time.monotonic()

    async def _join(self, member: Member, wants: Callable[[str], bool]) -> None:
        if self._joined and self._settings.enable_auto_commit and member.generation >= 0:
            with contextlib.suppress(KafkaError):  # too late: the partitions are gone
                await self.commit()
        if not isinstance(self._settings.group, GroupSettings) or set(self._settings.group.assignors) != {COOPERATIVE}:
            self._give_back([])  # all is given back before the group shares anew
        await self._look()
        assigned = await member.join(filter(wants, self._cluster.topics))
        self._joined = True
        await self._take_over(member, assigned, keeps=member.protocol == COOPERATIVE)

    async def _reconcile(self, member: ConsumerGroupMember, wants: Callable[[str], bool]) -> None:
        """Says what is wanted, and follows what the coordinator gives and takes, as far as that goes without waiting."""
        if member.pattern is None and (not self._last_metadata_s or (time.monotonic() - self._last_metadata_s) * 1000 > self._settings_age_ms()):
            if self._names is None:
                await self._look()
            member.topics = tuple(sorted(filter(wants, self._cluster.topics))) if self._names is None else tuple(self._names)
        for _ in range(MAX_ROUNDS):
            await member.beat()
            if self._joined and member.generation == JOINING:
                self._joined = False
                self._give_back([])
                self._at.keep([])
            if member.generation == JOINING or (self._joined and member.target == member.assigned):
                return
            target = list(member.target)
            if self._settings.enable_auto_commit and any(key not in target for key in member.assigned):
                with contextlib.suppress(KafkaError):  # too late: the partitions are gone
                    await self.commit()
            self._joined = True
            await self._take_over(member, target, keeps=True)
            member.own(target)

    async def _take_over(self, member: Member | ConsumerGroupMember, assigned: Partitions, *, keeps: bool) -> None:
        """Gives up what isn't assigned any more and finds where to begin in what is new; `keeps`: what stays goes on from where it is."""
        self._give_back(assigned)
        fresh = [key for key in assigned if key not in self._held]
        self._held = list(assigned)
        self._on_assigned(fresh)
        kept = [key for key in assigned if keeps and key in self.positions]
        committed = await member.committed([key for key in assigned if key not in kept]) if assigned else {}
        self._at.keep(kept)
        for key in assigned:
            if key in committed:
                self._at.stand(key, committed[key].offset, committed[key].leader_epoch)
            elif key not in kept:
                self._at.reset(key)

    def _give_back(self, kept: Partitions) -> None:
        lost = [key for key in self._held if key not in kept]
        self._held = [key for key in self._held if key in kept]
        if lost:
            self._on_revoked(lost)

    # Fetching

    async def _fetch(self, take: Take[T], max_wait_ms: int) -> list[T]:
        leaders = {key: await self._cluster.leader(*key) for key in list(self.positions)}
        await self._at.follow_leaders()
        by_leader: dict[int, list[tuple[str, int]]] = {}
        for key, leader in leaders.items():
            if key in self.positions:
                by_leader.setdefault(leader, []).append(key)
        results = await asyncio.gather(*(self._fetch_from(take, leader, keys, max_wait_ms) for leader, keys in by_leader.items()))
        return [one for taken in results for one in taken]

    async def _fetch_from(self, take: Take[T], leader: int, keys: Iterable[tuple[str, int]], max_wait_ms: int) -> list[T]:
        try:
            connection = await self._cluster.connection(leader)
            version = connection.version_of(FetchRequest)
            topics: dict[str, list[FetchRequest.Topic.Partition]] = {}
            for topic, partition in keys:
                topics.setdefault(topic, []).append(
                    FetchRequest.Topic.Partition(
                        partition=partition,
                        current_leader_epoch=self._cluster.leader_epoch(topic, partition),
                        fetch_offset=self.positions[(topic, partition)],
                        partition_max_bytes=self._settings.max_partition_fetch_bytes,
                    )
                )
            listed = [
                FetchRequest.Topic(topic_id=self._cluster.topic_id(name), partitions=parts)
                if version >= 13
                else FetchRequest.Topic(topic=name, partitions=parts)
                for name, parts in topics.items()
            ]
            request = FetchRequest(
                max_wait_ms=max_wait_ms,
                min_bytes=self._settings.fetch_min_bytes,
                max_bytes=self._settings.fetch_max_bytes,
                isolation_level=self._settings.isolation_level,
                topics=listed,
            )
            names = {self._cluster.topic_id(name): name for name in topics}
            return self._take(take, await connection.call(request, version=version), names)
        except KafkaError as error:
            if not error.retriable:
                raise
            for topic, _ in keys:
                self._cluster.forget_leader(topic)
            await asyncio.sleep(self._cluster.settings.retry_backoff_ms / 1000)
            return []

    def _take(self, take: Take[T], reply: FetchResponse, names: Mapping[bytes, str]) -> list[T]:
        check(reply.error_code)
        taken: list[T] = []
        for topic in reply.responses:
            name = topic.topic or names.get(topic.topic_id, "")
            for p in topic.partitions:
                key = (name, p.partition_index)
                if key not in self.positions:
                    continue
                if p.error_code:
                    self._after_error(key, error_of(p.error_code))
                    continue
                aborted = (
                    [(a.first_offset, a.producer_id) for a in p.aborted_transactions or ()]
                    if self._settings.isolation_level == READ_COMMITTED
                    else []
                )
                taken += take(key, memoryview(p.records or b""), aborted)
        return taken

    def _after_error(self, key: tuple[str, int], error: Error) -> None:
        if error is Error.OFFSET_OUT_OF_RANGE:
            self._at.reset(key)
        elif error in _STALE:
            self._cluster.forget_leader(key[0])
        else:
            raise KafkaError(error)

    def decode(self, key: tuple[str, int], data: memoryview, aborted: list[tuple[int, int]]) -> list[ConsumedRecord]:
        """The records at or behind the position; moves it behind the last batch, control batches included."""
        records: list[ConsumedRecord] = []
        position = self.positions[key]
        aborted = sorted(aborted)
        dropping: set[int] = set()
        for start, header in iterate_headers(data):
            while aborted and aborted[0][0] <= header.last_offset:
                dropping.add(aborted.pop(0)[1])
            batch = data[start : start + header.size]
            if header.is_control:
                for record in decode_records(batch):
                    if control_type(record.key) == ControlType.ABORT:
                        dropping.discard(header.producer_id)
            elif not (header.is_transactional and header.producer_id in dropping):
                records += [
                    ConsumedRecord(*key, r.offset, r.timestamp, header.is_log_append_time, header.leader_epoch, r.key, r.value, r.headers)
                    for r in decode_records(batch)
                    if r.offset >= position
                ]
            self.positions[key] = header.next_offset
            self.epochs[key] = header.leader_epoch
        return records


__all__ = ["READ_COMMITTED", "READ_UNCOMMITTED", "ConsumedRecord", "Consumer", "ConsumerSettings", "LogTruncated", "NoOffset", "TimedOut"]
