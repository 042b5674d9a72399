"""How a classic group goes from one generation to the next: joining ends, assignments go out, members are given up.

Owns the transitions between Empty, PreparingRebalance, CompletingRebalance and Stable, and their timers. Who may join or sync stands in
`joining` and `syncing`. Functions that may leave a group empty return the records that say so: the caller writes them without replay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups.answers import join_error, sync_error
from barnabas.core.groups.classic_group import COMPLETING_REBALANCE, DEAD, EMPTY, PREPARING_REBALANCE, STABLE
from barnabas.core.groups.records import GroupRecord
from barnabas.core.groups.writes import client_error
from barnabas.wire.errors import Error
from barnabas.wire.messages.join_group import JoinGroupResponse
from barnabas.wire.messages.sync_group import SyncGroupResponse

if TYPE_CHECKING:
    from barnabas.core.groups.classic_group import ClassicGroup, Member
    from barnabas.core.groups.context import Context


def rebalance_or_complete(context: Context, group: ClassicGroup) -> list[GroupRecord]:
    """Something about the members has changed: start a rebalance, or see whether the one that runs can be completed."""
    if group.can_rebalance:
        return prepare_rebalance(context, group)
    return complete_join_if_all_joined(context, group)


def prepare_rebalance(context: Context, group: ClassicGroup) -> list[GroupRecord]:
    """To PreparingRebalance. An empty group waits a while for more members (G19); others wait until all have joined, or for the timeout."""
    if group.state == COMPLETING_REBALANCE:
        reset_assignments(context, group, Error.REBALANCE_IN_PROGRESS)
    group.pending_sync.clear()
    context.deadlines.cancel(sync_key(group.group_id))
    first = group.state == EMPTY
    group.transition(PREPARING_REBALANCE, context.now_ms)
    if first:
        delay_ms = context.settings.initial_rebalance_delay_ms
        _arm_first_join(context, group.group_id, delay_ms, max(group.rebalance_timeout_ms - delay_ms, 0))
        return []
    if group.all_joined:
        return complete_join(context, group)
    _arm_join(context, group)
    return []


def complete_join_if_all_joined(context: Context, group: ClassicGroup) -> list[GroupRecord]:
    """End the join phase if it waits for nobody. A group's very first one ends by its timer only."""
    if group.state != PREPARING_REBALANCE or group.previous_state == EMPTY or not group.all_joined:
        return []
    return complete_join(context, group)


def complete_join(context: Context, group: ClassicGroup) -> list[GroupRecord]:
    """End the join phase: who hasn't joined is out, unless static; everybody else is told the new generation."""
    context.deadlines.cancel(join_key(group.group_id))
    for member in [member for member in group.members.values() if member.awaiting_join is None and member.instance_id is None]:
        group.remove(member.member_id)
        context.deadlines.cancel(heartbeat_key(group.group_id, member.member_id))
    if group.state == DEAD:
        return []
    if not group.elect_joined_leader() and group.members:
        _arm_join(context, group)  # only static members are left, and none has come back yet: their sessions decide
        return []
    group.start_generation(context.now_ms)
    if group.state == EMPTY:
        return [GroupRecord(group.group_id, group.value({}))]
    _announce_generation(context, group)
    context.deadlines.arm(
        sync_key(group.group_id), context.now_ms + group.rebalance_timeout_ms, _expire_sync, context, group.group_id, group.generation_id
    )
    return []


def generation_response(group: ClassicGroup, member_id: str, *, members: list[JoinGroupResponse.Member], skip: bool = False) -> JoinGroupResponse:
    """The present generation, as a JoinGroup is told."""
    return JoinGroupResponse(
        error_code=Error.NONE,
        generation_id=group.generation_id,
        protocol_type=group.protocol_type,
        protocol_name=group.protocol_name,
        leader=group.leader_id or "",
        skip_assignment=skip,
        member_id=member_id,
        members=members,
    )


def _announce_generation(context: Context, group: ClassicGroup) -> None:
    for member in group.members.values():
        waiter = group.take_join(member)
        if waiter is not None:
            members = group.joined_members() if member.member_id == group.leader_id else []
            context.reply(waiter, generation_response(group, member.member_id, members=members))
        expect_heartbeat(context, group, member)
        member.is_new = False
        group.pending_sync.add(member.member_id)


def reset_assignments(context: Context, group: ClassicGroup, error: Error) -> None:
    """No assignment came about: members that wait for theirs are told why."""
    for member in group.members.values():
        member.assignment = b""
    _answer_syncs(context, group, error)


def set_assignments(context: Context, group: ClassicGroup, assignment: dict[str, bytes]) -> None:
    """The leader's assignment has been written: everybody gets theirs, and the group is stable."""
    for member in group.members.values():
        member.assignment = assignment.get(member.member_id, b"")
    _answer_syncs(context, group, Error.NONE)
    group.transition(STABLE, context.now_ms)


