"""Without a leader: looking for one. With one: fetching its log or its snapshot, and giving it up when it is silent (Q16, Q17, Q39-Q46, Q50, Q52).

Source: KIP-595, KIP-630, KIP-853; Apache's `KafkaRaftClient`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.quorum.member import QuorumBroken
from barnabas.core.quorum.messages import (
    add_voter_request,
    fetch_request,
    fetch_snapshot_request,
    only_partition,
    remove_voter_request,
    update_voter_request,
)
from barnabas.core.quorum.peer_events import AppendFetched, InstallSnapshot, SnapshotId, Truncate, WriteSnapshot
from barnabas.core.quorum.peers import FOREVER
from barnabas.core.quorum.responses import hear, leader_endpoints
from barnabas.core.quorum.roles import Follower, Unattached
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from typing import Any

    from barnabas.core.quorum.member import Member
    from barnabas.core.quorum.peer_events import Failed, Response, SnapshotInstalled
    from barnabas.wire.messages.fetch import FetchResponse
    from barnabas.wire.messages.fetch_snapshot import FetchSnapshotResponse
    from barnabas.wire.messages.update_raft_voter import UpdateRaftVoterResponse
    from barnabas.wire.schema import Message

_AFTER_YOU_MS = 40
"""All followers hear at once that their leader is gone; they ask for votes one after the other, or two would take them from one another."""

# --- what is to be done now


def drive_unattached(member: Member, now_ms: int) -> int:
    """Ask anybody who leads; stand for election in time. When to come back."""
    role = member.role
    assert isinstance(role, Unattached)
    if member.is_voter and now_ms >= role.deadline_ms:
        member.become_prospective(now_ms)
        return now_ms
    return min(role.deadline_ms, _ask_bootstrap(member, now_ms))


def drive_follower(member: Member, now_ms: int) -> int:
    """Fetch; a voter gives up a leader that doesn't answer. When to come back."""
    role = member.role
    assert isinstance(role, Follower)
    if member.is_voter and now_ms >= role.deadline_ms:
        member.become_prospective(now_ms)
        return now_ms
    due_ms = role.deadline_ms if member.is_voter else FOREVER
    if now_ms >= role.update_due_ms and not _tell_leader(member, role, now_ms):
        role.update_due_ms = now_ms + member.settings.fetch_timeout_ms
    if is_waiting_for_disk(member):
        return due_ms
    return min(due_ms, _fetch(member, role, now_ms))


def is_waiting_for_disk(member: Member) -> bool:
    """What a fetch claims to have must be durable, since the leader counts it (T19)."""
    return member.must_sync and member.log.flushed_offset < member.log.end_offset


def _fetch(member: Member, role: Follower, now_ms: int) -> int:
    """From the leader, or from anybody while that is out of reach: who leads may have changed."""
    peers, leader_id = member.peers, member.election.leader_id
    leader = member.peer(leader_id, member.leader_endpoints)
    if leader is None or peers.is_pausing(leader_id, now_ms):
        return min(_ask_bootstrap(member, now_ms), peers.ready_at(leader_id) if leader is not None else FOREVER)
    if peers.has_timed_out(leader_id, now_ms):
        peers.forget(leader_id)
        return _ask_bootstrap(member, now_ms)
    busy_until = peers.busy_until(now_ms)
    if busy_until:
        return busy_until
    snapshot = role.snapshot
    if snapshot is None:
        return member.send_when_ready(leader, lambda: fetch_request(member), now_ms)
    return member.send_when_ready(leader, lambda: fetch_snapshot_request(member, snapshot, role.snapshot_position), now_ms)


def _ask_bootstrap(member: Member, now_ms: int) -> int:
    if is_waiting_for_disk(member):
        return FOREVER
    peer = member.peers.any_bootstrap(now_ms)
    if peer is not None and peer.id != member.local.id:
        member.send(peer, fetch_request(member), now_ms)
    elif peer is not None:
        return now_ms + member.settings.retry_backoff_ms  # it would ask itself
    return member.peers.bootstrap_ready_at(now_ms)


