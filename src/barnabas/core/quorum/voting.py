"""Elections: who may be voted for, the campaign of a prospective member and of a candidate, and what their voters answer (Q17-Q24).

Source: KIP-595, KIP-996; Apache's `KafkaRaftClient` and `EpochElection`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.quorum.peers import FOREVER
from barnabas.core.quorum.roles import Candidate, Follower, Prospective, Unattached
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from barnabas.core.quorum.member import Member
    from barnabas.core.quorum.peer_events import Failed, Response
    from barnabas.wire.messages.vote import VoteRequest
    from barnabas.wire.schema import Message

# --- as a voter


def answer_vote(member: Member, request: VoteRequest, version: int, now_ms: int) -> Message:
    """A vote is durable before it is told: the Persist stands before the Reply."""
    from barnabas.core.quorum.messages import epoch_response
    from barnabas.core.quorum.requests import is_for_other_directory, voter_only_error
    from barnabas.wire.messages.vote import VoteResponse

    asked = request.topics[0].partitions[0]
    latest = asked.replica_epoch if asked.pre_vote else asked.replica_epoch - 1
    is_sound = asked.last_offset >= 0 and 0 <= asked.last_offset_epoch <= latest
    error = Error.INVALID_REQUEST if not is_sound else voter_only_error(member, asked.replica_id, asked.replica_epoch)
    if not error and asked.replica_epoch > member.epoch:
        member.become_unattached(asked.replica_epoch, now_ms)
    if not error and is_for_other_directory(member, request.voter_id, asked.voter_directory_id):
        error = Error.INVALID_VOTER_KEY
    is_granted = False
    if not error:
        is_log_good = (asked.last_offset_epoch, asked.last_offset) >= member.log.position
        is_granted = may_grant(member, asked.replica_id, asked.replica_directory_id, is_log_good, is_pre_vote=asked.pre_vote)
        if is_granted and not asked.pre_vote and member.election.voted_id < 0:
            give_vote(member, asked.replica_id, asked.replica_directory_id, now_ms)
    return epoch_response(VoteResponse, member, version, error, vote_granted=is_granted)


def may_grant(member: Member, candidate_id: int, directory_id: bytes, is_log_good: bool, *, is_pre_vote: bool) -> bool:
    """Q22, Q23. A pre-vote is refused while this member hears from a leader, or is one: so a flapping node disturbs nobody."""
    role, election = member.role, member.election
    if is_pre_vote:
        hears_leader = role.name == "Leader" or (isinstance(role, Follower) and role.has_fetched)
        return is_log_good and not hears_leader
    if not isinstance(role, Unattached | Prospective):
        return False
    if election.voted_id >= 0:
        return member.voted_for(candidate_id, directory_id)
    return election.leader_id < 0 and is_log_good


def give_vote(member: Member, candidate_id: int, directory_id: bytes, now_ms: int) -> None:
    """The one vote of this epoch. Whoever gave it waits a whole election before it stands itself."""
    role = member.role
    assert isinstance(role, Unattached | Prospective)
    member.election = member.election._replace(voted_id=candidate_id, voted_directory_id=directory_id)
    role.deadline_ms = member.random_deadline(now_ms) if member.is_voter else FOREVER
    member.persist()


# --- as one who stands for election


def drive(member: Member, now_ms: int) -> int:
    """Ask every voter that hasn't answered; give up in time. When to come back."""
    role = member.role
    assert isinstance(role, Prospective | Candidate)
    if role.tally.is_won:
        win(member, now_ms)
        return now_ms
    if now_ms >= role.deadline_ms or not member.is_voter:
        lose(member, now_ms)
        return now_ms
    due_ms = role.deadline_ms
    if not role.tally.is_lost:
        for voter_id in role.tally.silent:
            due_ms = min(due_ms, _ask(member, voter_id, now_ms))
    return due_ms


def _ask(member: Member, voter_id: int, now_ms: int) -> int:
    from barnabas.core.quorum.messages import vote_request

    voter = member.history.voters.by_id.get(voter_id)
    if voter is None:
        return FOREVER
    is_pre_vote = isinstance(member.role, Prospective)
    return member.send_when_ready(member.peer(voter_id, voter.endpoints), lambda: vote_request(member, voter, is_pre_vote=is_pre_vote), now_ms)


def win(member: Member, now_ms: int) -> None:
    """A majority said yes."""
    if isinstance(member.role, Prospective):
        member.become_candidate(now_ms)
    else:
        member.become_leader(now_ms)


def lose(member: Member, now_ms: int) -> None:
    """The time is over, or a majority of a pre-vote said no: back to the leader if there is one."""
    election = member.election
    if isinstance(member.role, Candidate) and member.is_voter:
        member.become_prospective(now_ms)
    elif isinstance(member.role, Candidate):
        member.become_unattached(election.epoch + 1, now_ms)
    elif election.leader_id >= 0 and election.leader_id != member.local.id and member.leader_endpoints:
        member.become_follower(election.epoch, election.leader_id, member.leader_endpoints, now_ms)
    else:
        member.become_unattached(election.epoch, now_ms, election.leader_id)


def take_answer(member: Member, event: Response, now_ms: int) -> bool:
    """A voter answered; whether the answer made sense."""
    from barnabas.core.quorum.responses import hear, leader_endpoints
    from barnabas.wire.messages.vote import VoteResponse

    response = event.message
    assert isinstance(response, VoteResponse)
    if response.error_code == Error.UNSUPPORTED_VERSION:
        return take_failure(member, now_ms)
    if response.error_code or len(response.topics) != 1 or len(response.topics[0].partitions) != 1:
        return False
    answer = response.topics[0].partitions[0]
    endpoints = leader_endpoints(member, answer.leader_id, response.node_endpoints)
    handled = hear(member, answer.error_code, answer.leader_id, answer.leader_epoch, endpoints, now_ms)
    if handled is not None:
        return handled
    role = member.role
    if answer.error_code == Error.NONE and isinstance(role, Prospective | Candidate):
        role.tally.record(event.peer_id, answer.vote_granted)
        if isinstance(role, Prospective) and role.tally.is_lost:
            lose(member, now_ms)
    return answer.error_code == Error.NONE


def take_failure(member: Member, now_ms: int, event: Failed | None = None) -> bool:
    """A voter that doesn't know pre-votes: the election goes on without them (Q20)."""
    if isinstance(member.role, Prospective) and (event is None or event.is_unsupported):
        member.become_candidate(now_ms)
        return True
    return False
