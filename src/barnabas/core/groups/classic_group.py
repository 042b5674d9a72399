"""A classic group and its members: who is in it, what each supports, which state it is in. Owns no timers, records or replies.

Membership in flight lives here and nowhere else: it is not durable until the leader's assignment is written (G18-G20).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.core.groups.partitioning import java_hash
from barnabas.wire.logs.group_coordinator import GroupMetadataValue
from barnabas.wire.messages.consumer_protocol import ConsumerProtocolSubscription
from barnabas.wire.messages.join_group import JoinGroupResponse
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from barnabas.core.groups.member_memory import Charge
    from barnabas.core.groups.writes import Waiter

EMPTY = "Empty"
PREPARING_REBALANCE = "PreparingRebalance"
COMPLETING_REBALANCE = "CompletingRebalance"
STABLE = "Stable"
DEAD = "Dead"

# To each state: the states that it may be entered from.
TRANSITIONS = {
    EMPTY: frozenset((PREPARING_REBALANCE,)),
    PREPARING_REBALANCE: frozenset((STABLE, COMPLETING_REBALANCE, EMPTY)),
    COMPLETING_REBALANCE: frozenset((PREPARING_REBALANCE,)),
    STABLE: frozenset((COMPLETING_REBALANCE,)),
    DEAD: frozenset((STABLE, PREPARING_REBALANCE, COMPLETING_REBALANCE, EMPTY, DEAD)),
}

CONSUMER_PROTOCOL_TYPE = "consumer"
NO_TIMESTAMP = -1

Protocols = tuple[tuple[str, bytes], ...]  # (name, metadata), the member's favourite first


class Member:
    """One member. `awaiting_join` and `awaiting_sync` are the parked requests of it, if any."""

    __slots__ = (
        "assignment",
        "awaiting_join",
        "awaiting_sync",
        "charge",
        "client_host",
        "client_id",
        "instance_id",
        "is_new",
        "member_id",
        "protocols",
        "rebalance_timeout_ms",
        "session_timeout_ms",
    )

    def __init__(
        self,
        member_id: str,
        instance_id: str | None,
        client_id: str,
        client_host: str,
        rebalance_timeout_ms: int,
        session_timeout_ms: int,
        protocols: Protocols,
        assignment: bytes = b"",
    ) -> None:
        self.member_id = member_id
        self.instance_id = instance_id
        self.client_id = client_id
        self.client_host = client_host
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.session_timeout_ms = session_timeout_ms
        self.protocols = protocols
        self.assignment = assignment
        self.awaiting_join: Waiter | None = None
        self.awaiting_sync: Waiter | None = None
        self.charge: Charge | None = None  # None: it came from the log
        self.is_new = False

    def metadata(self, protocol_name: str | None) -> bytes:
        for name, metadata in self.protocols:
            if name == protocol_name:
                return metadata
        raise AssertionError(f"member {self.member_id} doesn't support the group's protocol {protocol_name}")

    @property
    def keeps_session(self) -> bool:
        """Whether it can't be expected to send heartbeats: it waits for us. A new member may be given up all the same."""
        return not self.is_new and (self.awaiting_join is not None or self.awaiting_sync is not None)


