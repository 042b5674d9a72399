"""What every answer of a peer tells: its epoch and leader, and the errors that mean the same everywhere (Q5, Q6, Q26, Q27).

Source: Apache's `KafkaRaftClient.maybeHandleCommonResponse` and `maybeTransition`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.core.quorum.messages import leader_endpoints_of
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.core.quorum.member import Member
    from barnabas.core.quorum.voters import Endpoint


def leader_endpoints(member: Member, leader_id: int, rows: Iterable[Any]) -> tuple[Endpoint, ...]:
    """Where the leader is that a response names: as it says, else as the voters say."""
    listener = member.local.endpoints[0].listener if member.local.endpoints else ""
    return leader_endpoints_of(listener, leader_id, rows) or member.history.voters.endpoints(leader_id)


def learn(member: Member, leader_id: int, epoch: int, endpoints: tuple[Endpoint, ...], now_ms: int) -> None:
    """`leader_id` (-1: nobody yet) leads `epoch`: follow it, if that is news."""
    known = member.election
    if epoch < known.epoch or _contradicts(member, leader_id, epoch):
        return
    if epoch > known.epoch:
        if leader_id == member.local.id:
            member.become_unattached(epoch, now_ms)  # what this node once was, before its disk was replaced
        elif leader_id >= 0 and endpoints:
            member.become_follower(epoch, leader_id, endpoints, now_ms)
        else:
            member.become_unattached(epoch, now_ms, leader_id)
    elif leader_id >= 0 and leader_id != member.local.id and endpoints and (known.leader_id < 0 or len(endpoints) > len(member.leader_endpoints)):
        member.become_follower(epoch, leader_id, endpoints, now_ms)


def _contradicts(member: Member, leader_id: int, epoch: int) -> bool:
    """Two leaders of one epoch. Apache ends its process; here it is said and left alone."""
    known = member.election
    if leader_id < 0 or known.leader_id < 0 or epoch != known.epoch or known.leader_id == leader_id:
        return False
    member.contradict(f"A peer says that {leader_id} leads epoch {epoch} of the metadata quorum; here {known.leader_id} does.")
    return True


def hear(member: Member, error: int, leader_id: int, epoch: int, endpoints: tuple[Endpoint, ...], now_ms: int) -> bool | None:
    """Take from a response what all of them tell. Whether that was all, and a success; None when the rest is to be looked at, too."""
    known = member.election
    if epoch < known.epoch or error == Error.UNKNOWN_LEADER_EPOCH:
        return True
    if epoch > known.epoch or error in (Error.FENCED_LEADER_EPOCH, Error.NOT_LEADER_OR_FOLLOWER):
        learn(member, leader_id, epoch, endpoints, now_ms)
        return member.election != known  # nothing learned: don't ask again at once
    if _contradicts(member, leader_id, epoch):
        return False
    if leader_id >= 0 and known.leader_id < 0 and endpoints and leader_id != member.local.id:
        member.become_follower(epoch, leader_id, endpoints, now_ms)
        return None if error == Error.NONE else True
    if error == Error.INVALID_REQUEST:
        member.contradict("A peer calls a request of the metadata quorum invalid that this node sent.")
        return False
    if error == Error.BROKER_NOT_AVAILABLE:
        return False
    return True if error == Error.INVALID_VOTER_KEY else None
