"""Adding, removing and updating voters, one change at a time; and raising kraft.version (KIP-853, Q11, Q47-Q52).

A change counts when it is appended, so two sets that differ by one voter may both be in force: each majority of the one meets each of the other.
That is why the next change waits until the last one is committed, and until this leader has committed something of its own.
Source: Apache's `AddVoterHandler`, `RemoveVoterHandler`, `UpdateVoterHandler`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas import SOFTWARE_NAME, __version__
from barnabas.core.quorum.leader import Leader
from barnabas.core.quorum.leading import drain
from barnabas.core.quorum.messages import endpoints_of, update_voter_response
from barnabas.core.quorum.peer_events import Peer, Reply
from barnabas.core.quorum.peers import FOREVER
from barnabas.core.quorum.requests import leader_only_error
from barnabas.core.quorum.voters import Voter
from barnabas.wire.errors import Error
from barnabas.wire.messages.add_raft_voter import AddRaftVoterRequest, AddRaftVoterResponse
from barnabas.wire.messages.remove_raft_voter import RemoveRaftVoterRequest, RemoveRaftVoterResponse
from barnabas.wire.messages.update_raft_voter import UpdateRaftVoterRequest

if TYPE_CHECKING:
    from barnabas.core.quorum.member import Member
    from barnabas.core.quorum.peer_events import Request, Response
    from barnabas.core.quorum.voters import VoterSet
    from barnabas.wire.messages.api_versions import ApiVersionsResponse

KRAFT_VERSION = "kraft.version"
FIRST_WITH_DYNAMIC_VOTERS = 1


class Operation(NamedTuple):
    """A change that somebody waits for."""

    key: int | None
    """Of the reply; None once it was given."""
    is_add: bool
    voter: Voter
    acknowledges_commit: bool
    deadline_ms: int
    offset: int = -1
    """Of the voters record; -1 while the new voter is asked what it understands."""


def answer(member: Member, request: Request, now_ms: int) -> bool:
    """Whether it was such a request."""
    message = request.message
    if isinstance(message, AddRaftVoterRequest):
        _add(member, request.key, message, now_ms)
    elif isinstance(message, RemoveRaftVoterRequest):
        _remove(member, request.key, message, now_ms)
    elif isinstance(message, UpdateRaftVoterRequest):
        error = _update(member, message, now_ms)
        member.effects.append(Reply(request.key, update_voter_response(member, error)))
    else:
        return False
    return True


def _refusal(member: Member, now_ms: int) -> tuple[Error, str | None]:
    """Why no change may begin now; NONE if one may (Q47)."""
    leader = member.role
    error = leader_only_error(member, member.epoch)
    if error or not isinstance(leader, Leader):
        return error, None
    history = member.history
    if leader.operation is not None:
        return Error.REQUEST_TIMED_OUT, "The leader is still busy with another change of voters."
    if leader.high_watermark is None:
        return Error.REQUEST_TIMED_OUT, "The leader hasn't committed anything in its epoch yet: earlier changes of voters may be open."
    if history.kraft_version < FIRST_WITH_DYNAMIC_VOTERS:
        return Error.UNSUPPORTED_VERSION, f"The voters are static, since {KRAFT_VERSION} is {history.kraft_version}: raise it first."
    if history.voters_offset is None or history.voters_offset >= leader.high_watermark:
        return Error.REQUEST_TIMED_OUT, "The last change of voters isn't committed yet."
    return Error.NONE, None


# --- add


def _add(member: Member, key: int, message: AddRaftVoterRequest, now_ms: int) -> None:
    """Ask the newcomer what it understands; the rest follows in `take_versions`."""
    error, text = _refusal(member, now_ms)
    voter = Voter(message.voter_id, message.voter_directory_id, endpoints_of(message.listeners))
    peer = member.peer(voter.id, voter.endpoints)
    if message.cluster_id not in (None, member.cluster_id):
        error, text = Error.INCONSISTENT_CLUSTER_ID, f"This cluster is {member.cluster_id}, not {message.cluster_id}."
    elif error in (Error.NONE, Error.REQUEST_TIMED_OUT) and (voter.id < 0 or voter.directory_id == bytes(16) or peer is None):
        error, text = Error.INVALID_REQUEST, "A voter to be added needs an id, a directory id and an endpoint on the controllers' first listener."
    elif not error and voter.id in member.history.voters.by_id:
        error, text = Error.DUPLICATE_VOTER, f"Voter {voter.id} is one of {list(member.history.voters.ids)} already."
    elif not error and peer is not None and member.peers.ready_at(peer.id) > now_ms:
        error, text = Error.REQUEST_TIMED_OUT, f"Node {peer.id} can't be asked for its versions at the moment."
    if error or peer is None:
        member.effects.append(Reply(key, AddRaftVoterResponse(throttle_time_ms=0, error_code=error, error_message=text)))
        return
    assert isinstance(member.role, Leader)
    member.role.operation = Operation(key, True, voter, message.ack_when_committed, now_ms + member.settings.request_timeout_ms)
    _ask_versions(member, peer, now_ms)


def _ask_versions(member: Member, peer: Peer, now_ms: int) -> None:
    from barnabas.wire.messages.api_versions import ApiVersionsRequest

    member.send(peer, ApiVersionsRequest(client_software_name=SOFTWARE_NAME, client_software_version=__version__), now_ms)


def take_versions(member: Member, event: Response, now_ms: int) -> bool:
    """The newcomer answered: append the voters with it, if it is able and up to date (Q48)."""
    from barnabas.wire.messages.api_versions import ApiVersionsResponse

    leader, response = member.role, event.message
    assert isinstance(response, ApiVersionsResponse)
    if not isinstance(leader, Leader) or leader.operation is None or leader.operation.offset >= 0 or leader.operation.voter.id != event.peer_id:
        return True
    operation = leader.operation
    supported = _supported(response)
    error, text = Error.NONE, None
    if response.error_code:
        error, text = Error.REQUEST_TIMED_OUT, f"Node {operation.voter.id} answered ApiVersions with error {response.error_code}."
    elif not supported[0] <= member.history.kraft_version <= supported[1]:
        error, text = Error.INVALID_REQUEST, f"Node {operation.voter.id} doesn't support {KRAFT_VERSION} {member.history.kraft_version}."
    elif not leader.is_caught_up(operation.voter.id, operation.voter.directory_id, now_ms):
        error, text = Error.REQUEST_TIMED_OUT, f"Node {operation.voter.id} lags behind: let it catch up first."
    if error:
        finish(member, leader, error, text)
        return not response.error_code
    voter = operation.voter._replace(min_kraft_version=supported[0], max_kraft_version=supported[1])
    _append_voters(member, leader, operation, member.history.voters.with_voter(voter))
    return True


def _supported(response: ApiVersionsResponse) -> tuple[int, int]:
    """The range of kraft.version; one that holds nothing if it isn't told."""
    return next(((row.min_version, row.max_version) for row in response.supported_features if row.name == KRAFT_VERSION), (0, 0))


