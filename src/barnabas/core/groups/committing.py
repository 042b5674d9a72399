"""OffsetCommit and OffsetDelete: changes to a group's offsets (G15, G17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.groups import rebalancing
from barnabas.core.groups.answers import commit_error, offset_delete_error
from barnabas.core.groups.classic_group import COMPLETING_REBALANCE, DEAD, EMPTY, PREPARING_REBALANCE, STABLE, ClassicGroup
from barnabas.core.groups.context import Refused
from barnabas.core.groups.modern_group import SHARE, ModernGroup
from barnabas.core.groups.records import NO_EXPIRY, Offset, OffsetRecord
from barnabas.core.groups.validation import check_member
from barnabas.core.groups.writes import Waiter, Write, client_error
from barnabas.wire.errors import Error
from barnabas.wire.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from barnabas.wire.messages.offset_delete import OffsetDeleteRequest, OffsetDeleteResponse
from barnabas.wire.records.record import wrap64

if TYPE_CHECKING:
    from barnabas.core.groups.context import Context, Group

GROUP_ID_NOT_FOUND_SINCE = 9
MEMBER_EPOCHS_SINCE = 9
NO_RETENTION_TIME = -1


def commit_offsets(context: Context, request: OffsetCommitRequest, version: int, waiter: Waiter) -> None:
    """One batch for the whole request, answered when it has committed. Topics have names and ids here: the handler looked them up."""
    try:
        made = _check_commit(context, request, version)
    except Refused as refused:
        context.reply(waiter, commit_error(request, refused.error))
        return
    now_ms = context.now_ms
    retention_ms = request.retention_time_ms
    expire_ms = NO_EXPIRY if retention_ms == NO_RETENTION_TIME else wrap64(now_ms + retention_ms)
    longest = context.settings.offset_metadata_max_length
    group_id = request.group_id
    records = []
    answers = []
    make = OffsetCommitResponse.Topic.Partition
    for topic in request.topics:
        partitions = []
        for partition in topic.partitions:
            metadata = partition.committed_metadata or ""
            error = Error.NONE
            if len(metadata) > longest:
                error = Error.OFFSET_METADATA_TOO_LARGE
            else:
                epoch = partition.committed_leader_epoch
                offset = Offset(partition.committed_offset, epoch, metadata, now_ms, expire_ms, topic.topic_id)
                records.append(OffsetRecord(group_id, topic.name, partition.partition_index, offset))
            partitions.append(make(partition_index=partition.partition_index, error_code=error))
        answers.append(OffsetCommitResponse.Topic(name=topic.name, topic_id=topic.topic_id, partitions=partitions))
    response = OffsetCommitResponse(topics=answers)

    def done(error: Error) -> None:
        if made is not None and error is not Error.NONE:
            rebalancing.abandon_if_undone(context, made, error)

    context.write(Write(records, waiter=waiter, response=response, refuse=lambda error: commit_error(request, client_error(error)), done=done))


def _check_commit(context: Context, request: OffsetCommitRequest, version: int) -> ClassicGroup | None:
    """Raises Refused. A group that this commit makes, if any."""
    generation_id = request.generation_id_or_member_epoch
    group = context.groups.current.get(request.group_id)
    if group is None:
        if generation_id >= 0:
            raise Refused(Error.GROUP_ID_NOT_FOUND if version >= GROUP_ID_NOT_FOUND_SINCE else Error.ILLEGAL_GENERATION)
        return context.make_classic_group(request.group_id)  # a simple group: only a place for offsets
    if isinstance(group, ModernGroup):
        _check_modern_commit(group, request, version)
        return None
    _check_classic_commit(group, request.member_id, request.group_instance_id, generation_id)
    if group.state in (STABLE, PREPARING_REBALANCE):
        rebalancing.expect_heartbeat(context, group, group.members[request.member_id])
    return None


def _check_classic_commit(group: ClassicGroup, member_id: str, instance_id: str | None, generation_id: int) -> None:
    if group.state == DEAD:
        raise Refused(Error.COORDINATOR_NOT_AVAILABLE)
    if generation_id < 0 and group.state == EMPTY:
        return  # an administrator, or a consumer that assigns itself
    if generation_id >= 0 or member_id or instance_id is not None:
        check_member(group, member_id, instance_id)
        if generation_id != group.generation_id:
            raise Refused(Error.ILLEGAL_GENERATION)
    elif group.state != EMPTY:
        raise Refused(Error.UNKNOWN_MEMBER_ID)
    if group.state == COMPLETING_REBALANCE:
        raise Refused(Error.REBALANCE_IN_PROGRESS)


def _check_modern_commit(group: ModernGroup, request: OffsetCommitRequest, version: int) -> None:
    if group.kind == SHARE:
        raise Refused(Error.GROUP_ID_NOT_FOUND)
    epoch = request.generation_id_or_member_epoch
    if epoch < 0 and group.is_empty:
        return
    current = group.member_epoch(request.member_id)
    if current is None:
        raise Refused(Error.UNKNOWN_MEMBER_ID)
    classic = group.uses_classic_protocol(request.member_id)
    if not classic and version < MEMBER_EPOCHS_SINCE:
        raise Refused(Error.UNSUPPORTED_VERSION)
    if epoch != current:
        raise Refused(Error.ILLEGAL_GENERATION if classic else Error.STALE_MEMBER_EPOCH)


def delete_offsets(context: Context, request: OffsetDeleteRequest, waiter: Waiter) -> None:
    """Tombstones for offsets of topics that the group doesn't read."""
    try:
        group = _deletable(context, request)
    except Refused as refused:
        context.reply(waiter, offset_delete_error(refused.error))
        return
    records = []
    answers = []
    make = OffsetDeleteResponse.Topic
    for topic in request.topics:
        error = Error.GROUP_SUBSCRIBED_TO_TOPIC if group.is_subscribed(topic.name) else Error.NONE
        for partition in topic.partitions:
            where = (request.group_id, topic.name, partition.partition_index)
            if error is Error.NONE and (context.offsets.get(*where) is not None or context.offsets.has_pending(*where)):
                records.append(OffsetRecord(*where, None))
        partitions = [make.Partition(partition_index=each.partition_index, error_code=error) for each in topic.partitions]
        answers.append(make(name=topic.name, partitions=partitions))
    context.write(Write(records, waiter=waiter, response=OffsetDeleteResponse(error_code=Error.NONE, topics=answers), refuse=_refuse_delete))


def _deletable(context: Context, request: OffsetDeleteRequest) -> Group:
    if not request.group_id:
        raise Refused(Error.INVALID_GROUP_ID)
    group = context.groups.current.get(request.group_id)
    if group is None or (isinstance(group, ModernGroup) and group.kind == SHARE):
        raise Refused(Error.GROUP_ID_NOT_FOUND)
    if isinstance(group, ClassicGroup):
        if group.state == DEAD:
            raise Refused(Error.GROUP_ID_NOT_FOUND)
        if group.state != EMPTY and not group.uses_consumer_protocol:
            raise Refused(Error.NON_EMPTY_GROUP)
    return group


def _refuse_delete(error: Error) -> OffsetDeleteResponse:
    return offset_delete_error(client_error(error))
