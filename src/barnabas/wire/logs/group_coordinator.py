"""Records of __consumer_offsets (G3-G8): offsets, classic, consumer, share and streams groups."""

from __future__ import annotations

from barnabas.wire.schema import FRESH, Message, Struct, always, between, since, tagged
from barnabas.wire.types import ZERO_UUID, Array, Bytes, Int8, Int16, Int32, Int64, String, Uint16, Uuid


class LegacyOffsetCommitKey(Message, key=0, versions="0"):
    group: String
    topic: String
    partition: Int32


class LegacyOffsetCommitValue(Message, key=0, versions="0"):
    offset: Int64
    metadata: String
    commit_timestamp: Int64


class OffsetCommitKey(Message, key=1, versions="0"):
    group: String
    topic: String
    partition: Int32


class OffsetCommitValue(Message, key=1, versions="0-4", flexible="4+"):
    offset: Int64
    leader_epoch: Int32 = since(3, default=-1, ignorable=True)
    metadata: String
    commit_timestamp: Int64
    expire_timestamp: Int64 = between(1, 1, default=-1, ignorable=True)
    topic_id: Uuid = tagged(0, first=4, default=ZERO_UUID, ignorable=True)


class GroupMetadataKey(Message, key=2, versions="0"):
    group: String


class GroupMetadataValue(Message, key=2, versions="0-4", flexible="4+"):
    protocol_type: String
    generation: Int32
    protocol: String | None
    leader: String | None
    current_state_timestamp: Int64 = since(2, default=-1, ignorable=True)
    members: Array[MemberMetadata]

    class MemberMetadata(Struct):
        member_id: String
        group_instance_id: String | None = since(3, default=None, ignorable=True)
        client_id: String
        client_host: String
        rebalance_timeout: Int32 = since(1, default=-1, ignorable=True)
        session_timeout: Int32
        subscription: Bytes
        assignment: Bytes


class ConsumerGroupMetadataKey(Message, key=3, versions="0"):
    group_id: String


class ConsumerGroupMetadataValue(Message, key=3, versions="0", flexible="0+"):
    epoch: Int32
    metadata_hash: Int64 = tagged(0, default=0)


class ConsumerGroupPartitionMetadataKey(Message, key=4, versions="0"):
    group_id: String


class ConsumerGroupPartitionMetadataValue(Message, key=4, versions="0", flexible="0+"):
    topics: Array[TopicMetadata]

    class TopicMetadata(Struct):
        topic_id: Uuid
        topic_name: String
        num_partitions: Int32
        partition_metadata: Array[PartitionMetadata]

        class PartitionMetadata(Struct):
            partition: Int32
            racks: Array[String]


class ConsumerGroupMemberMetadataKey(Message, key=5, versions="0"):
    group_id: String
    member_id: String


class ConsumerGroupMemberMetadataValue(Message, key=5, versions="0", flexible="0+"):
    instance_id: String | None
    rack_id: String | None
    client_id: String
    client_host: String
    subscribed_topic_names: Array[String]
    subscribed_topic_regex: String | None
    rebalance_timeout_ms: Int32 = always(default=-1)
    server_assignor: String | None
    classic_member_metadata: ClassicMemberMetadata | None = tagged(0, default=FRESH)

    class ClassicMemberMetadata(Struct):
        session_timeout_ms: Int32
        supported_protocols: Array[ClassicProtocol]

        class ClassicProtocol(Struct):
            name: String
            metadata: Bytes


class ConsumerGroupTargetAssignmentMetadataKey(Message, key=6, versions="0"):
    group_id: String


class ConsumerGroupTargetAssignmentMetadataValue(Message, key=6, versions="0", flexible="0+"):
    assignment_epoch: Int32
    assignment_timestamp: Int64 = tagged(0, default=0, ignorable=True)


class ConsumerGroupTargetAssignmentMemberKey(Message, key=7, versions="0"):
    group_id: String
    member_id: String


class ConsumerGroupTargetAssignmentMemberValue(Message, key=7, versions="0", flexible="0+"):
    topic_partitions: Array[TopicPartition]

    class TopicPartition(Struct):
        topic_id: Uuid
        partitions: Array[Int32]


class ConsumerGroupCurrentMemberAssignmentKey(Message, key=8, versions="0"):
    group_id: String
    member_id: String


class ConsumerGroupCurrentMemberAssignmentValue(Message, key=8, versions="0", flexible="0+"):
    member_epoch: Int32
    previous_member_epoch: Int32
    state: Int8
    assigned_partitions: Array[TopicPartitions]
    partitions_pending_revocation: Array[TopicPartitions]

    class TopicPartitions(Struct):
        topic_id: Uuid
        partitions: Array[Int32]
        assignment_epochs: Array[Int32] | None = tagged(0, default=[])


