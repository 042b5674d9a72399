"""OffsetFetch: committed offsets of a group (G13, G15, W31). KIP-447 for stable ones, KIP-709 for several groups, KIP-848 for members."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from barnabas.core.groups.answers import fetch_error, no_offset
from barnabas.core.groups.context import Refused
from barnabas.core.groups.modern_group import SHARE, ModernGroup
from barnabas.core.groups.writes import Waiter, Write, client_error
from barnabas.wire.errors import Error
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchResponse
from barnabas.wire.types import ZERO_UUID

if TYPE_CHECKING:
    from barnabas.core.groups.context import Context
    from barnabas.core.groups.offsets import Place
    from barnabas.core.groups.records import Offset

Group = OffsetFetchResponse.Group
Topics = OffsetFetchResponse.Group.Topics
Partitions = OffsetFetchResponse.Group.Topics.Partitions


def fetch_offsets(context: Context, request: OffsetFetchRequest.Group, require_stable: bool, version: int, waiter: Waiter) -> None:
    """One group's part of a request; the answer is an OffsetFetchResponse.Group.

    Without `require_stable` it reads what has committed, at once. With it, it waits for what is on its way, and open transactions show as 88.
    """
    try:
        _check_member(context, request)
    except Refused as refused:
        context.reply(waiter, fetch_error(request, refused.error, version))
        return
    response = _fetch(context, request, None if require_stable else context.writes.readable)
    if require_stable:
        context.write(Write([], waiter=waiter, response=response, refuse=partial(_refuse, request, version)))
    else:
        context.reply(waiter, response)


def _refuse(request: OffsetFetchRequest.Group, version: int, error: Error) -> OffsetFetchResponse.Group:
    told = client_error(error)  # consumers before 3.9 don't know 15 here, and ask for the coordinator again after 16
    return fetch_error(request, Error.NOT_COORDINATOR if told is Error.COORDINATOR_NOT_AVAILABLE else told, version)


def _check_member(context: Context, request: OffsetFetchRequest.Group) -> None:
    group = context.groups.current.get(request.group_id)
    if not isinstance(group, ModernGroup) or group.kind == SHARE or (request.member_id is None and request.member_epoch < 0):
        return
    epoch = group.member_epoch(request.member_id or "")
    if epoch is None:
        raise Refused(Error.UNKNOWN_MEMBER_ID)
    if epoch != request.member_epoch:
        classic = group.uses_classic_protocol(request.member_id or "")
        raise Refused(Error.ILLEGAL_GENERATION if classic else Error.STALE_MEMBER_EPOCH)


def _fetch(context: Context, request: OffsetFetchRequest.Group, as_of: int | None) -> OffsetFetchResponse.Group:
    offsets = _offsets_of(context, request.group_id, as_of)
    unstable = context.offsets.open_transactions.current.get(request.group_id) if as_of is None else None
    places: dict[Place, frozenset[int]] = {} if unstable is None else unstable.current
    if request.topics is None:
        return _fetch_all(request.group_id, offsets, places)
    topics = []
    for topic in request.topics:
        partitions = []
        for index in topic.partition_indexes:
            place = (topic.name, index)
            offset = offsets.get(place)
            if place in places:
                partitions.append(no_offset(index, Error.UNSTABLE_OFFSET_COMMIT))
            elif offset is None or ZERO_UUID != offset.topic_id != topic.topic_id != ZERO_UUID:
                partitions.append(no_offset(index, Error.NONE))
            else:
                partitions.append(_found(index, offset))
        topics.append(Topics(name=topic.name, topic_id=topic.topic_id, partitions=partitions))
    return Group(group_id=request.group_id, topics=topics)


def _fetch_all(group_id: str, offsets: dict[Place, Offset], places: dict[Place, frozenset[int]]) -> OffsetFetchResponse.Group:
    topics: dict[str, list[Partitions]] = {}
    for place, offset in offsets.items():
        answer = no_offset(place[1], Error.UNSTABLE_OFFSET_COMMIT) if place in places else _found(place[1], offset)
        topics.setdefault(place[0], []).append(answer)
    return Group(group_id=group_id, topics=[Topics(name=name, partitions=partitions) for name, partitions in topics.items()])


def _offsets_of(context: Context, group_id: str, as_of: int | None) -> dict[Place, Offset]:
    """The group's offsets now, or as of a snapshot. An unknown group has none; nor has a share group, whose offsets stand elsewhere."""
    if as_of is None:
        group = context.groups.current.get(group_id)
        table = context.offsets.by_group.current.get(group_id)
    else:
        group = context.groups.get_at(group_id, as_of)
        table = context.offsets.by_group.get_at(group_id, as_of)
    if group is None or table is None or group.kind == SHARE:
        return {}
    return table.current if as_of is None else table.at(as_of)


def _found(index: int, offset: Offset) -> Partitions:
    return Partitions(
        partition_index=index, committed_offset=offset.committed_offset, committed_leader_epoch=offset.leader_epoch, metadata=offset.metadata
    )