class ClassicGroup:
    """A group of the classic protocol. `generation_id` rises with each completed rebalance."""

    __slots__ = (
        "awaiting_join_count",
        "generation_id",
        "group_id",
        "leader_id",
        "members",
        "new_member_added",
        "pending_join",
        "pending_sync",
        "previous_state",
        "protocol_name",
        "protocol_type",
        "state",
        "state_since_ms",
        "static_members",
        "subscribed_topics",
        "supported_protocols",
    )

    kind = "classic"

    def __init__(self, group_id: str, state: str, state_since_ms: int, generation_id: int = 0) -> None:
        self.group_id = group_id
        self.state = state
        self.previous_state = DEAD
        self.state_since_ms = state_since_ms  # -1: not known, an old record
        self.generation_id = generation_id
        self.protocol_type: str | None = None
        self.protocol_name: str | None = None
        self.leader_id: str | None = None
        self.members: dict[str, Member] = {}
        self.static_members: dict[str, str] = {}  # instance id -> member id
        self.pending_join: dict[str, Charge] = {}  # ids handed out, not joined yet (KIP-394)
        self.pending_sync: set[str] = set()  # joined this generation, not synced yet
        self.awaiting_join_count = 0
        self.supported_protocols: dict[str, int] = {}  # name -> how many members support it
        self.subscribed_topics: frozenset[str] | None = None  # None: not known
        self.new_member_added = False

    @property
    def is_empty(self) -> bool:
        return self.state == EMPTY

    @property
    def is_simple(self) -> bool:
        """Only a place for offsets; nobody ever joined it."""
        return self.protocol_type is None and self.state == EMPTY and not self.pending_join

    @property
    def can_rebalance(self) -> bool:
        return self.state in TRANSITIONS[PREPARING_REBALANCE]

    @property
    def uses_consumer_protocol(self) -> bool:
        return self.protocol_type == CONSUMER_PROTOCOL_TYPE

    @property
    def all_joined(self) -> bool:
        return len(self.members) == self.awaiting_join_count and not self.pending_join

    @property
    def rebalance_timeout_ms(self) -> int:
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    def transition(self, state: str, now_ms: int) -> None:
        assert self.state in TRANSITIONS[state], f"group {self.group_id} can't go from {self.state} to {state}"
        self.previous_state = self.state
        self.state = state
        self.state_since_ms = now_ms

    def add(self, member: Member, waiter: Waiter | None) -> None:
        if member.instance_id is not None:
            assert member.instance_id not in self.static_members, f"instance {member.instance_id} is already in group {self.group_id}"
            self.static_members[member.instance_id] = member.member_id
        self.members[member.member_id] = member
        if self.leader_id is None:
            self.leader_id = member.member_id
        self._count_protocols(member, 1)
        member.awaiting_join = waiter
        if waiter is not None:
            self.awaiting_join_count += 1
        self.pending_join.pop(member.member_id, None)

    def remove(self, member_id: str) -> None:
        """Forget a member or a pending one. A leader is followed by the oldest member."""
        member = self.members.pop(member_id, None)
        if member is not None:
            self._count_protocols(member, -1)
            if member.awaiting_join is not None:
                self.awaiting_join_count -= 1
            if member.instance_id is not None:
                self.static_members.pop(member.instance_id, None)
        if self.leader_id == member_id:
            self.leader_id = next(iter(self.members), None)
        self.pending_join.pop(member_id, None)
        self.pending_sync.discard(member_id)

    def rename(self, member: Member, new_id: str) -> Member:
        """Give a static member's place to its next incarnation: a new id, everything else the same. Nothing of `member` may be parked."""
        assert member.awaiting_join is None
        assert member.awaiting_sync is None
        old_id = member.member_id
        limits = (member.rebalance_timeout_ms, member.session_timeout_ms)
        successor = Member(new_id, member.instance_id, member.client_id, member.client_host, *limits, member.protocols, member.assignment)
        successor.charge = member.charge
        del self.members[old_id]
        self.members[new_id] = successor
        assert member.instance_id is not None
        self.static_members[member.instance_id] = new_id
        if self.leader_id == old_id:
            self.leader_id = new_id
        self.pending_sync.discard(old_id)
        return successor

    def update(self, member: Member, protocols: Protocols, rebalance_timeout_ms: int, session_timeout_ms: int, waiter: Waiter | None) -> None:
        self._count_protocols(member, -1)
        member.protocols = protocols
        self._count_protocols(member, 1)
        member.rebalance_timeout_ms = rebalance_timeout_ms
        member.session_timeout_ms = session_timeout_ms
        self.awaiting_join_count += (waiter is not None) - (member.awaiting_join is not None)
        member.awaiting_join = waiter

    def take_join(self, member: Member) -> Waiter | None:
        """The member's parked JoinGroup, which is parked no longer."""
        waiter = member.awaiting_join
        if waiter is not None:
            member.awaiting_join = None
            self.awaiting_join_count -= 1
        return waiter

    def supports(self, protocol_type: str, protocols: Collection[str]) -> bool:
        """Whether somebody with these protocols may join: any type may join an empty group."""
        if self.state == EMPTY:
            return bool(protocol_type) and bool(protocols)
        everyone = len(self.members)
        return self.protocol_type == protocol_type and any(self.supported_protocols.get(name, 0) == everyone for name in protocols)

    def elect_joined_leader(self) -> bool:
        """Make sure that the leader is one who has joined again. False if there is no leader or nobody has."""
        if self.leader_id is None:
            return False
        if self.members[self.leader_id].awaiting_join is not None:
            return True
        for member in self.members.values():
            if member.awaiting_join is not None:
                self.leader_id = member.member_id
                return True
        return False

    def select_protocol(self) -> str:
        """Each member votes for its favourite among those that all support; most votes win."""
        everyone = len(self.members)
        candidates = {name for name, count in self.supported_protocols.items() if count == everyone}
        votes: dict[str, int] = {}
        for member in self.members.values():
            choice = next(name for name, _ in member.protocols if name in candidates)
            votes[choice] = votes.get(choice, 0) + 1
        return min(votes, key=lambda name: (-votes[name], _java_map_position(name)))

    def start_generation(self, now_ms: int) -> None:
        """The next generation, of those who have joined: CompletingRebalance, or Empty if nobody has."""
        self.generation_id += 1
        self.protocol_name = self.select_protocol() if self.members else None
        self.subscribed_topics = self._subscribed_topics()
        self.transition(COMPLETING_REBALANCE if self.members else EMPTY, now_ms)
        self.pending_sync.clear()

    def is_subscribed(self, topic: str) -> bool:
        """Whether the group's members read the topic; if that isn't known, consumers may."""
        if self.subscribed_topics is None:
            return self.uses_consumer_protocol
        return topic in self.subscribed_topics

    def joined_members(self) -> list[JoinGroupResponse.Member]:
        """What the leader is told: all members with their metadata for the chosen protocol."""
        make = JoinGroupResponse.Member
        name = self.protocol_name
        return [make(member_id=m.member_id, group_instance_id=m.instance_id, metadata=m.metadata(name)) for m in self.members.values()]

    def value(self, assignment: dict[str, bytes]) -> GroupMetadataValue:
        """The group's record with these assignments (G20)."""
        make = GroupMetadataValue.MemberMetadata
        return GroupMetadataValue(
            protocol_type=self.protocol_type or "",
            generation=self.generation_id,
            protocol=self.protocol_name,
            leader=self.leader_id,
            current_state_timestamp=self.state_since_ms,
            members=[
                make(
                    member_id=member.member_id,
                    group_instance_id=member.instance_id,
                    client_id=member.client_id,
                    client_host=member.client_host,
                    rebalance_timeout=member.rebalance_timeout_ms,
                    session_timeout=member.session_timeout_ms,
                    subscription=member.metadata(self.protocol_name),
                    assignment=assignment.get(member.member_id, b""),
                )
                for member in self.members.values()
            ],
        )

    def new_value(self) -> GroupMetadataValue:
        """The record of a group that has just been made for its first member: still empty, generation 0."""
        return GroupMetadataValue(protocol_type="", generation=0, protocol=None, leader=None, current_state_timestamp=self.state_since_ms, members=[])

    def _subscribed_topics(self) -> frozenset[str] | None:
        if not self.uses_consumer_protocol:
            return None
        if not self.members:
            return frozenset()
        if self.protocol_name is None:
            return None
        metadata = {member.metadata(self.protocol_name) for member in self.members.values()}
        try:
            return frozenset().union(*(consumer_topics(each) for each in metadata))
        except DecodeError:
            return None

    def _count_protocols(self, member: Member, step: int) -> None:
        counts = self.supported_protocols
        for name, _ in member.protocols:
            count = counts.get(name, 0) + step
            if count:
                counts[name] = count
            else:
                del counts[name]


