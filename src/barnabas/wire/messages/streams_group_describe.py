"""StreamsGroupDescribe (89): version 0."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Bool, Int16, Int32, Int64, String, Uint16


class StreamsGroupDescribeRequest(Message, key=89, versions="0", flexible="0+"):
    group_ids: Array[String]
    include_authorized_operations: Bool


class StreamsGroupDescribeResponse(Message, key=89, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    groups: Array[DescribedGroup]

    class DescribedGroup(Struct):
        error_code: Int16
        error_message: String | None = always(default=None)
        group_id: String
        group_state: String
        group_epoch: Int32
        assignment_epoch: Int32
        topology: Topology | None
        members: Array[Member]
        authorized_operations: Int32 = always(default=-2147483648)

        class Topology(Struct):
            epoch: Int32
            subtopologies: Array[Subtopology] | None = always(default=None)

            class Subtopology(Struct):
                subtopology_id: String
                source_topics: Array[String]
                repartition_sink_topics: Array[String]
                state_changelog_topics: Array[StreamsGroupDescribeResponse.TopicInfo]
                repartition_source_topics: Array[StreamsGroupDescribeResponse.TopicInfo]

        class Member(Struct):
            member_id: String
            member_epoch: Int32
            instance_id: String | None = always(default=None)
            rack_id: String | None = always(default=None)
            client_id: String
            client_host: String
            topology_epoch: Int32
            process_id: String
            user_endpoint: StreamsGroupDescribeResponse.Endpoint | None
            client_tags: Array[StreamsGroupDescribeResponse.KeyValue]
            task_offsets: Array[StreamsGroupDescribeResponse.TaskOffset]
            task_end_offsets: Array[StreamsGroupDescribeResponse.TaskOffset]
            assignment: StreamsGroupDescribeResponse.Assignment
            target_assignment: StreamsGroupDescribeResponse.Assignment
            is_classic: Bool

    class Endpoint(Struct):
        host: String
        port: Uint16

    class TaskOffset(Struct):
        subtopology_id: String
        partition: Int32
        offset: Int64

    class Assignment(Struct):
        active_tasks: Array[StreamsGroupDescribeResponse.TaskIds]
        standby_tasks: Array[StreamsGroupDescribeResponse.TaskIds]
        warmup_tasks: Array[StreamsGroupDescribeResponse.TaskIds]

    class TaskIds(Struct):
        subtopology_id: String
        partitions: Array[Int32]

    class KeyValue(Struct):
        key: String
        value: String

    class TopicInfo(Struct):
        name: String
        partitions: Int32
        replication_factor: Int16
        topic_configs: Array[StreamsGroupDescribeResponse.KeyValue]
