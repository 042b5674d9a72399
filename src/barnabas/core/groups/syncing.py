"""SyncGroup and Heartbeat: members of a generation fetch their assignment and stay alive (G18, W31). KIP-62, 345, 559."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups import rebalancing
from barnabas.core.groups.answers import heartbeat_error, sync_error
from barnabas.core.groups.classic_group import COMPLETING_REBALANCE, DEAD, EMPTY, PREPARING_REBALANCE
from barnabas.core.groups.context import Refused
from barnabas.core.groups.records import GroupRecord
from barnabas.core.groups.validation import check_member
from barnabas.core.groups.writes import Waiter, Write, client_error
from barnabas.wire.errors import Error
from barnabas.wire.messages.heartbeat import HeartbeatResponse
from barnabas.wire.messages.sync_group import SyncGroupResponse

if TYPE_CHECKING:
    from barnabas.core.groups.classic_group import ClassicGroup
    from barnabas.core.groups.context import Context
    from barnabas.wire.messages.heartbeat import HeartbeatRequest
    from barnabas.wire.messages.sync_group import SyncGroupRequest


def sync_group(context: Context, request: SyncGroupRequest, waiter: Waiter) -> None:
    """Answered when the leader's assignment has been written; at once if the group is stable."""
    try:
        group = _checked_group(context, request)
    except Refused as refused:
        context.reply(waiter, sync_error(refused.error))
        return
    member = group.members[request.member_id]
    if group.state == PREPARING_REBALANCE:
        context.reply(waiter, sync_error(Error.REBALANCE_IN_PROGRESS))
        return
    group.pending_sync.discard(member.member_id)
    if not group.pending_sync:
        context.deadlines.cancel(rebalancing.sync_key(group.group_id))
    if group.state == COMPLETING_REBALANCE:
        if member.awaiting_sync is not None:  # the client has given that one up and asks again
            context.reply(member.awaiting_sync, sync_error(Error.REBALANCE_IN_PROGRESS))
        member.awaiting_sync = waiter
        if group.leader_id == member.member_id:
            _store_assignment(context, group, request)
        return
    type_, name = group.protocol_type, group.protocol_name
    context.reply(waiter, SyncGroupResponse(error_code=Error.NONE, protocol_type=type_, protocol_name=name, assignment=member.assignment))


def _checked_group(context: Context, request: SyncGroupRequest) -> ClassicGroup:
    if not request.group_id:
        raise Refused(Error.INVALID_GROUP_ID)
    group = context.classic_group(request.group_id)
    if group is None or group.state == EMPTY:
        raise Refused(Error.UNKNOWN_MEMBER_ID)
    if group.state == DEAD:
        raise Refused(Error.COORDINATOR_NOT_AVAILABLE)
    check_member(group, request.member_id, request.group_instance_id)
    if request.generation_id != group.generation_id:
        raise Refused(Error.ILLEGAL_GENERATION)
    for said, true in ((request.protocol_type, group.protocol_type), (request.protocol_name, group.protocol_name)):
        if said is not None and true is not None and said != true:
            raise Refused(Error.INCONSISTENT_GROUP_PROTOCOL)
    return group


def _store_assignment(context: Context, group: ClassicGroup, request: SyncGroupRequest) -> None:
    """Write the leader's assignment. Members that it left out get an empty one."""
    generation_id = group.generation_id
    assignment = {each.member_id: each.assignment for each in request.assignments}

    def done(error: Error) -> None:
        if group.state != COMPLETING_REBALANCE or group.generation_id != generation_id:
            return  # another rebalance has begun meanwhile, and has answered everybody
        if error is Error.NONE:
            rebalancing.set_assignments(context, group, assignment)
        else:
            rebalancing.reset_assignments(context, group, client_error(error))
            context.write_soft(rebalancing.rebalance_or_complete(context, group))

    context.write(Write([GroupRecord(group.group_id, group.value(assignment))], done=done, replay=False))


def heartbeat(context: Context, request: HeartbeatRequest, waiter: Waiter) -> None:
    """Keeps a session; tells the member that it must join again. Waits for writes before it, as everything that isn't a read."""
    try:
        error = _heartbeat(context, request)
    except Refused as refused:
        context.reply(waiter, heartbeat_error(refused.error))
        return
    context.write(Write([], waiter=waiter, response=heartbeat_error(error), refuse=_refuse_heartbeat))


def _heartbeat(context: Context, request: HeartbeatRequest) -> Error:
    if not request.group_id:
        raise Refused(Error.INVALID_GROUP_ID)
    group = context.classic_group(request.group_id)
    if group is None:
        raise Refused(Error.UNKNOWN_MEMBER_ID)
    if group.state == DEAD:
        raise Refused(Error.COORDINATOR_NOT_AVAILABLE)
    check_member(group, request.member_id, request.group_instance_id)
    if request.generation_id != group.generation_id:
        raise Refused(Error.ILLEGAL_GENERATION)
    rebalancing.expect_heartbeat(context, group, group.members[request.member_id])
    return Error.REBALANCE_IN_PROGRESS if group.state == PREPARING_REBALANCE else Error.NONE


def _refuse_heartbeat(error: Error) -> HeartbeatResponse:
    return heartbeat_error(client_error(error))
