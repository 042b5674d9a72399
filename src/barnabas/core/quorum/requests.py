"""Requests of peers: which module answers which, and the checks that all of them share (Q4, Q24-Q27).

Source: Apache's `KafkaRaftClient`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.quorum.leader import Leader
from barnabas.core.quorum.messages import endpoints_of, epoch_response, only_partition
from barnabas.core.quorum.peer_events import Reply
from barnabas.core.quorum.responses import learn
from barnabas.core.quorum.roles import Follower
from barnabas.wire.errors import Error
from barnabas.wire.messages.begin_quorum_epoch import BeginQuorumEpochRequest, BeginQuorumEpochResponse
from barnabas.wire.messages.end_quorum_epoch import EndQuorumEpochRequest, EndQuorumEpochResponse
from barnabas.wire.messages.vote import VoteRequest, VoteResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.core.quorum.member import Member
    from barnabas.core.quorum.peer_events import Request
    from barnabas.wire.schema import Message

# --- checks


def voter_only_error(member: Member, sender_id: int, epoch: int) -> Error:
    """Of a request that a candidate or a leader sends. Whether it votes here doesn't matter: one of the two may be behind (Q25)."""
    if epoch < member.epoch:
        return Error.FENCED_LEADER_EPOCH
    return Error.INVALID_REQUEST if sender_id < 0 else Error.NONE


def leader_only_error(member: Member, epoch: int) -> Error:
    """Of a request that only the leader of `epoch` answers (Q26)."""
    if epoch < member.epoch:
        return Error.FENCED_LEADER_EPOCH
    if epoch > member.epoch:
        return Error.UNKNOWN_LEADER_EPOCH
    if not isinstance(member.role, Leader):
        return Error.NOT_LEADER_OR_FOLLOWER
    return Error.BROKER_NOT_AVAILABLE if member.is_stopping else Error.NONE


def is_for_other_directory(member: Member, voter_id: int, directory_id: bytes) -> bool:
    """Whether the sender means another replica: another id, or this node before its disk was replaced (Q24)."""
    return voter_id >= 0 and (voter_id != member.local.id or directory_id not in (bytes(16), member.local.directory_id))


# --- requests


def answer(member: Member, request: Request, now_ms: int) -> None:
    """Do what a peer or a tool asks, and reply, now or later."""
    message = request.message
    if isinstance(message, VoteRequest | BeginQuorumEpochRequest | EndQuorumEpochRequest):
        reply = _answer_election(member, message, request.version, now_ms)
    else:
        from barnabas.core.quorum import fetch_answers, voter_changes

        if fetch_answers.answer(member, request, now_ms) or voter_changes.answer(member, request, now_ms):
            return
        raise TypeError(f"{type(message).__name__} is no request of the quorum")
    member.effects.append(Reply(request.key, reply))


def _answer_election(member: Member, message: VoteRequest | BeginQuorumEpochRequest | EndQuorumEpochRequest, version: int, now_ms: int) -> Message:
    response_type: type[VoteResponse] | type[BeginQuorumEpochResponse] | type[EndQuorumEpochResponse]
    if isinstance(message, VoteRequest):
        response_type = VoteResponse
    else:
        response_type = BeginQuorumEpochResponse if isinstance(message, BeginQuorumEpochRequest) else EndQuorumEpochResponse
    if message.cluster_id not in (None, member.cluster_id):
        return response_type(error_code=Error.INCONSISTENT_CLUSTER_ID, topics=[])
    if only_partition(message, topic_field="topic_name") is None:
        return response_type(error_code=Error.INVALID_REQUEST, topics=[])
    if isinstance(message, VoteRequest):
        from barnabas.core.quorum.voting import answer_vote

        return answer_vote(member, message, version, now_ms)
    if isinstance(message, BeginQuorumEpochRequest):
        return _answer_begin(member, message, version, now_ms)
    return _answer_end(member, message, version, now_ms)


def _answer_begin(member: Member, request: BeginQuorumEpochRequest, version: int, now_ms: int) -> Message:
    """The sender leads (Q33)."""
    asked = request.topics[0].partitions[0]
    error = voter_only_error(member, asked.leader_id, asked.leader_epoch)
    if not error:
        endpoints = endpoints_of(request.leader_endpoints) or member.history.voters.endpoints(asked.leader_id)
        learn(member, asked.leader_id, asked.leader_epoch, endpoints, now_ms)
        if is_for_other_directory(member, request.voter_id, asked.voter_directory_id):
            error = Error.INVALID_VOTER_KEY
    return epoch_response(BeginQuorumEpochResponse, member, version, error)


def _answer_end(member: Member, request: EndQuorumEpochRequest, version: int, now_ms: int) -> Message:
    """The sender leads no longer: stand for election when it is this member's turn (Q34)."""
    asked = request.topics[0].partitions[0]
    error = voter_only_error(member, asked.leader_id, asked.leader_epoch)
    if not error:
        endpoints = endpoints_of(request.leader_endpoints) or member.history.voters.endpoints(asked.leader_id)
        learn(member, asked.leader_id, asked.leader_epoch, endpoints, now_ms)
        role = member.role
        if isinstance(role, Follower) and member.election.leader_id == asked.leader_id:
            candidates = [(row.candidate_id, row.candidate_directory_id) for row in asked.preferred_candidates]
            candidates = candidates or [(successor, bytes(16)) for successor in asked.preferred_successors]
            role.deadline_ms = now_ms + election_backoff_ms(member, candidates)
            role.has_fetched = False  # it has no leader to hold on to: a pre-vote may be granted
    return epoch_response(EndQuorumEpochResponse, member, version, error)


def election_backoff_ms(member: Member, candidates: Iterable[tuple[int, bytes]]) -> int:
    """The first candidate doesn't wait; each one after it twice as long as the one before; a stranger longest."""
    ordered = list(candidates)
    longest = member.settings.election_backoff_max_ms
    for position, (candidate_id, directory_id) in enumerate(ordered):
        if candidate_id == member.local.id and directory_id in (bytes(16), member.local.directory_id):
            return 0 if position == 0 else min(longest, (longest >> (len(ordered) - 1)) << (position - 1))
    return longest if ordered else 0