class ShareGroupMemberMetadataKey(Message, key=10, versions="0"):
    group_id: String
    member_id: String


class ShareGroupMemberMetadataValue(Message, key=10, versions="0", flexible="0+"):
    rack_id: String | None
    client_id: String
    client_host: String
    subscribed_topic_names: Array[String]


class ShareGroupMetadataKey(Message, key=11, versions="0"):
    group_id: String


class ShareGroupMetadataValue(Message, key=11, versions="0", flexible="0+"):
    epoch: Int32
    metadata_hash: Int64


class ShareGroupTargetAssignmentMetadataKey(Message, key=12, versions="0"):
    group_id: String


class ShareGroupTargetAssignmentMetadataValue(Message, key=12, versions="0", flexible="0+"):
    assignment_epoch: Int32
    assignment_timestamp: Int64 = tagged(0, default=0, ignorable=True)


class ShareGroupTargetAssignmentMemberKey(Message, key=13, versions="0"):
    group_id: String
    member_id: String


class ShareGroupTargetAssignmentMemberValue(Message, key=13, versions="0", flexible="0+"):
    topic_partitions: Array[TopicPartition]

    class TopicPartition(Struct):
        topic_id: Uuid
        partitions: Array[Int32]


class ShareGroupCurrentMemberAssignmentKey(Message, key=14, versions="0"):
    group_id: String
    member_id: String


class ShareGroupCurrentMemberAssignmentValue(Message, key=14, versions="0", flexible="0+"):
    member_epoch: Int32
    previous_member_epoch: Int32
    state: Int8
    assigned_partitions: Array[TopicPartitions]

    class TopicPartitions(Struct):
        topic_id: Uuid
        partitions: Array[Int32]


class ShareGroupStatePartitionMetadataKey(Message, key=15, versions="0"):
    group_id: String


class ShareGroupStatePartitionMetadataValue(Message, key=15, versions="0", flexible="0+"):
    initializing_topics: Array[TopicPartitionsInfo]
    initialized_topics: Array[TopicPartitionsInfo]
    deleting_topics: Array[TopicInfo]

    class TopicPartitionsInfo(Struct):
        topic_id: Uuid
        topic_name: String
        partitions: Array[Int32]

    class TopicInfo(Struct):
        topic_id: Uuid
        topic_name: String


class ConsumerGroupRegularExpressionKey(Message, key=16, versions="0"):
    group_id: String
    regular_expression: String


class ConsumerGroupRegularExpressionValue(Message, key=16, versions="0", flexible="0+"):
    topics: Array[String]
    version: Int64
    timestamp: Int64


class StreamsGroupMetadataKey(Message, key=17, versions="0"):
    group_id: String


class StreamsGroupMetadataValue(Message, key=17, versions="0", flexible="0+"):
    epoch: Int32
    metadata_hash: Int64
    validated_topology_epoch: Int32 = tagged(0, default=-1)
    last_assignment_configs: Array[LastAssignmentConfig] | None = tagged(1, default=[])

    class LastAssignmentConfig(Struct):
        key: String
        value: String


class StreamsGroupMemberMetadataKey(Message, key=19, versions="0"):
    group_id: String
    member_id: String


class StreamsGroupMemberMetadataValue(Message, key=19, versions="0", flexible="0+"):
    instance_id: String | None
    rack_id: String | None
    client_id: String
    client_host: String
    rebalance_timeout_ms: Int32 = always(default=-1)
    topology_epoch: Int32
    process_id: String
    user_endpoint: Endpoint | None
    client_tags: Array[KeyValue]

    class Endpoint(Struct):
        host: String
        port: Uint16

    class KeyValue(Struct):
        key: String
        value: String


class StreamsGroupTargetAssignmentMetadataKey(Message, key=20, versions="0"):
    group_id: String


class StreamsGroupTargetAssignmentMetadataValue(Message, key=20, versions="0", flexible="0+"):
    assignment_epoch: Int32
    assignment_timestamp: Int64 = tagged(0, default=0, ignorable=True)


class StreamsGroupTargetAssignmentMemberKey(Message, key=21, versions="0"):
    group_id: String
    member_id: String


class StreamsGroupTargetAssignmentMemberValue(Message, key=21, versions="0", flexible="0+"):
    active_tasks: Array[TaskIds]
    standby_tasks: Array[TaskIds]
    warmup_tasks: Array[TaskIds]

    class TaskIds(Struct):
        subtopology_id: String
        partitions: Array[Int32]