def _append_voters(member: Member, leader: Leader, operation: Operation, voters: VoterSet) -> None:
    drain(member, leader)
    offset = member.append_control((voters.to_record(),))
    if not operation.acknowledges_commit:
        _reply(member, operation, Error.NONE, None)
        operation = operation._replace(key=None)
    leader.operation = operation._replace(offset=offset)


# --- remove


def _remove(member: Member, key: int, message: RemoveRaftVoterRequest, now_ms: int) -> None:
    error, text = _refusal(member, now_ms)
    voters = member.history.voters
    voter = voters.by_id.get(message.voter_id)
    if message.cluster_id not in (None, member.cluster_id):
        error, text = Error.INCONSISTENT_CLUSTER_ID, f"This cluster is {member.cluster_id}, not {message.cluster_id}."
    elif error in (Error.NONE, Error.REQUEST_TIMED_OUT) and (message.voter_id < 0 or message.voter_directory_id == bytes(16)):
        error, text = Error.INVALID_REQUEST, "A voter to be removed is named by its id and its directory id."
    elif not error and (voter is None or voter.directory_id != message.voter_directory_id or len(voters) == 1):
        error, text = Error.VOTER_NOT_FOUND, f"No such voter, or the last one; the voters are {list(voters.ids)}."
    if error or voter is None:
        member.effects.append(Reply(key, RemoveRaftVoterResponse(throttle_time_ms=0, error_code=error, error_message=text)))
        return
    leader = member.role
    assert isinstance(leader, Leader)
    operation = Operation(key, False, voter, True, now_ms + member.settings.request_timeout_ms)
    _append_voters(member, leader, operation, voters.without(voter.id))


