"""Membership of a classic consumer group: join, sync, heartbeat, leave, commit; as leader, the assignment. And what it shares with members of other groups.

Owns: the member's side of the protocol, one rebalance after another. Doesn't own fetching (`consumer`), the assignors (`subscription`), nor groups that their
coordinators share out (`consumer_group`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.errors import Error
from barnabas.wire.messages.heartbeat import HeartbeatRequest
from barnabas.wire.messages.join_group import JoinGroupRequest
from barnabas.wire.messages.leave_group import LeaveGroupRequest
from barnabas.wire.messages.sync_group import SyncGroupRequest

from .admin import groups
from .errors import ConnectionLost, KafkaError, check
from .subscription import Partitions, Subscription, assign, decode_assignment, decode_subscription, encode_assignment, encode_subscription

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from barnabas.wire.messages.join_group import JoinGroupResponse

    from .cluster import Cluster
    from .connection import Connection

PROTOCOL_TYPE = "consumer"
COOPERATIVE = "cooperative-sticky"
_LOST_PLACE = (Error.UNKNOWN_MEMBER_ID, Error.ILLEGAL_GENERATION)
_FIND_AGAIN = (Error.NOT_COORDINATOR, Error.COORDINATOR_NOT_AVAILABLE)
MAX_ROUNDS = 100


class GroupSettings(NamedTuple):
    """Kafka's consumer settings of these names; assignors by the names that groups use, preferred first."""

    group_id: str
    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 3_000
    max_poll_interval_ms: int = 300_000
    instance_id: str | None = None
    assignors: tuple[str, ...] = ("range", "cooperative-sticky")


class Membership(NamedTuple):
    """Whom a coordinator knows a member by, and since which generation, or member epoch: what a transaction commits offsets for."""

    group_id: str
    generation: int = -1
    member_id: str = ""
    instance_id: str | None = None


class Place:
    """A member's place in a group, whatever its protocol: whom to ask, the epoch that fences, the offsets committed by it."""

    def __init__(self, cluster: Cluster, group_id: str, instance_id: str | None = None) -> None:
        self._cluster = cluster
        self._group_id = group_id
        self._instance_id = instance_id
        self._coordinator: int | None = None
        self._purpose = f"member {id(self)}"
        self.member_id = ""
        self.generation = -1
        """Or the member's epoch."""
        self.assigned: Partitions = []

    @property
    def membership(self) -> Membership:
        return Membership(self._group_id, self.generation, self.member_id, self._instance_id)

    async def committed(self, partitions: Partitions) -> dict[tuple[str, int], groups.Committed]:
        """What the group committed of these; those without are left out."""
        wanted: dict[str, list[int]] = {}
        for topic, index in partitions:
            wanted.setdefault(topic, []).append(index)

        async def attempt() -> dict[tuple[str, int], groups.Committed]:
            try:
                return await groups.fetch_committed(await self.connection(), self._group_id, wanted, stable=True)
            except KafkaError as error:
                self.after(error)
                raise

        return await self._cluster.retrying("offsetFetch", attempt)

    async def commit(self, offsets: Mapping[tuple[str, int], groups.Committed]) -> None:
        """Raises KafkaError; REBALANCE_IN_PROGRESS and the like mean that the partitions may be somebody else's by now."""
        if not offsets:
            return

        async def attempt() -> None:
            try:
                await groups.commit(
                    await self.connection(),
                    self._group_id,
                    offsets,
                    generation=self.generation,
                    member_id=self.member_id,
                    instance_id=self._instance_id,
                )
            except KafkaError as error:
                self.after(error)
                raise

        await self._cluster.retrying("offsetCommit", attempt)

    async def connection(self) -> Connection:
        if self._coordinator is None:
            self._coordinator = await groups.coordinator(self._cluster, self._group_id)
        return await self._cluster.connection(self._coordinator, self._purpose)

    def release(self) -> None:
        """The member is gone."""
        self._cluster.release(self._purpose)
        self.member_id, self.generation, self.assigned = "", -1, []

    def after(self, error: KafkaError) -> None:
        """What an error says about the group's keeper."""
        if isinstance(error, ConnectionLost) or error.error in _FIND_AGAIN:
            self._coordinator = None


