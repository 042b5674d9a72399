"""AssignReplicasToDirs (73): version 0."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Int16, Int32, Int64, Uuid


class AssignReplicasToDirsRequest(Message, key=73, versions="0", flexible="0+"):
    broker_id: Int32
    broker_epoch: Int64 = always(default=-1)
    directories: Array[DirectoryData]

    class DirectoryData(Struct):
        id: Uuid
        topics: Array[TopicData]

        class TopicData(Struct):
            topic_id: Uuid
            partitions: Array[PartitionData]

            class PartitionData(Struct):
                partition_index: Int32


class AssignReplicasToDirsResponse(Message, key=73, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    directories: Array[DirectoryData]

    class DirectoryData(Struct):
        id: Uuid
        topics: Array[TopicData]

        class TopicData(Struct):
            topic_id: Uuid
            partitions: Array[PartitionData]

            class PartitionData(Struct):
                partition_index: Int32
                error_code: Int16
