"""ConsumerGroupHeartbeat (68): versions 0-1. Joins, keeps alive and leaves a consumer group; brings its assignment (KIP-848).

1 subscription by a regular expression; members choose their own ids (KIP-1082).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Int16, Int32, String, Uuid


class ConsumerGroupHeartbeatRequest(Message, key=68, versions="0-1", flexible="0+"):
    group_id: String
    member_id: String
    member_epoch: Int32
    instance_id: String | None = always(default=None)
    rack_id: String | None = always(default=None)
    rebalance_timeout_ms: Int32 = always(default=-1)
    subscribed_topic_names: Array[String] | None = always(default=None)
    subscribed_topic_regex: String | None = since(1, default=None)
    server_assignor: String | None = always(default=None)
    topic_partitions: Array[TopicPartitions] | None = always(default=None)

    class TopicPartitions(Struct):
        topic_id: Uuid
        partitions: Array[Int32]


class ConsumerGroupHeartbeatResponse(Message, key=68, versions="0-1", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    error_message: String | None = always(default=None)
    member_id: String | None = always(default=None)
    member_epoch: Int32
    heartbeat_interval_ms: Int32
    assignment: Assignment | None

    class Assignment(Struct):
        topic_partitions: Array[ConsumerGroupHeartbeatResponse.TopicPartitions]

    class TopicPartitions(Struct):
        topic_id: Uuid
        partitions: Array[Int32]