class StreamsGroupCurrentMemberAssignmentKey(Message, key=22, versions="0"):
    group_id: String
    member_id: String


class StreamsGroupCurrentMemberAssignmentValue(Message, key=22, versions="0", flexible="0+"):
    member_epoch: Int32
    previous_member_epoch: Int32
    state: Int8
    active_tasks: Array[TaskIds]
    standby_tasks: Array[TaskIds]
    warmup_tasks: Array[TaskIds]
    active_tasks_pending_revocation: Array[TaskIds]
    standby_tasks_pending_revocation: Array[TaskIds]
    warmup_tasks_pending_revocation: Array[TaskIds]

    class TaskIds(Struct):
        subtopology_id: String
        partitions: Array[Int32]
        assignment_epochs: Array[Int32] | None = tagged(0, default=[])


class StreamsGroupTopologyKey(Message, key=23, versions="0"):
    group_id: String


class StreamsGroupTopologyValue(Message, key=23, versions="0", flexible="0+"):
    epoch: Int32
    subtopologies: Array[Subtopology]

    class Subtopology(Struct):
        subtopology_id: String
        source_topics: Array[String]
        source_topic_regex: Array[String]
        state_changelog_topics: Array[StreamsGroupTopologyValue.TopicInfo]
        repartition_sink_topics: Array[String]
        repartition_source_topics: Array[StreamsGroupTopologyValue.TopicInfo]
        copartition_groups: Array[CopartitionGroup]

        class CopartitionGroup(Struct):
            source_topics: Array[Int16]
            source_topic_regex: Array[Int16]
            repartition_source_topics: Array[Int16]

    class TopicConfig(Struct):
        key: String
        value: String

    class TopicInfo(Struct):
        name: String
        partitions: Int32
        replication_factor: Int16
        topic_configs: Array[StreamsGroupTopologyValue.TopicConfig]


KEYS: dict[int, type[Message]] = {
    0: LegacyOffsetCommitKey,
    1: OffsetCommitKey,
    2: GroupMetadataKey,
    3: ConsumerGroupMetadataKey,
    4: ConsumerGroupPartitionMetadataKey,
    5: ConsumerGroupMemberMetadataKey,
    6: ConsumerGroupTargetAssignmentMetadataKey,
    7: ConsumerGroupTargetAssignmentMemberKey,
    8: ConsumerGroupCurrentMemberAssignmentKey,
    10: ShareGroupMemberMetadataKey,
    11: ShareGroupMetadataKey,
    12: ShareGroupTargetAssignmentMetadataKey,
    13: ShareGroupTargetAssignmentMemberKey,
    14: ShareGroupCurrentMemberAssignmentKey,
    15: ShareGroupStatePartitionMetadataKey,
    16: ConsumerGroupRegularExpressionKey,
    17: StreamsGroupMetadataKey,
    19: StreamsGroupMemberMetadataKey,
    20: StreamsGroupTargetAssignmentMetadataKey,
    21: StreamsGroupTargetAssignmentMemberKey,
    22: StreamsGroupCurrentMemberAssignmentKey,
    23: StreamsGroupTopologyKey,
}
"""Record type (the int16 in front of a key) -> class of the key."""

VALUES: dict[int, type[Message]] = {
    0: LegacyOffsetCommitValue,
    1: OffsetCommitValue,
    2: GroupMetadataValue,
    3: ConsumerGroupMetadataValue,
    4: ConsumerGroupPartitionMetadataValue,
    5: ConsumerGroupMemberMetadataValue,
    6: ConsumerGroupTargetAssignmentMetadataValue,
    7: ConsumerGroupTargetAssignmentMemberValue,
    8: ConsumerGroupCurrentMemberAssignmentValue,
    10: ShareGroupMemberMetadataValue,
    11: ShareGroupMetadataValue,
    12: ShareGroupTargetAssignmentMetadataValue,
    13: ShareGroupTargetAssignmentMemberValue,
    14: ShareGroupCurrentMemberAssignmentValue,
    15: ShareGroupStatePartitionMetadataValue,
    16: ConsumerGroupRegularExpressionValue,
    17: StreamsGroupMetadataValue,
    19: StreamsGroupMemberMetadataValue,
    20: StreamsGroupTargetAssignmentMetadataValue,
    21: StreamsGroupTargetAssignmentMemberValue,
    22: StreamsGroupCurrentMemberAssignmentValue,
    23: StreamsGroupTopologyValue,
}
"""Record type -> class of the value."""