def _tell_leader(member: Member, role: Follower, now_ms: int) -> bool:
    """Have the leader's voters say what this node is; whether there is something to be said that couldn't be yet."""
    build = _what_to_tell(member, role)
    leader = member.peer(member.election.leader_id, member.leader_endpoints)
    if build is None or leader is None:
        return False
    if member.peers.ready_at(leader.id) > now_ms:
        return True
    member.send(leader, build, now_ms)
    return False


def _what_to_tell(member: Member, role: Follower) -> Message | None:
    """A voter's address or versions (Q50); an observer's wish to vote, and that its former directory no longer does (Q52)."""
    version, voters, local = member.history.kraft_version, member.history.voters, member.local
    if member.is_voter:
        wants = voters.needs_update(local) if version >= 1 else not role.has_updated_leader
        return update_voter_request(member) if wants else None
    if version < 1 or not (member.settings.auto_join and member.settings.can_become_voter):
        return None
    former = voters.by_id.get(local.id)
    return add_voter_request(member) if former is None else remove_voter_request(member, former)


# --- what came back


def take_fetch(member: Member, event: Response, now_ms: int) -> bool:
    """The log goes on, or has to go back, or begins anew with a snapshot. Whether the answer made sense."""
    response: Any = event.message
    if response.error_code or len(response.responses) != 1 or len(response.responses[0].partitions) != 1:
        return False
    return _take_fetched_row(member, response, event.peer_id, now_ms)


def _take_fetched_row(member: Member, response: FetchResponse, peer_id: int, now_ms: int) -> bool:
    row = response.responses[0].partitions[0]
    leader = row.current_leader
    endpoints = leader_endpoints(member, leader.leader_id, response.node_endpoints)
    handled = hear(member, row.error_code, leader.leader_id, leader.leader_epoch, endpoints, now_ms)
    if row.error_code == Error.NOT_LEADER_OR_FOLLOWER and peer_id == member.election.leader_id:
        _leader_is_lost(member, now_ms)
    if handled is not None:
        return handled
    role = member.role
    if row.error_code or not isinstance(role, Follower):
        return False
    if row.diverging_epoch.epoch >= 0:
        truncate(member, row.diverging_epoch.epoch, row.diverging_epoch.end_offset)
    elif row.snapshot_id.epoch >= 0 and row.snapshot_id.end_offset >= 0:
        role.snapshot, role.snapshot_position = SnapshotId(row.snapshot_id.epoch, row.snapshot_id.end_offset), 0
    elif row.snapshot_id.epoch >= 0 or row.snapshot_id.end_offset >= 0:
        return False
    else:
        role.leader_high_watermark = row.high_watermark
        if row.records:
            member.effects.append(AppendFetched(bytes(row.records), member.epoch))
            member.awaits_log = True
        follow_high_watermark(member)
    _leader_answered(member, role, now_ms)
    return True


def _leader_answered(member: Member, role: Follower, now_ms: int) -> None:
    role.deadline_ms = now_ms + member.settings.fetch_timeout_ms
    role.has_fetched = True


def truncate(member: Member, epoch: int, end_offset: int) -> None:
    """The leader's log has `epoch` end at `end_offset`; what goes on differently here was never committed (Q41)."""
    target = member.log.truncation_for(epoch, end_offset)
    if member.high_watermark is not None and target < member.high_watermark:
        raise QuorumBroken(
            f"the leader's log of the metadata quorum departs from this one at {target}, before {member.high_watermark}, which is committed"
        )
    if target < member.log.end_offset:
        member.effects.append(Truncate(target))
        member.log.truncate(target)
        member.history.truncate(target)


def follow_high_watermark(member: Member) -> None:
    """What the leader says is committed is so, as far as it has come here."""
    role = member.role
    if isinstance(role, Follower) and role.leader_high_watermark >= 0:
        member.commit(min(role.leader_high_watermark, member.log.end_offset))


def take_snapshot_piece(member: Member, event: Response, now_ms: int) -> bool:
    """Bytes of a snapshot; the last ones put it into the place of the log (Q43, Q44)."""
    response: Any = event.message
    row = None if response.error_code else only_partition(response, topic_field="name")
    if row is None:
        return False
    return _take_piece(member, response, row, now_ms)


