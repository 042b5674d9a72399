"""A member's talk with its peers: who looks at which request and which answer; and what a controller wants of its leader.

Loaded when there is somebody to talk to. Source: Apache's `KafkaRaftClient`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.quorum import following, leading, requests, voter_changes, voting
from barnabas.core.quorum.leader import Leader
from barnabas.core.quorum.peer_events import Failed, PeerEvent, Propose, Request, Resign, Response, SnapshotInstalled

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.quorum.member import Member

TAKERS: dict[str, Callable[[Member, Response, int], bool]] = {
    "VoteResponse": voting.take_answer,
    "BeginQuorumEpochResponse": leading.take_begin_answer,
    "EndQuorumEpochResponse": leading.take_end_answer,
    "FetchResponse": following.take_fetch,
    "FetchSnapshotResponse": following.take_snapshot_piece,
    "UpdateRaftVoterResponse": following.take_update_answer,
    "AddRaftVoterResponse": following.take_join_answer,
    "RemoveRaftVoterResponse": following.take_join_answer,
    "ApiVersionsResponse": voter_changes.take_versions,
}
"""What looks at a response. Each says whether it made sense: a peer that doesn't is left alone for a while."""


def take(member: Member, event: PeerEvent, now_ms: int) -> None:
    if isinstance(event, Request):
        requests.answer(member, event, now_ms)
    elif isinstance(event, Response | Failed):
        if member.peers.expects(event.peer_id, event.correlation_id):
            is_success = _answered(member, event, now_ms)
            member.peers.answered(event.peer_id, event.correlation_id, is_success, now_ms)
    elif isinstance(event, Propose):
        leading.propose(member, event, now_ms)
    elif isinstance(event, SnapshotInstalled):
        following.snapshot_installed(member, event)
    elif isinstance(event, Resign) and isinstance(member.role, Leader) and event.epoch == member.epoch:
        member.role.must_resign = True


def _answered(member: Member, event: Response | Failed, now_ms: int) -> bool:
    """A request of this member's has its answer, or never will."""
    if isinstance(event, Response):
        return TAKERS[type(event.message).__name__](member, event, now_ms)
    voting.take_failure(member, now_ms, event)
    following.take_failure(member, event, now_ms)
    voter_changes.failed(member, event.peer_id)
    return False
