"""Answers that several parts of a shard give: refusals. A field that isn't named has the value that Apache's answer has there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_groups import DeleteGroupsResponse
from barnabas.wire.messages.describe_groups import DescribeGroupsResponse
from barnabas.wire.messages.heartbeat import HeartbeatResponse
from barnabas.wire.messages.join_group import JoinGroupResponse
from barnabas.wire.messages.leave_group import LeaveGroupResponse
from barnabas.wire.messages.offset_commit import OffsetCommitResponse
from barnabas.wire.messages.offset_delete import OffsetDeleteResponse
from barnabas.wire.messages.offset_fetch import OffsetFetchResponse
from barnabas.wire.messages.sync_group import SyncGroupResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.wire.messages.offset_commit import OffsetCommitRequest
    from barnabas.wire.messages.offset_fetch import OffsetFetchRequest

TOP_LEVEL_ERROR_SINCE = 2
NO_OFFSET = -1
NO_EPOCH = -1


def join_error(error: Error, member_id: str = "", protocol_name: str | None = "") -> JoinGroupResponse:
    return JoinGroupResponse(error_code=error, protocol_name=protocol_name, leader="", member_id=member_id, members=[])


def sync_error(error: Error) -> SyncGroupResponse:
    return SyncGroupResponse(error_code=error, assignment=b"")


def heartbeat_error(error: Error) -> HeartbeatResponse:
    return HeartbeatResponse(error_code=error)


def leave_error(error: Error) -> LeaveGroupResponse:
    return LeaveGroupResponse(error_code=error)


def commit_error(request: OffsetCommitRequest, error: Error) -> OffsetCommitResponse:
    """Refuses each partition."""
    make = OffsetCommitResponse.Topic
    return OffsetCommitResponse(
        topics=[
            make(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[make.Partition(partition_index=each.partition_index, error_code=error) for each in topic.partitions],
            )
            for topic in request.topics
        ]
    )


def fetch_error(request: OffsetFetchRequest.Group, error: Error, version: int) -> OffsetFetchResponse.Group:
    """Refuses a whole group; version 1 has no place for an error but its partitions."""
    make = OffsetFetchResponse.Group
    if version >= TOP_LEVEL_ERROR_SINCE:
        return make(group_id=request.group_id, error_code=error)
    return make(
        group_id=request.group_id,
        topics=[
            make.Topics(name=topic.name, partitions=[no_offset(partition, error) for partition in topic.partition_indexes])
            for topic in request.topics or ()
        ],
    )


def no_offset(partition: int, error: Error) -> OffsetFetchResponse.Group.Topics.Partitions:
    make = OffsetFetchResponse.Group.Topics.Partitions
    return make(partition_index=partition, committed_offset=NO_OFFSET, committed_leader_epoch=NO_EPOCH, metadata="", error_code=error)


def offset_delete_error(error: Error) -> OffsetDeleteResponse:
    return OffsetDeleteResponse(error_code=error, topics=[])


def describe_error(group_id: str, error: Error, state: str = "", message: str | None = None) -> DescribeGroupsResponse.DescribedGroup:
    make = DescribeGroupsResponse.DescribedGroup
    return make(error_code=error, error_message=message, group_id=group_id, group_state=state, protocol_type="", protocol_data="", members=[])


def delete_error(group_ids: Sequence[str], error: Error) -> DeleteGroupsResponse:
    make = DeleteGroupsResponse.DeletableGroupResult
    return DeleteGroupsResponse(throttle_time_ms=0, results=[make(group_id=group_id, error_code=error) for group_id in group_ids])
