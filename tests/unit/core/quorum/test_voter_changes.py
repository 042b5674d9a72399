"""Adding, removing, updating voters, and making static ones dynamic (KIP-853: Q10, Q11, Q47-Q52)."""

from __future__ import annotations

from typing import Any

import pytest

from barnabas.core.quorum.events import AppendControl, Election, RaiseKRaftVersion
from barnabas.core.quorum.log_shape import LogShape
from barnabas.core.quorum.peer_events import Reply
from barnabas.core.quorum.quorum import QuorumRefused
from barnabas.core.quorum.settings import QuorumSettings
from barnabas.core.quorum.voters import Voter
from barnabas.wire.errors import Error
from barnabas.wire.messages.add_raft_voter import AddRaftVoterRequest
from barnabas.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from barnabas.wire.messages.remove_raft_voter import RemoveRaftVoterRequest
from barnabas.wire.messages.update_raft_voter import UpdateRaftVoterRequest
from barnabas.wire.types import ZERO_UUID
from tests.quorum_members import CLUSTER, Play, voter


def leader(**options: Any) -> Play:
    """Of epoch 1; its first batch is committed."""
    play = Play(**options).elect().sync()
    play.fetch(2, play.quorum.log.end_offset, 1)
    assert play.quorum.high_watermark == play.quorum.log.end_offset
    return play


def add(play: Play, new: Voter, **options: Any) -> Any:
    listeners = [AddRaftVoterRequest.Listener(name=name, host=host, port=port) for name, host, port in new.endpoints]
    fields = {"cluster_id": CLUSTER, "timeout_ms": 1_000, "voter_id": new.id, "voter_directory_id": new.directory_id, "listeners": listeners}
    return play.ask(AddRaftVoterRequest(**{**fields, **options}), 1)


def remove(play: Play, old: Voter) -> Any:
    return play.ask(RemoveRaftVoterRequest(cluster_id=CLUSTER, voter_id=old.id, voter_directory_id=old.directory_id), 0)


def update(play: Play, changed: Voter) -> Any:
    request = UpdateRaftVoterRequest
    return play.ask(
        request(
            cluster_id=CLUSTER,
            current_leader_epoch=play.quorum.epoch,
            voter_id=changed.id,
            voter_directory_id=changed.directory_id,
            listeners=[request.Listener(name=name, host=host, port=port) for name, host, port in changed.endpoints],
            k_raft_version_feature=request.KRaftVersionFeature(min_supported_version=0, max_supported_version=1),
        ),
        0,
    )


def tell_versions(play: Play, highest: int = 1) -> None:
    features = [ApiVersionsResponse.SupportedFeatureKey(name="kraft.version", min_version=0, max_version=highest)]
    play.answer(play.sent(ApiVersionsRequest)[-1], ApiVersionsResponse(error_code=0, api_keys=[], supported_features=features))


def commit(play: Play) -> None:
    play.sync()
    for replica in play.quorum.voters.ids:
        if replica != 1:
            play.fetch(replica, play.quorum.log.end_offset, 1)


def test_a_voter_is_added_when_it_is_able_and_level_and_counts_at_once() -> None:
    play = leader()
    play.fetch(4, play.quorum.log.end_offset, 1)
    assert add(play, voter(4)) is None
    tell_versions(play)
    assert len(play.all(AppendControl)) == 1 and play.quorum.voters.ids == (1, 2, 3, 4)
    assert add(play, voter(5)).error_code == Error.REQUEST_TIMED_OUT  # one change at a time
    play.sync()
    play.fetch(2, play.quorum.log.end_offset, 1)
    assert play.quorum.high_watermark == play.quorum.log.end_offset - 1  # two of four aren't a majority any more
    play.fetch(4, play.quorum.log.end_offset, 1)
    assert [reply.message.error_code for reply in play.all(Reply) if not hasattr(reply.message, "responses")] == [0]


@pytest.mark.parametrize(("highest", "is_level", "error"), [(0, True, Error.INVALID_REQUEST), (1, False, Error.REQUEST_TIMED_OUT)])
def test_who_isnt_fit_is_not_added(highest: int, is_level: bool, error: Error) -> None:
    play = leader()
    if is_level:
        play.fetch(4, play.quorum.log.end_offset, 1)
    add(play, voter(4))
    tell_versions(play, highest)
    assert play.all(Reply)[-1].message.error_code == error and play.quorum.voters.ids == (1, 2, 3)