# --- update


def _update(member: Member, message: UpdateRaftVoterRequest, now_ms: int) -> Error:
    """A voter tells its endpoints and versions (Q50)."""
    if message.cluster_id not in (None, member.cluster_id):
        return Error.INCONSISTENT_CLUSTER_ID
    error = leader_only_error(member, message.current_leader_epoch)
    leader = member.role
    if error or not isinstance(leader, Leader):
        return error
    versions = message.k_raft_version_feature
    lowest, highest = versions.min_supported_version, versions.max_supported_version
    voter = Voter(message.voter_id, message.voter_directory_id, endpoints_of(message.listeners), lowest, highest)
    if voter.id < 0 or voter.directory_id == bytes(16) or member.default_endpoint(voter.endpoints) is None or not 0 <= lowest <= highest:
        return Error.INVALID_REQUEST
    if leader.operation is not None or leader.high_watermark is None:
        return Error.REQUEST_TIMED_OUT
    if not lowest <= member.history.kraft_version <= highest:
        return Error.INVALID_REQUEST
    error = _store_update(member, leader, voter)
    if not error:
        leader.heard_from(voter.id, voter.directory_id, now_ms, member.settings.check_quorum_timeout_ms)
    return error


def _store_update(member: Member, leader: Leader, voter: Voter) -> Error:
    """In the log; while voters are static in memory, until kraft.version is raised."""
    history = member.history
    if history.kraft_version < FIRST_WITH_DYNAMIC_VOTERS:
        if leader.known_voters is None:
            return Error.REQUEST_TIMED_OUT
        if voter.id not in leader.known_voters.by_id:
            return Error.VOTER_NOT_FOUND
        leader.known_voters = leader.known_voters.with_voter(voter)
        return Error.NONE
    if history.voters_offset is None or leader.high_watermark is None or history.voters_offset >= leader.high_watermark:
        return Error.REQUEST_TIMED_OUT
    if not history.voters.contains(voter.id, voter.directory_id):
        return Error.VOTER_NOT_FOUND
    drain(member, leader)
    member.append_control((history.voters.with_voter(voter).to_record(),))
    return Error.NONE


# --- the end of a change


def committed(member: Member, leader: Leader, high_watermark: int) -> None:
    """Whoever waits for the change hears of it. A leader that was removed leads until then, and no longer (Q49)."""
    operation = leader.operation
    if operation is not None and 0 <= operation.offset < high_watermark:
        finish(member, leader, Error.NONE)
    voters_offset = member.history.voters_offset
    if not member.is_voter and voters_offset is not None and voters_offset < high_watermark:
        leader.must_resign = True


def expire(member: Member, leader: Leader, now_ms: int) -> int:
    """Give up a change that takes too long; its record may still be committed. When to look again."""
    if leader.operation is None:
        return FOREVER
    if leader.operation.deadline_ms <= now_ms:
        finish(member, leader, Error.REQUEST_TIMED_OUT)
        return FOREVER
    return leader.operation.deadline_ms


def finish(member: Member, leader: Leader, error: Error, text: str | None = None) -> None:
    """Answer the change that is under way, if there is one."""
    operation, leader.operation = leader.operation, None
    if operation is not None:
        _reply(member, operation, error, text)


def _reply(member: Member, operation: Operation, error: Error, text: str | None) -> None:
    if operation.key is not None:
        response_type = AddRaftVoterResponse if operation.is_add else RemoveRaftVoterResponse
        member.effects.append(Reply(operation.key, response_type(throttle_time_ms=0, error_code=error, error_message=text)))


def failed(member: Member, peer_id: int) -> None:
    """The newcomer can't be reached."""
    leader = member.role
    if isinstance(leader, Leader) and leader.operation is not None and leader.operation.offset < 0 and leader.operation.voter.id == peer_id:
        finish(member, leader, Error.REQUEST_TIMED_OUT, f"Node {peer_id} can't be reached.")
