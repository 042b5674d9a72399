"""ConsumerGroupDescribe (69): versions 0-1. Consumer groups and their members (KIP-848).

1 the kind of each member (KIP-1099).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Bool, Int8, Int16, Int32, String, Uuid


class ConsumerGroupDescribeRequest(Message, key=69, versions="0-1", flexible="0+"):
    group_ids: Array[String]
    include_authorized_operations: Bool


class ConsumerGroupDescribeResponse(Message, key=69, versions="0-1", flexible="0+"):
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
            instance_id: String | None = always(default=None)
            rack_id: String | None = always(default=None)
            member_epoch: Int32
            client_id: String
            client_host: String
            subscribed_topic_names: Array[String]
            subscribed_topic_regex: String | None = always(default=None)
            assignment: ConsumerGroupDescribeResponse.Assignment
            target_assignment: ConsumerGroupDescribeResponse.Assignment
            member_type: Int8 = since(1, default=-1, ignorable=True)

    class TopicPartitions(Struct):
        topic_id: Uuid
        topic_name: String
        partitions: Array[Int32]

    class Assignment(Struct):
        topic_partitions: Array[ConsumerGroupDescribeResponse.TopicPartitions]