def test_mistakes_in_changes_are_answered_as_apache_does() -> None:
    play = leader()
    assert add(play, voter(2)).error_code == Error.DUPLICATE_VOTER
    assert add(play, voter(4)._replace(endpoints=())).error_code == Error.INVALID_REQUEST
    assert add(play, voter(4)._replace(directory_id=bytes(16))).error_code == Error.INVALID_REQUEST
    assert add(play, voter(4), cluster_id="other").error_code == Error.INCONSISTENT_CLUSTER_ID
    assert remove(play, voter(3, b"x" * 16)).error_code == Error.VOTER_NOT_FOUND
    assert remove(play, voter(9)).error_code == Error.VOTER_NOT_FOUND
    assert update(play, voter(9)).error_code == Error.VOTER_NOT_FOUND
    assert remove(Play(election=Election(5)).follow(2, 6), voter(3)).error_code == Error.NOT_LEADER_OR_FOLLOWER
    assert remove(Play().elect(), voter(3)).error_code == Error.REQUEST_TIMED_OUT  # nothing of its epoch is committed
    assert remove(leader(dynamic=False), voter(3)).error_code == Error.UNSUPPORTED_VERSION


def test_a_removed_leader_leads_until_that_is_committed() -> None:
    play = leader()
    assert remove(play, voter(1)) is None
    assert play.quorum.voters.ids == (2, 3) and play.quorum.is_leader
    play.sync()
    play.fetch(2, play.quorum.log.end_offset, 1)
    assert play.quorum.is_leader  # it doesn't count itself any more
    play.fetch(3, play.quorum.log.end_offset, 1)
    assert play.quorum.state == "Resigned"


def test_a_voter_that_moved_tells_the_leader() -> None:
    play = leader()
    moved = voter(2)._replace(endpoints=(voter(2).endpoints[0]._replace(port=1),))
    assert update(play, moved).error_code == 0
    assert play.quorum.voters.by_id[2] == moved and len(play.all(AppendControl)) == 1
    follower = Play(log=LogShape(1, [(1, 0)]), election=Election(5))
    follower.quorum.history.voters.by_id[1] = voter(1)._replace(endpoints=moved.endpoints)
    follower.follow(2, 6)
    for _ in range(4):
        for send in [send for send in follower.effects if type(getattr(send, "message", None)).__name__ == "FetchRequest"]:
            follower.now_ms += 1_000
            follower.answer_fetch(send, 2)  # type: ignore[arg-type]
    assert follower.sent(UpdateRaftVoterRequest)


def test_static_voters_become_dynamic_once_all_are_known() -> None:
    play = leader(dynamic=False)
    with pytest.raises(QuorumRefused, match="directories"):
        play.happen(RaiseKRaftVersion(1))
    for voter_id in (2, 3):
        assert update(play, voter(voter_id)).error_code == 0
    commit(play)
    assert described(play) == ([(1, ZERO_UUID), (2, ZERO_UUID), (3, ZERO_UUID)], [])
    play.happen(RaiseKRaftVersion(1))
    named = [(voter_id, voter(voter_id).directory_id) for voter_id in (1, 2, 3)]
    assert described(play) == (named, [])
    assert len(play.all(AppendControl)[0].records) == 2
    assert [known.directory_id for known in play.quorum.voters.by_id.values()] == [voter(i).directory_id for i in (1, 2, 3)]
    commit(play)
    assert play.quorum.high_watermark == play.quorum.log.end_offset
    assert described(play) == (named, [])


def described(play: Play) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    found = play.quorum.describe(play.now_ms)
    assert found is not None
    return sorted((seen.id, seen.directory_id) for seen in found.voters), sorted((seen.id, seen.directory_id) for seen in found.observers)


def test_an_observer_that_may_joins_and_gives_up_its_former_disk() -> None:
    settings = QuorumSettings(auto_join=True)
    for local, kind in ((4, AddRaftVoterRequest), (3, RemoveRaftVoterRequest)):
        play = Play(local=local, settings=settings, election=Election(5))
        if local == 3:
            play.quorum.history.voters.by_id[3] = voter(3, b"x" * 16)
        play.follow(2, 6)
        play.now_ms += 2_100
        play.answer_fetch(play.sent(type(play.sent(object)[-1].message))[-1], 2)
        assert play.sent(kind)
