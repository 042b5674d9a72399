"""DescribeGroups, ListGroups and DeleteGroups: what an administrator sees of groups. Listing and describing read committed state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups.answers import delete_error, describe_error
from barnabas.core.groups.classic_group import DEAD, EMPTY, STABLE, ClassicGroup
from barnabas.core.groups.modern_group import ModernGroup
from barnabas.core.groups.records import GroupRecord, OffsetRecord
from barnabas.core.groups.writes import Waiter, Write, client_error
from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_groups import DeleteGroupsResponse
from barnabas.wire.messages.describe_groups import DescribeGroupsResponse
from barnabas.wire.messages.list_groups import ListGroupsResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.core.groups.context import Context
    from barnabas.core.groups.records import GroupLogRecord

NOT_FOUND_SINCE = 6  # older versions describe an unknown group as a dead one

Described = DescribeGroupsResponse.DescribedGroup


def describe_groups(context: Context, group_ids: Sequence[str], version: int) -> list[DescribeGroupsResponse.DescribedGroup]:
    """The classic groups among `group_ids`; any other kind isn't found here."""
    return [_describe(context, group_id, version) for group_id in group_ids]


def _describe(context: Context, group_id: str, version: int) -> DescribeGroupsResponse.DescribedGroup:
    group = context.groups.get_at(group_id, context.writes.readable)
    if not isinstance(group, ClassicGroup):
        if version < NOT_FOUND_SINCE:
            return describe_error(group_id, Error.NONE, DEAD)
        why = f"Group {group_id} not found." if group is None else f"Group {group_id} is not a classic group."
        return describe_error(group_id, Error.GROUP_ID_NOT_FOUND, DEAD, why)
    stable = group.state == STABLE
    members = [
        Described.DescribedGroupMember(
            member_id=member.member_id,
            group_instance_id=member.instance_id,
            client_id=member.client_id,
            client_host=member.client_host,
            member_metadata=member.metadata(group.protocol_name) if stable else b"",
            member_assignment=member.assignment,
        )
        for member in group.members.values()
    ]
    return Described(
        error_code=Error.NONE,
        group_id=group_id,
        group_state=group.state,
        protocol_type=group.protocol_type or "",
        protocol_data=(group.protocol_name or "") if stable else "",
        members=members,
    )


def list_groups(context: Context, states: Sequence[str], types: Sequence[str]) -> list[ListGroupsResponse.ListedGroup]:
    """All groups of this shard that match; empty filters match all. Upper and lower case are the same."""
    wanted_states = {state.lower().strip() for state in states}
    wanted_types = {type_.lower() for type_ in types}
    listed = []
    for group in context.groups.at(context.writes.readable).values():
        state = group.state
        if (wanted_states and state.lower() not in wanted_states) or (wanted_types and group.kind not in wanted_types):
            continue
        protocol_type = (group.protocol_type or "") if isinstance(group, ClassicGroup) else group.kind
        row = ListGroupsResponse.ListedGroup(group_id=group.group_id, protocol_type=protocol_type, group_state=state, group_type=group.kind)
        listed.append(row)
    return listed


def delete_groups(context: Context, group_ids: Sequence[str], waiter: Waiter) -> None:
    """Tombstones for groups without members and for their offsets; the answer is a DeleteGroupsResponse."""
    records: list[GroupLogRecord] = []
    results = []
    for group_id in group_ids:
        error = _deletable(context, group_id)
        if error is Error.NONE:
            records += [OffsetRecord(group_id, *place, None) for place in context.offsets.places(group_id)]
            records += group_tombstones(context, group_id)
        results.append(DeleteGroupsResponse.DeletableGroupResult(group_id=group_id, error_code=error))
    response = DeleteGroupsResponse(throttle_time_ms=0, results=results)
    context.write(Write(records, waiter=waiter, response=response, refuse=lambda error: delete_error(group_ids, client_error(error))))


def group_tombstones(context: Context, group_id: str) -> Sequence[GroupLogRecord]:
    """What deletes a group itself."""
    group = context.groups.current[group_id]
    return group.tombstones() if isinstance(group, ModernGroup) else [GroupRecord(group_id, None)]


def _deletable(context: Context, group_id: str) -> Error:
    group = context.groups.current.get(group_id)
    if group is None or (isinstance(group, ClassicGroup) and group.state == DEAD):
        return Error.GROUP_ID_NOT_FOUND
    empty = group.state == EMPTY if isinstance(group, ClassicGroup) else group.is_empty
    return Error.NONE if empty else Error.NON_EMPTY_GROUP
