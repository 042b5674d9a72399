"""CreateTopics (19): versions 2-7, flexible from 5. Topics with their partitions, configuration and, if wanted, replicas.

4 partition count and replication factor may be left to the broker (KIP-464); 5 the resulting configuration (KIP-525); 6
THROTTLING_QUOTA_EXCEEDED (KIP-599); 7 topic ids (KIP-516).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since, tagged
from barnabas.wire.types import ZERO_UUID, Array, Bool, Int8, Int16, Int32, String, Uuid


class CreateTopicsRequest(Message, key=19, versions="2-7", flexible="5+"):
    topics: Array[CreatableTopic]
    timeout_ms: Int32 = always(default=60000)
    validate_only: Bool

    class CreatableTopic(Struct):
        name: String
        num_partitions: Int32
        replication_factor: Int16
        assignments: Array[CreatableReplicaAssignment]
        configs: Array[CreatableTopicConfig]

        class CreatableReplicaAssignment(Struct):
            partition_index: Int32
            broker_ids: Array[Int32]

        class CreatableTopicConfig(Struct):
            name: String
            value: String | None


class CreateTopicsResponse(Message, key=19, versions="2-7", flexible="5+"):
    throttle_time_ms: Int32 = always(default=0, ignorable=True)
    topics: Array[CreatableTopicResult]

    class CreatableTopicResult(Struct):
        name: String
        topic_id: Uuid = since(7, default=ZERO_UUID, ignorable=True)
        error_code: Int16
        error_message: String | None = always(default="", ignorable=True)
        topic_config_error_code: Int16 = tagged(0, first=5, default=0, ignorable=True)
        num_partitions: Int32 = since(5, default=-1, ignorable=True)
        replication_factor: Int16 = since(5, default=-1, ignorable=True)
        configs: Array[CreatableTopicConfigs] | None = since(5, default=[], ignorable=True)

        class CreatableTopicConfigs(Struct):
            name: String = since(5, default="")
            value: String | None = since(5, default="")
            read_only: Bool = since(5, default=False)
            config_source: Int8 = since(5, default=-1, ignorable=True)
            is_sensitive: Bool = since(5, default=False)
