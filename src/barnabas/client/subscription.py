"""Which partitions a member gets: the assignors of the classic protocol, and the bytes that carry subscriptions and assignments.

Owns: range, roundrobin and cooperative-sticky (KIP-429) as pure functions. Doesn't own when they run (`group`).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.messages.consumer_protocol import ConsumerProtocolAssignment, ConsumerProtocolSubscription
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Partitions = list[tuple[str, int]]
VERSION = 3


class Subscription(NamedTuple):
    """What a member asks for and what it holds."""

    topics: tuple[str, ...]
    owned: tuple[tuple[str, int], ...] = ()
    generation: int = -1
    user_data: bytes | None = None


def encode_subscription(subscription: Subscription) -> bytes:
    owned = [ConsumerProtocolSubscription.TopicPartition(topic=topic, partitions=parts) for topic, parts in _grouped(subscription.owned).items()]
    message = ConsumerProtocolSubscription(
        topics=list(subscription.topics), user_data=subscription.user_data, owned_partitions=owned, generation_id=subscription.generation
    )
    return struct.pack(">h", VERSION) + message.encode(VERSION)


def decode_subscription(data: bytes) -> Subscription:
    """Raises DecodeError."""
    message = ConsumerProtocolSubscription.decode(data[2:], _version(data))
    owned = tuple((part.topic, index) for part in message.owned_partitions for index in part.partitions)
    return Subscription(tuple(message.topics), owned, message.generation_id, message.user_data)


def encode_assignment(partitions: Partitions) -> bytes:
    parts = [ConsumerProtocolAssignment.TopicPartition(topic=topic, partitions=indexes) for topic, indexes in _grouped(partitions).items()]
    return struct.pack(">h", VERSION) + ConsumerProtocolAssignment(assigned_partitions=parts).encode(VERSION)


def decode_assignment(data: bytes) -> Partitions:
    """Empty bytes are an empty assignment. Raises DecodeError."""
    if not data:
        return []
    message = ConsumerProtocolAssignment.decode(data[2:], _version(data))
    return [(part.topic, index) for part in message.assigned_partitions for index in part.partitions]


def _version(data: bytes) -> int:
    """What comes first; a newer version is read as the newest that is known. Raises DecodeError."""
    if len(data) < 2 or data[0] & 0x80:
        raise DecodeError("a version of two bytes, 0 or more, comes first")
    return min(int.from_bytes(data[:2], "big"), VERSION)


def _grouped(partitions: Sequence[tuple[str, int]]) -> dict[str, list[int]]:
    grouped: dict[str, list[int]] = {}
    for topic, index in partitions:
        grouped.setdefault(topic, []).append(index)
    return grouped


def assign(name: str, members: Mapping[str, Subscription], counts: Mapping[str, int]) -> dict[str, Partitions]:
    """By the assignor of this name; `counts` are partitions a topic (unknown topics left out). KeyError for a name that isn't here."""
    return ASSIGNORS[name](members, counts)


def assign_range(members: Mapping[str, Subscription], counts: Mapping[str, int]) -> dict[str, Partitions]:
    """Topic by topic, a run of partitions to each subscriber in the order of member ids."""
    assigned: dict[str, Partitions] = {member: [] for member in members}
    for topic in sorted({topic for subscription in members.values() for topic in subscription.topics}):
        takers = sorted(member for member, subscription in members.items() if topic in subscription.topics)
        each, rest = divmod(counts.get(topic, 0), len(takers))
        start = 0
        for position, member in enumerate(takers):
            end = start + each + (position < rest)
            assigned[member] += [(topic, index) for index in range(start, end)]
            start = end
    return assigned


def assign_roundrobin(members: Mapping[str, Subscription], counts: Mapping[str, int]) -> dict[str, Partitions]:
    """All partitions in order, dealt to the subscribers in turn."""
    assigned: dict[str, Partitions] = {member: [] for member in members}
    order = sorted(members)
    turn = 0
    for topic in sorted({topic for subscription in members.values() for topic in subscription.topics}):
        for index in range(counts.get(topic, 0)):
            while topic not in members[order[turn % len(order)]].topics:
                turn += 1
            assigned[order[turn % len(order)]].append((topic, index))
            turn += 1
    return assigned


def assign_sticky(members: Mapping[str, Subscription], counts: Mapping[str, int]) -> dict[str, Partitions]:
    """As even as the subscriptions allow, each member keeping what it holds where that fits; ties go to the smaller member id."""
    everything = {(topic, index) for topic, count in counts.items() for index in range(count)}
    holders: dict[tuple[str, int], tuple[int, str]] = {}
    for member, subscription in members.items():
        for part in subscription.owned:
            if part in everything and part[0] in subscription.topics:
                claim = (subscription.generation, member)
                holders[part] = max(holders.get(part, claim), claim)
    assigned: dict[str, Partitions] = {member: [] for member in sorted(members)}
    for part in sorted(holders):
        assigned[holders[part][1]].append(part)
    for part in sorted(everything - holders.keys()):
        takers = [member for member in assigned if part[0] in members[member].topics]
        if takers:
            assigned[min(takers, key=lambda member: (len(assigned[member]), member))].append(part)
    _level(assigned, members)
    return assigned


def _level(assigned: dict[str, Partitions], members: Mapping[str, Subscription]) -> None:
    """Moves partitions one by one from the fullest to the emptiest member that may take them, while that narrows the gap."""
    moves = sum(map(len, assigned.values()))
    for _ in range(moves):
        by_load = sorted(assigned, key=lambda member: (len(assigned[member]), member))
        for giver in reversed(by_load):
            found = next(
                (
                    (part, taker)
                    for part in reversed(assigned[giver])
                    for taker in by_load
                    if part[0] in members[taker].topics and len(assigned[giver]) - len(assigned[taker]) > 1
                ),
                None,
            )
            if found:
                assigned[giver].remove(found[0])
                assigned[found[1]].append(found[0])
                break
        else:
            return


def assign_cooperative(members: Mapping[str, Subscription], counts: Mapping[str, int]) -> dict[str, Partitions]:
    """Sticky, but what another member still holds isn't given yet: it gives it up first, and the next round hands it over (KIP-429)."""
    target = assign_sticky(members, counts)
    held = {part: member for member, subscription in members.items() for part in subscription.owned}
    return {member: [part for part in parts if held.get(part, member) == member] for member, parts in target.items()}


ASSIGNORS = {"range": assign_range, "roundrobin": assign_roundrobin, "sticky": assign_sticky, "cooperative-sticky": assign_cooperative}