def _take_piece(member: Member, response: FetchSnapshotResponse, row: Any, now_ms: int) -> bool:
    endpoints = leader_endpoints(member, row.current_leader.leader_id, response.node_endpoints)
    handled = hear(member, row.error_code, row.current_leader.leader_id, row.current_leader.leader_epoch, endpoints, now_ms)
    if handled is not None:
        return handled
    role = member.role
    if not isinstance(role, Follower):
        return False
    snapshot = SnapshotId(row.snapshot_id.epoch, row.snapshot_id.end_offset)
    if row.error_code or snapshot != role.snapshot or row.position != role.snapshot_position:
        role.snapshot = None  # gone at the leader, or not what was asked for: fetch again, and be told of another
        if row.error_code not in (Error.NONE, Error.SNAPSHOT_NOT_FOUND):
            return False
    else:
        data = bytes(row.unaligned_records)
        member.effects.append(WriteSnapshot(snapshot, role.snapshot_position, data))
        role.snapshot_position += len(data)
        if role.snapshot_position >= row.size:
            _install(member, role, snapshot)
    _leader_answered(member, role, now_ms)
    return True


def _install(member: Member, role: Follower, snapshot: SnapshotId) -> None:
    role.snapshot = None
    if snapshot.end_offset < (member.high_watermark or 0):
        raise QuorumBroken(f"the leader's snapshot ends at {snapshot.end_offset}, before {member.high_watermark}, which is committed here")
    member.effects.append(InstallSnapshot(snapshot))
    member.awaits_log = True


def snapshot_installed(member: Member, event: SnapshotInstalled) -> None:
    """The log begins and ends with the snapshot now, and all of it is committed."""
    member.awaits_log = False
    member.log.restart_at(event.snapshot.epoch, event.snapshot.end_offset)
    member.history.restart()
    for record in event.controls:
        member.history.replay(event.snapshot.end_offset - 1, record)
    member.commit(event.snapshot.end_offset)


def take_update_answer(member: Member, event: Response, now_ms: int) -> bool:
    """The leader knows what this voter is, or doesn't want to know."""
    response: Any = event.message
    return _take_update_answer(member, response, now_ms)


def _take_update_answer(member: Member, response: UpdateRaftVoterResponse, now_ms: int) -> bool:
    from barnabas.core.quorum.voters import Endpoint

    leader = response.current_leader
    listener = member.local.endpoints[0].listener if member.local.endpoints else ""
    told = (Endpoint(listener, leader.host, leader.port),) if leader.leader_id >= 0 and leader.host else ()
    endpoints = told or member.history.voters.endpoints(leader.leader_id)
    handled = hear(member, response.error_code, leader.leader_id, leader.leader_epoch, endpoints, now_ms)
    if handled is not None:
        return handled
    role = member.role
    if isinstance(role, Follower) and response.error_code in (Error.NONE, Error.UNSUPPORTED_VERSION):
        role.has_updated_leader = True
        _leader_answered(member, role, now_ms)
        return True
    return False


def take_join_answer(member: Member, event: Response, now_ms: int) -> bool:
    """To AddRaftVoter or RemoveRaftVoter of this node's own: the voters in the log tell the rest."""
    response: Any = event.message
    if isinstance(member.role, Follower):
        member.role.update_due_ms = now_ms + member.settings.fetch_timeout_ms
    return response.error_code in (Error.NONE, Error.REQUEST_TIMED_OUT, Error.DUPLICATE_VOTER, Error.VOTER_NOT_FOUND)


def take_failure(member: Member, event: Failed, now_ms: int) -> None:
    """The leader's process is gone."""
    if event.is_refused and event.peer_id == member.election.leader_id:
        _leader_is_lost(member, now_ms)


def _leader_is_lost(member: Member, now_ms: int) -> None:
    """It is gone, or says itself that it doesn't lead and knows nobody who does: ask at once whether another should lead, and let others ask (O7)."""
    role = member.role
    if isinstance(role, Follower) and member.take_quick_campaign():
        left = [voter_id for voter_id in member.history.voters.ids if voter_id != member.election.leader_id]
        rank = left.index(member.local.id) if member.local.id in left else 0
        role.deadline_ms = now_ms + rank * _AFTER_YOU_MS
        role.has_fetched = False
