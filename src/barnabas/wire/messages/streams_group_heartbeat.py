"""StreamsGroupHeartbeat (88): version 0."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Bool, Int8, Int16, Int32, Int64, String, Uint16


class StreamsGroupHeartbeatRequest(Message, key=88, versions="0", flexible="0+"):
    group_id: String
    member_id: String
    member_epoch: Int32
    endpoint_information_epoch: Int32
    instance_id: String | None = always(default=None)
    rack_id: String | None = always(default=None)
    rebalance_timeout_ms: Int32 = always(default=-1)
    topology: Topology | None
    active_tasks: Array[TaskIds] | None = always(default=None)
    standby_tasks: Array[TaskIds] | None = always(default=None)
    warmup_tasks: Array[TaskIds] | None = always(default=None)
    process_id: String | None = always(default=None)
    user_endpoint: Endpoint | None
    client_tags: Array[KeyValue] | None = always(default=None)
    task_offsets: Array[TaskOffset] | None = always(default=None)
    task_end_offsets: Array[TaskOffset] | None = always(default=None)
    shutdown_application: Bool

    class Topology(Struct):
        epoch: Int32
        subtopologies: Array[Subtopology]

        class Subtopology(Struct):
            subtopology_id: String
            source_topics: Array[String]
            source_topic_regex: Array[String]
            state_changelog_topics: Array[StreamsGroupHeartbeatRequest.TopicInfo]
            repartition_sink_topics: Array[String]
            repartition_source_topics: Array[StreamsGroupHeartbeatRequest.TopicInfo]
            copartition_groups: Array[CopartitionGroup]

            class CopartitionGroup(Struct):
                source_topics: Array[Int16]
                source_topic_regex: Array[Int16]
                repartition_source_topics: Array[Int16]

    class KeyValue(Struct):
        key: String
        value: String

    class TopicInfo(Struct):
        name: String
        partitions: Int32
        replication_factor: Int16
        topic_configs: Array[StreamsGroupHeartbeatRequest.KeyValue]

    class Endpoint(Struct):
        host: String
        port: Uint16

    class TaskOffset(Struct):
        subtopology_id: String
        partition: Int32
        offset: Int64

    class TaskIds(Struct):
        subtopology_id: String
        partitions: Array[Int32]


class StreamsGroupHeartbeatResponse(Message, key=88, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    error_message: String | None = always(default=None)
    member_id: String
    member_epoch: Int32
    heartbeat_interval_ms: Int32
    acceptable_recovery_lag: Int32
    task_offset_interval_ms: Int32
    status: Array[Status] | None
    active_tasks: Array[TaskIds] | None = always(default=None)
    standby_tasks: Array[TaskIds] | None = always(default=None)
    warmup_tasks: Array[TaskIds] | None = always(default=None)
    endpoint_information_epoch: Int32
    partitions_by_user_endpoint: Array[EndpointToPartitions] | None = always(default=None)

    class EndpointToPartitions(Struct):
        user_endpoint: StreamsGroupHeartbeatResponse.Endpoint
        active_partitions: Array[StreamsGroupHeartbeatResponse.TopicPartition]
        standby_partitions: Array[StreamsGroupHeartbeatResponse.TopicPartition]

    class Status(Struct):
        status_code: Int8
        status_detail: String

    class TopicPartition(Struct):
        topic: String
        partitions: Array[Int32]

    class TaskIds(Struct):
        subtopology_id: String
        partitions: Array[Int32]

    class Endpoint(Struct):
        host: String
        port: Uint16