def _answer_syncs(context: Context, group: ClassicGroup, error: Error) -> None:
    type_, name = (group.protocol_type, group.protocol_name) if error is Error.NONE else (None, None)
    for member in group.members.values():
        waiter = member.awaiting_sync
        if waiter is None:
            continue
        member.awaiting_sync = None
        context.reply(waiter, SyncGroupResponse(error_code=error, protocol_type=type_, protocol_name=name, assignment=member.assignment))
        expect_heartbeat(context, group, member)  # a session that ended while it was parked has been overlooked


def expect_heartbeat(context: Context, group: ClassicGroup, member: Member, timeout_ms: int | None = None) -> None:
    """Give a member its session timeout, or `timeout_ms`, from now on."""
    at_ms = context.now_ms + (member.session_timeout_ms if timeout_ms is None else timeout_ms)
    context.deadlines.arm(heartbeat_key(group.group_id, member.member_id), at_ms, expire_heartbeat, context, group.group_id, member.member_id)


def expire_heartbeat(context: Context, group_id: str, member_id: str) -> None:
    """A session has ended, or a new member's time to join."""
    group = context.classic_group(group_id)
    if group is None or group.state == DEAD:
        return
    if member_id in group.pending_join:
        group.remove(member_id)
        if group.state == PREPARING_REBALANCE and group.all_joined:
            context.write_soft(complete_join(context, group))
        return
    member = group.members.get(member_id)
    if member is None or member.keeps_session:
        return
    drop_member(context, group, member)
    if group.state in (STABLE, COMPLETING_REBALANCE):
        context.write_soft(rebalance_or_complete(context, group))
    elif group.state == PREPARING_REBALANCE and group.all_joined:
        context.write_soft(complete_join(context, group))


def drop_member(context: Context, group: ClassicGroup, member: Member) -> None:
    """Take a member out; its parked requests are answered with UNKNOWN_MEMBER_ID, so that a client that is still alive joins anew."""
    waiter = group.take_join(member)
    if waiter is not None:
        context.reply(waiter, join_error(Error.UNKNOWN_MEMBER_ID))
    if member.awaiting_sync is not None:
        context.reply(member.awaiting_sync, sync_error(Error.UNKNOWN_MEMBER_ID))
        member.awaiting_sync = None
    group.remove(member.member_id)


def abandon(context: Context, group: ClassicGroup, error: Error) -> None:
    """The group is gone from here: whoever waits in it is told why, as nobody else would."""
    group.transition(DEAD, context.now_ms)
    for member in group.members.values():
        waiter = group.take_join(member)
        if waiter is not None:
            context.reply(waiter, join_error(error, member.member_id))
        if member.awaiting_sync is not None:
            context.reply(member.awaiting_sync, sync_error(error))
            member.awaiting_sync = None


def abandon_if_undone(context: Context, group: ClassicGroup, error: Error) -> None:
    """The write that made the group failed; if it was undone, so is the group, with those who joined it meanwhile. A late one may still count."""
    if context.groups.current.get(group.group_id) is not group:
        abandon(context, group, client_error(error))


def _expire_sync(context: Context, group_id: str, generation_id: int) -> None:
    """Members that joined and never asked for their assignment are out."""
    group = context.classic_group(group_id)
    if group is None or group.generation_id != generation_id or group.state not in (COMPLETING_REBALANCE, STABLE) or not group.pending_sync:
        return
    for member_id in list(group.pending_sync):
        drop_member(context, group, group.members[member_id])
        context.deadlines.cancel(heartbeat_key(group_id, member_id))
    context.write_soft(prepare_rebalance(context, group))


def _expire_join(context: Context, group_id: str) -> None:
    group = context.classic_group(group_id)
    if group is not None and group.state == PREPARING_REBALANCE:
        context.write_soft(complete_join(context, group))


def _expire_first_join(context: Context, group_id: str, delay_ms: int, remaining_ms: int) -> None:
    """The initial delay is over; if somebody came meanwhile, wait once more, up to the rebalance timeout in all."""
    group = context.classic_group(group_id)
    if group is None or group.state != PREPARING_REBALANCE:
        return
    if group.new_member_added and remaining_ms:
        group.new_member_added = False
        next_delay_ms = min(context.settings.initial_rebalance_delay_ms, remaining_ms)
        _arm_first_join(context, group_id, next_delay_ms, max(remaining_ms - delay_ms, 0))
    else:
        context.write_soft(complete_join(context, group))


def _arm_join(context: Context, group: ClassicGroup) -> None:
    context.deadlines.arm(join_key(group.group_id), context.now_ms + group.rebalance_timeout_ms, _expire_join, context, group.group_id)


def _arm_first_join(context: Context, group_id: str, delay_ms: int, remaining_ms: int) -> None:
    context.deadlines.arm(join_key(group_id), context.now_ms + delay_ms, _expire_first_join, context, group_id, delay_ms, remaining_ms)


def heartbeat_key(group_id: str, member_id: str) -> tuple[str, ...]:
    return ("heartbeat", group_id, member_id)


def join_key(group_id: str) -> tuple[str, ...]:
    return ("join", group_id)


def sync_key(group_id: str) -> tuple[str, ...]:
    return ("sync", group_id)
