"""JoinGroup: who gets into a classic group (G18, G19). KIP-62, 345, 394, 559, 800, 814."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups import rebalancing
from barnabas.core.groups.answers import join_error, sync_error
from barnabas.core.groups.classic_group import COMPLETING_REBALANCE, DEAD, EMPTY, PREPARING_REBALANCE, STABLE, ClassicGroup, Member, protocols_of
from barnabas.core.groups.context import Refused
from barnabas.core.groups.member_memory import OVERHEAD_BYTES
from barnabas.core.groups.modern_group import SHARE, ModernGroup
from barnabas.core.groups.records import GroupRecord
from barnabas.core.groups.settings import NEW_MEMBER_JOIN_TIMEOUT_MS
from barnabas.core.groups.validation import check_member
from barnabas.core.groups.writes import Waiter, Write, client_error
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from barnabas.core.groups.context import Caller, Context, Group
    from barnabas.core.groups.records import KeptRecord
    from barnabas.core.groups.settings import GroupSettings
    from barnabas.wire.messages.join_group import JoinGroupRequest

MEMBER_ID_REQUIRED_SINCE = 4
SKIP_ASSIGNMENT_SINCE = 9


def join_group(context: Context, request: JoinGroupRequest, caller: Caller, waiter: Waiter) -> None:
    """Answered at once, or when the join phase ends. A group is made by its first member without an id, and written at once (G20)."""
    if caller.version == 0:  # it has no rebalance timeout
        request.rebalance_timeout_ms = request.session_timeout_ms
    error = join_request_error(context.settings, request)
    if error:
        _refuse(context, waiter, error, request.member_id)
        return
    group = context.groups.current.get(request.group_id)
    if not _has_memory(context, group, request, caller):
        _refuse(context, waiter, Error.COORDINATOR_NOT_AVAILABLE, request.member_id)
        return
    tombstones: list[KeptRecord] = []
    if isinstance(group, ModernGroup):
        if not group.is_empty or group.kind == SHARE:
            _refuse(context, waiter, Error.INCONSISTENT_GROUP_PROTOCOL)
            return
        tombstones = group.tombstones()
        context.groups.pop(request.group_id, None)
        group = None
    if group is not None:
        context.write_soft(_join(context, group, request, caller, waiter))
    elif request.member_id:
        _refuse(context, waiter, Error.UNKNOWN_MEMBER_ID, request.member_id)
    else:
        _join_new_group(context, request, caller, waiter, tombstones)


def join_request_error(settings: GroupSettings, request: JoinGroupRequest) -> Error:
    """What can be refused without knowing the group."""
    if not request.group_id:
        return Error.INVALID_GROUP_ID
    if not settings.min_session_timeout_ms <= request.session_timeout_ms <= settings.max_session_timeout_ms:
        return Error.INVALID_SESSION_TIMEOUT
    return Error.NONE


def _join_new_group(context: Context, request: JoinGroupRequest, caller: Caller, waiter: Waiter, tombstones: list[KeptRecord]) -> None:
    group = context.make_classic_group(request.group_id)
    value = group.new_value()
    _join(context, group, request, caller, waiter)

    def done(error: Error) -> None:
        if error is not Error.NONE:
            context.reply(waiter, join_error(client_error(error)))
            rebalancing.abandon_if_undone(context, group, error)

    context.write(Write([*tombstones, GroupRecord(group.group_id, value)], done=done, replay=False))


def _join(context: Context, group: ClassicGroup, request: JoinGroupRequest, caller: Caller, waiter: Waiter) -> list[GroupRecord]:
    if not _has_room(context, group, request.member_id):
        group.remove(request.member_id)
        _refuse(context, waiter, Error.GROUP_MAX_SIZE_REACHED)
    elif group.state == DEAD:
        _refuse(context, waiter, Error.COORDINATOR_NOT_AVAILABLE, request.member_id)
    elif not group.supports(request.protocol_type, [protocol.name for protocol in request.protocols]):
        _refuse(context, waiter, Error.INCONSISTENT_GROUP_PROTOCOL, request.member_id)
    elif not request.member_id:
        return _join_without_id(context, group, request, caller, waiter)
    elif request.member_id in group.pending_join:
        if request.group_instance_id is not None:  # ids are only handed out to dynamic members
            _refuse(context, waiter, Error.UNKNOWN_SERVER_ERROR)
        else:
            return _add_member(context, group, request, caller, request.member_id, waiter)
    else:
        return _join_again(context, group, request, caller, waiter)
    return []


def _size(request: JoinGroupRequest, caller: Caller) -> int:
    """Bytes of memory that a member takes after this request."""
    texts = 2 * len(caller.client_id) + len(caller.client_host) + 2 * len(request.group_instance_id or "")  # the member's id begins with one of them
    return OVERHEAD_BYTES + texts + sum([len(protocol.name) + len(protocol.metadata) for protocol in request.protocols])


def _has_memory(context: Context, group: Group | None, request: JoinGroupRequest, caller: Caller) -> bool:
    """Who is a member already may always come again with as much as before."""
    size = _size(request, caller)
    member = group.members.get(request.member_id) if isinstance(group, ClassicGroup) else None
    return context.member_memory.has_room(size) or (member is not None and member.charge is not None and size <= member.charge.size)


def _has_room(context: Context, group: ClassicGroup, member_id: str) -> bool:
    """While a rebalance is prepared, those who have joined count: whoever comes last to a group above its size is out."""
    limit = context.settings.max_size
    if group.state in (EMPTY, DEAD):
        return True
    member = group.members.get(member_id)
    if group.state == PREPARING_REBALANCE:
        return (member is not None and member.awaiting_join is not None) or group.awaiting_join_count < limit
    return member is not None or len(group.members) < limit


def _join_without_id(context: Context, group: ClassicGroup, request: JoinGroupRequest, caller: Caller, waiter: Waiter) -> list[GroupRecord]:
    instance_id = request.group_instance_id
    member_id = f"{caller.client_id if instance_id is None else instance_id}-{context.new_id()}"
    if instance_id is not None:
        old_id = group.static_members.get(instance_id)
        if old_id is not None:
            return _replace_static_member(context, group, request, caller, group.members[old_id], member_id, waiter)
    elif caller.version >= MEMBER_ID_REQUIRED_SINCE:
        group.pending_join[member_id] = context.member_memory.charge(OVERHEAD_BYTES + len(member_id))
        at_ms = context.now_ms + request.session_timeout_ms
        key = rebalancing.heartbeat_key(group.group_id, member_id)
        context.deadlines.arm(key, at_ms, rebalancing.expire_heartbeat, context, group.group_id, member_id)
        _refuse(context, waiter, Error.MEMBER_ID_REQUIRED, member_id)
        return []
    return _add_member(context, group, request, caller, member_id, waiter)


def _add_member(
    context: Context, group: ClassicGroup, request: JoinGroupRequest, caller: Caller, member_id: str, waiter: Waiter
) -> list[GroupRecord]:
    limits = (request.rebalance_timeout_ms, request.session_timeout_ms)
    member = Member(member_id, request.group_instance_id, caller.client_id, caller.client_host, *limits, protocols_of(request))
    member.charge = context.member_memory.charge(_size(request, caller))
    member.is_new = True
    if group.state == PREPARING_REBALANCE and group.previous_state == EMPTY:
        group.new_member_added = True
    if not group.members:
        group.protocol_type = request.protocol_type
    group.add(member, waiter)
    rebalancing.expect_heartbeat(context, group, member, NEW_MEMBER_JOIN_TIMEOUT_MS)
    return rebalancing.rebalance_or_complete(context, group)


def _join_again(context: Context, group: ClassicGroup, request: JoinGroupRequest, caller: Caller, waiter: Waiter) -> list[GroupRecord]:
    try:
        check_member(group, request.member_id, request.group_instance_id)
    except Refused as refused:
        _refuse(context, waiter, refused.error, request.member_id)
        return []
    member = group.members[request.member_id]
    protocols = protocols_of(request)
    leads = group.leader_id == member.member_id
    if group.state == EMPTY:
        _refuse(context, waiter, Error.UNKNOWN_MEMBER_ID, request.member_id)
        return []
    changed = protocols != member.protocols
    if group.state == PREPARING_REBALANCE or changed or (group.state == STABLE and leads):
        parked = member.awaiting_join
        group.update(member, protocols, request.rebalance_timeout_ms, request.session_timeout_ms, waiter)
        member.charge = context.member_memory.charge(_size(request, caller))
        if parked is not None:  # the client has given that one up and asks again
            _refuse(context, parked, Error.REBALANCE_IN_PROGRESS, member.member_id)
        return rebalancing.rebalance_or_complete(context, group)
    members = group.joined_members() if leads and group.state == COMPLETING_REBALANCE else []
    context.reply(waiter, rebalancing.generation_response(group, member.member_id, members=members))
    return []


def _replace_static_member(
    context: Context, group: ClassicGroup, request: JoinGroupRequest, caller: Caller, old: Member, new_id: str, waiter: Waiter
) -> list[GroupRecord]:
    """A static member has restarted: its old incarnation is fenced. In a stable group whose protocol stays the same nobody else notices."""
    leader_before = group.leader_id
    _fence(context, group, old)
    member = group.rename(old, new_id)
    rebalancing.expect_heartbeat(context, group, member)
    group.update(member, protocols_of(request), request.rebalance_timeout_ms, request.session_timeout_ms, waiter)
    member.charge = context.member_memory.charge(_size(request, caller))
    if group.state == COMPLETING_REBALANCE:
        return rebalancing.prepare_rebalance(context, group)  # the leader may have assigned to the old id already
    if group.state != STABLE:
        return rebalancing.complete_join_if_all_joined(context, group)
    if group.protocol_name != group.select_protocol():
        return rebalancing.rebalance_or_complete(context, group)
    _store_replacement(context, group, caller, old, member, leader_before, waiter)
    return []


def _store_replacement(
    context: Context, group: ClassicGroup, caller: Caller, old: Member, member: Member, leader_before: str | None, waiter: Waiter
) -> None:
    def done(error: Error) -> None:
        if member.awaiting_join is not waiter:
            return  # another rebalance has answered it meanwhile, or a later incarnation has taken its place
        group.take_join(member)
        if error is not Error.NONE:
            if error is not Error.REQUEST_TIMED_OUT:  # the record may still be committed: its new id stays
                _undo_replacement(context, group, old, member)
            answer = rebalancing.generation_response(group, "", members=[])
            answer.leader = leader_before or ""
            answer.error_code = client_error(error)
            context.reply(waiter, answer)
            return
        if caller.version >= SKIP_ASSIGNMENT_SINCE:
            leads = group.leader_id == member.member_id
            members = group.joined_members() if leads else []
            context.reply(waiter, rebalancing.generation_response(group, member.member_id, members=members, skip=leads))
        else:  # the old leader's id: an older client would otherwise compute an assignment that nobody wants
            answer = rebalancing.generation_response(group, member.member_id, members=[])
            answer.leader = leader_before or ""
            context.reply(waiter, answer)

    assignment = {each.member_id: each.assignment for each in group.members.values()}
    context.write(Write([GroupRecord(group.group_id, group.value(assignment))], done=done, replay=False))


def _undo_replacement(context: Context, group: ClassicGroup, old: Member, member: Member) -> None:
    group.update(member, old.protocols, old.rebalance_timeout_ms, old.session_timeout_ms, None)
    member.charge = old.charge
    restored = group.rename(member, old.member_id)
    rebalancing.expect_heartbeat(context, group, restored)


def _fence(context: Context, group: ClassicGroup, member: Member) -> None:
    parked = group.take_join(member)
    if parked is not None:
        context.reply(parked, join_error(Error.FENCED_INSTANCE_ID, member.member_id, None))
    if member.awaiting_sync is not None:
        context.reply(member.awaiting_sync, sync_error(Error.FENCED_INSTANCE_ID))
        member.awaiting_sync = None


def _refuse(context: Context, waiter: Waiter, error: Error, member_id: str = "") -> None:
    context.reply(waiter, join_error(error, member_id))
