"""ShareGroupDescribe (77): version 1."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Bool, Int16, Int32, String, Uuid


class ShareGroupDescribeRequest(Message, key=77, versions="1", flexible="0+"):
    group_ids: Array[String]
    include_authorized_operations: Bool


class ShareGroupDescribeResponse(Message, key=77, versions="1", flexible="0+"):
    throttle_time_ms: Int32
    groups: Array[DescribedGroup]

    class DescribedGroup(Struct):
        error_code: Int16
        error_message: String | None = always(default=None)
        group_id: String
        group_state: String
        group_epoch: Int32
        assignment_epoch: Int32
        assignor_name: String
        members: Array[Member]
        authorized_operations: Int32 = always(default=-2147483648)

        class Member(Struct):
            member_id: String
            rack_id: String | None = always(default=None)
            member_epoch: Int32
            client_id: String
            client_host: String
            subscribed_topic_names: Array[String]
            assignment: ShareGroupDescribeResponse.Assignment

    class TopicPartitions(Struct):
        topic_id: Uuid
        topic_name: String
        partitions: Array[Int32]

    class Assignment(Struct):
        topic_partitions: Array[ShareGroupDescribeResponse.TopicPartitions]
