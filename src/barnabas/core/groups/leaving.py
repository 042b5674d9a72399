"""LeaveGroup: members go at their own wish, or are removed by an administrator, several at once (KIP-345, 800)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups import rebalancing
from barnabas.core.groups.answers import leave_error
from barnabas.core.groups.classic_group import COMPLETING_REBALANCE, DEAD, PREPARING_REBALANCE, STABLE
from barnabas.core.groups.context import Refused
from barnabas.core.groups.validation import check_member
from barnabas.core.groups.writes import Waiter, Write, client_error
from barnabas.wire.errors import Error
from barnabas.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse

if TYPE_CHECKING:
    from barnabas.core.groups.classic_group import ClassicGroup
    from barnabas.core.groups.context import Context
    from barnabas.core.groups.records import GroupRecord


def leave_group(context: Context, request: LeaveGroupRequest, waiter: Waiter) -> None:
    """`request.members` names who goes, in every version: the handler puts an old request's single member there."""
    if not request.group_id:
        context.reply(waiter, leave_error(Error.INVALID_GROUP_ID))
        return
    group = context.classic_group(request.group_id)
    if group is None:
        context.reply(waiter, LeaveGroupResponse(error_code=Error.NONE, members=[_member(each, Error.UNKNOWN_MEMBER_ID) for each in request.members]))
        return
    if group.state == DEAD:
        context.reply(waiter, leave_error(Error.COORDINATOR_NOT_AVAILABLE))
        return
    members = [_member(each, _leave(context, group, each)) for each in request.members]
    records: list[GroupRecord] = []
    if any(member.error_code == Error.NONE for member in members):
        if group.state in (STABLE, COMPLETING_REBALANCE):
            records = rebalancing.rebalance_or_complete(context, group)
        elif group.state == PREPARING_REBALANCE:
            records = rebalancing.complete_join_if_all_joined(context, group)
    context.write(Write(records, waiter=waiter, response=LeaveGroupResponse(error_code=Error.NONE, members=members), refuse=_refuse, replay=False))


def _leave(context: Context, group: ClassicGroup, who: LeaveGroupRequest.MemberIdentity) -> Error:
    member_id = who.member_id
    if not member_id:  # an administrator names the instance only
        owner = None if who.group_instance_id is None else group.static_members.get(who.group_instance_id)
        if owner is None:
            return Error.UNKNOWN_MEMBER_ID
        member_id = owner
    elif member_id in group.pending_join:
        group.remove(member_id)
        context.deadlines.cancel(rebalancing.heartbeat_key(group.group_id, member_id))
        return Error.NONE
    else:
        try:
            check_member(group, member_id, who.group_instance_id)
        except Refused as refused:
            return refused.error
    context.deadlines.cancel(rebalancing.heartbeat_key(group.group_id, member_id))
    rebalancing.drop_member(context, group, group.members[member_id])
    return Error.NONE


def _member(who: LeaveGroupRequest.MemberIdentity, error: Error) -> LeaveGroupResponse.Member:
    return LeaveGroupResponse.Member(member_id=who.member_id, group_instance_id=who.group_instance_id, error_code=error)


def _refuse(error: Error) -> LeaveGroupResponse:
    return leave_error(client_error(error))