def group_from_record(group_id: str, value: GroupMetadataValue) -> ClassicGroup:
    """The group that a record describes: Stable with its members, or Empty."""
    group = ClassicGroup(group_id, STABLE if value.members else EMPTY, value.current_state_timestamp, value.generation)
    group.protocol_type = value.protocol_type or None
    group.protocol_name = value.protocol if value.protocol is not None or not value.members else ""
    group.leader_id = value.leader
    for saved in value.members:
        rebalance_timeout_ms = saved.session_timeout if saved.rebalance_timeout == -1 else saved.rebalance_timeout
        limits = (rebalance_timeout_ms, saved.session_timeout)
        protocols = ((group.protocol_name or "", saved.subscription),)
        group.add(Member(saved.member_id, saved.group_instance_id, saved.client_id, saved.client_host, *limits, protocols, saved.assignment), None)
    group.subscribed_topics = group._subscribed_topics()
    return group


def consumer_topics(metadata: bytes) -> Sequence[str]:
    """The topics in a consumer's subscription, whatever its version: version 0 begins all others. DecodeError if it isn't one."""
    if len(metadata) < 2:
        raise DecodeError("a consumer's subscription has no version")
    if metadata[0] & 0x80:
        raise DecodeError("a consumer's subscription has a negative version")
    return ConsumerProtocolSubscription.decode_from(metadata[2:], 0)[0].topics


def protocols_of(request: Any) -> Protocols:
    """The protocols in a JoinGroup, names once each."""
    return tuple({protocol.name: protocol.metadata for protocol in request.protocols}.items())


def _java_map_position(text: str) -> int:
    """Where Java's HashMap of up to twelve entries would come to `text`: what decides a tie there."""
    value = java_hash(text) & 0xFFFFFFFF
    return (value ^ value >> 16) & 15