class Member(Place):
    """One member. `join` until it returns; then call `beat` often; when it says so, join again."""

    def __init__(self, cluster: Cluster, settings: GroupSettings) -> None:
        super().__init__(cluster, settings.group_id, settings.instance_id)
        self._settings = settings
        self._last_beat_s = 0.0
        self.protocol = ""
        self.topics: tuple[str, ...] = ()

    async def join(self, topics: Iterable[str]) -> Partitions:
        """Through as many rounds as it takes to what this member may consume; cooperative members hold on to what they keep. Raises KafkaError."""
        self.topics = tuple(sorted(topics))
        for _ in range(MAX_ROUNDS):
            assigned = await self._cluster.retrying("joinGroup", self._join_once)
            lost = set(self.assigned) - set(assigned)
            self.assigned = assigned
            self._last_beat_s = time.monotonic()
            if self.protocol != COOPERATIVE or not lost:
                return assigned
        raise KafkaError(Error.REBALANCE_IN_PROGRESS, f"The group didn't settle within {MAX_ROUNDS} rounds.")

    async def _join_once(self) -> Partitions:
        connection = await self.connection()
        try:
            joined = await self._enter(connection)
            assignments = await self._assign(joined) if joined.leader == joined.member_id and not joined.skip_assignment else {}
            return await self._sync(connection, assignments)
        except KafkaError as error:
            self.after(error)
            if error.error in (Error.REBALANCE_IN_PROGRESS, Error.MEMBER_ID_REQUIRED, *_LOST_PLACE, *_FIND_AGAIN):
                raise KafkaError(Error.COORDINATOR_LOAD_IN_PROGRESS, str(error)) from error  # retriable: another round
            raise

    async def _enter(self, connection: Connection) -> JoinGroupResponse:
        settings = self._settings
        owned = tuple(self.assigned) if COOPERATIVE in settings.assignors else ()
        metadata = encode_subscription(Subscription(self.topics, owned, self.generation))
        while True:
            request = JoinGroupRequest(
                group_id=settings.group_id,
                session_timeout_ms=settings.session_timeout_ms,
                rebalance_timeout_ms=settings.max_poll_interval_ms,
                member_id=self.member_id,
                group_instance_id=settings.instance_id,
                protocol_type=PROTOCOL_TYPE,
                protocols=[JoinGroupRequest.Protocol(name=name, metadata=metadata) for name in settings.assignors],
            )
            reply: JoinGroupResponse = await connection.call(request, timeout_s=settings.max_poll_interval_ms / 1000 + 5)
            if reply.error_code == Error.MEMBER_ID_REQUIRED and not self.member_id:
                self.member_id = reply.member_id  # KIP-394: an id first, then the way in
                continue
            check(reply.error_code)
            self.member_id, self.generation, self.protocol = reply.member_id, reply.generation_id, reply.protocol_name or ""
            return reply

    async def _assign(self, joined: JoinGroupResponse) -> Mapping[str, Partitions]:
        """What the leader does: everybody's subscriptions to everybody's partitions."""
        members = {member.member_id: decode_subscription(member.metadata) for member in joined.members}
        wanted = {topic for subscription in members.values() for topic in subscription.topics}
        await self._cluster.refresh(sorted(wanted))
        counts = {topic: len(self._cluster.topics[topic].partitions) for topic in wanted if topic in self._cluster.topics}
        return assign(self.protocol, members, counts)

    async def _sync(self, connection: Connection, assignments: Mapping[str, Partitions]) -> Partitions:
        request = SyncGroupRequest(
            group_id=self._settings.group_id,
            generation_id=self.generation,
            member_id=self.member_id,
            group_instance_id=self._settings.instance_id,
            protocol_type=PROTOCOL_TYPE,
            protocol_name=self.protocol,
            assignments=[SyncGroupRequest.Assignment(member_id=member, assignment=encode_assignment(parts)) for member, parts in assignments.items()],
        )
        reply = await connection.call(request, timeout_s=self._settings.max_poll_interval_ms / 1000 + 5)
        check(reply.error_code)
        return decode_assignment(reply.assignment)

    async def beat(self) -> bool:
        """A heartbeat if one is due. False: the group rebalances or has forgotten this member; join again. Raises KafkaError when it may not come back."""
        if (time.monotonic() - self._last_beat_s) * 1000 < self._settings.heartbeat_interval_ms:
            return True
        try:
            connection = await self.connection()
            request = HeartbeatRequest(
                group_id=self._settings.group_id,
                generation_id=self.generation,
                member_id=self.member_id,
                group_instance_id=self._settings.instance_id,
            )
            check((await connection.call(request)).error_code)
        except KafkaError as error:
            self.after(error)
            if error.error is Error.REBALANCE_IN_PROGRESS or error.error in _LOST_PLACE:
                return False
            if not error.retriable:
                raise
            return True
        self._last_beat_s = time.monotonic()
        return True

    async def leave(self) -> None:
        """Static members (with an instance id) keep their place until the session ends, as Kafka's own do."""
        if not self.member_id or self._settings.instance_id is not None:
            return
        try:
            connection = await self.connection()
            members = [LeaveGroupRequest.MemberIdentity(member_id=self.member_id, reason="the consumer is being closed")]
            version = connection.version_of(LeaveGroupRequest)
            request = (
                LeaveGroupRequest(group_id=self._settings.group_id, members=members)
                if version >= 3
                else LeaveGroupRequest(group_id=self._settings.group_id, member_id=self.member_id)
            )
            await connection.call(request)
        except KafkaError:
            pass  # the session's end tells the group
        self.release()

    def after(self, error: KafkaError) -> None:
        """And about this member's place."""
        super().after(error)
        if error.error in _LOST_PLACE:
            if error.error is Error.UNKNOWN_MEMBER_ID:
                self.member_id = ""
            self.generation, self.assigned = -1, []
