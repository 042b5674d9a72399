"""The leader's duties: its log, the high watermark, telling the voters that it leads; and its farewell once it resigned (Q28-Q35).

Source: KIP-595; Apache's `KafkaRaftClient`. What replicas fetch is `fetch_answers`, changes of voters are `voter_changes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.quorum.leader import Leader
from barnabas.core.quorum.peers import FOREVER
from barnabas.core.quorum.roles import Resigned
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from barnabas.core.quorum.member import Member
    from barnabas.core.quorum.peer_events import Propose, Response


def drive(member: Member, now_ms: int) -> int:
    """Lead, or resign when it is time to. When to come back."""
    leader = member.role
    assert isinstance(leader, Leader)
    is_alone = len(member.history.voters) == 1 and member.is_voter
    if member.is_stopping or leader.must_resign or (now_ms >= leader.check_quorum_ms and not is_alone):
        member.become_resigned(now_ms)
        return now_ms
    due_ms = FOREVER if is_alone else leader.check_quorum_ms
    if leader.accumulator is not None and leader.accumulator.due_ms is not None:
        if leader.accumulator.due_ms <= now_ms:
            drain(member, leader)
        else:
            due_ms = min(due_ms, leader.accumulator.due_ms)
    if not is_alone:
        due_ms = min(due_ms, _announce_leadership(member, leader, now_ms))
    if leader.operation is not None or leader.parked:
        due_ms = min(due_ms, _expire(member, leader, now_ms))
    return due_ms


def _announce_leadership(member: Member, leader: Leader, now_ms: int) -> int:
    """BeginQuorumEpoch to every voter that doesn't fetch."""
    from barnabas.core.quorum.messages import begin_request

    interval_ms = member.settings.begin_epoch_interval_ms
    if now_ms >= leader.begin_due_ms:
        for voter in leader.voters_not_fetching(now_ms, interval_ms):
            member.send_when_ready(member.peer(voter.id, voter.endpoints), lambda voter=voter: begin_request(member, voter), now_ms)  # type: ignore[misc]
        leader.begin_due_ms = now_ms + interval_ms
    return leader.begin_due_ms


def _expire(member: Member, leader: Leader, now_ms: int) -> int:
    from barnabas.core.quorum import fetch_answers, voter_changes

    return min(fetch_answers.expire(member, leader, now_ms), voter_changes.expire(member, leader, now_ms))


# --- the log


def propose(member: Member, event: Propose, now_ms: int) -> int:
    """The offset that the first record will have. Written at once when the disk is idle (O8). Raises TooManyBatches, ValueError."""
    from barnabas.core.quorum.batching import MAX_BATCH_BYTES, Accumulator

    leader = member.role
    if not isinstance(leader, Leader) or member.is_stopping:
        raise ValueError("records were proposed to a member of the metadata quorum that doesn't lead it")
    if not event.records or event.size_bytes > MAX_BATCH_BYTES:
        raise ValueError(f"{len(event.records)} metadata records of {event.size_bytes} bytes don't make a batch")
    if leader.accumulator is None:
        leader.accumulator = Accumulator(member.log.end_offset, member.settings.append_linger_ms)
    accumulator = leader.accumulator
    if accumulator.due_ms is None:
        accumulator.next_offset = member.log.end_offset
    offset = accumulator.add(event.records, event.size_bytes, now_ms)
    if member.log.flushed_offset == member.log.end_offset:
        drain(member, leader)
    return offset


def drain(member: Member, leader: Leader) -> None:
    """Write what was proposed."""
    if leader.accumulator is not None:
        from barnabas.core.quorum.peer_events import AppendProposed

        for batch in leader.accumulator.drain():
            member.log.append(batch.base_offset, batch.base_offset + len(batch.records), leader.epoch)
            member.effects.append(AppendProposed(leader.epoch, batch.base_offset, batch.records))


def flushed(member: Member, leader: Leader, now_ms: int) -> None:
    """The local log is durable: only now this node counts itself (O9)."""
    advanced = leader.local_flushed(member.log.flushed_offset)
    if advanced is not None:
        committed(member, leader, advanced, now_ms)
    if member.log.flushed_offset == member.log.end_offset:
        drain(member, leader)


def committed(member: Member, leader: Leader, offset: int, now_ms: int) -> None:
    """A majority has everything below `offset`."""
    member.commit(offset)
    if leader.operation is not None or not member.is_voter:
        from barnabas.core.quorum import voter_changes

        voter_changes.committed(member, leader, offset)


def tell_followers(member: Member, leader: Leader, now_ms: int) -> None:
    """Whoever waits for more of the log, or for its commit, is answered (Q31, O19)."""
    if leader.parked:
        from barnabas.core.quorum import fetch_answers

        fetch_answers.wake(member, leader, now_ms)


# --- giving up


def dismiss_waiting(member: Member, leader: Leader) -> None:
    """The leadership is lost: nobody shall wait for it."""
    from barnabas.core.quorum import fetch_answers, voter_changes

    fetch_answers.dismiss(member, leader)
    voter_changes.finish(member, leader, Error.NOT_LEADER_OR_FOLLOWER)


def drive_resigned(member: Member, now_ms: int) -> int:
    """Tell the voters who should follow, then wait for one of them. When to come back."""
    from barnabas.core.quorum.messages import end_request

    role = member.role
    assert isinstance(role, Resigned)
    if now_ms >= role.deadline_ms and not member.is_stopping:
        member.become_unattached(member.epoch + 1, now_ms)
        return now_ms
    due_ms = FOREVER if member.is_stopping else role.deadline_ms
    for voter_id in sorted(role.unacknowledged):
        peer = member.peer(voter_id, member.history.voters.endpoints(voter_id))
        due_ms = min(due_ms, member.send_when_ready(peer, lambda: end_request(member, role.successors), now_ms))
    return due_ms


def take_begin_answer(member: Member, event: Response, now_ms: int) -> bool:
    """A voter heard that this node leads."""
    return _take_answer(member, event, now_ms) is not False


def take_end_answer(member: Member, event: Response, now_ms: int) -> bool:
    """A voter heard that this node leads no longer."""
    outcome = _take_answer(member, event, now_ms)
    if outcome is None and isinstance(member.role, Resigned):
        member.role.unacknowledged.discard(event.peer_id)
    return outcome is not False


def _take_answer(member: Member, event: Response, now_ms: int) -> bool | None:
    from barnabas.core.quorum.responses import hear, leader_endpoints
    from barnabas.wire.messages.begin_quorum_epoch import BeginQuorumEpochResponse
    from barnabas.wire.messages.end_quorum_epoch import EndQuorumEpochResponse

    response = event.message
    assert isinstance(response, BeginQuorumEpochResponse | EndQuorumEpochResponse)
    if response.error_code or len(response.topics) != 1 or len(response.topics[0].partitions) != 1:
        return False
    answer = response.topics[0].partitions[0]
    endpoints = leader_endpoints(member, answer.leader_id, response.node_endpoints)
    handled = hear(member, answer.error_code, answer.leader_id, answer.leader_epoch, endpoints, now_ms)
    if handled is not None:
        return handled
    return None if answer.error_code == Error.NONE else False
