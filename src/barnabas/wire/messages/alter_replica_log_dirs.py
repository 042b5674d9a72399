"""AlterReplicaLogDirs (34): versions 1-2, flexible from 2. Moves replicas between a broker's disks (KIP-113)."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import Array, Int16, Int32, String


class AlterReplicaLogDirsRequest(Message, key=34, versions="1-2", flexible="2+"):
    dirs: Array[AlterReplicaLogDir]

    class AlterReplicaLogDir(Struct):
        path: String
        topics: Array[AlterReplicaLogDirTopic]

        class AlterReplicaLogDirTopic(Struct):
            name: String
            partitions: Array[Int32]


class AlterReplicaLogDirsResponse(Message, key=34, versions="1-2", flexible="2+"):
    throttle_time_ms: Int32
    results: Array[AlterReplicaLogDirTopicResult]

    class AlterReplicaLogDirTopicResult(Struct):
        topic_name: String
        partitions: Array[AlterReplicaLogDirPartitionResult]

        class AlterReplicaLogDirPartitionResult(Struct):
            partition_index: Int32
            error_code: Int16
