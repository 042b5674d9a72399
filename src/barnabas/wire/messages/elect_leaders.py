"""ElectLeaders (43): versions 0-2, flexible from 2. Makes preferred replicas leaders (KIP-183).

1 unclean elections, and an error for the whole reply (KIP-460).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Int8, Int16, Int32, String


class ElectLeadersRequest(Message, key=43, versions="0-2", flexible="2+"):
    election_type: Int8 = since(1, default=0)
    topic_partitions: Array[TopicPartitions] | None
    timeout_ms: Int32 = always(default=60000)

    class TopicPartitions(Struct):
        topic: String
        partitions: Array[Int32]


class ElectLeadersResponse(Message, key=43, versions="0-2", flexible="2+"):
    throttle_time_ms: Int32
    error_code: Int16 = since(1, default=0)
    replica_election_results: Array[ReplicaElectionResult]

    class ReplicaElectionResult(Struct):
        topic: String
        partition_result: Array[PartitionResult]

        class PartitionResult(Struct):
            partition_id: Int32
            error_code: Int16
            error_message: String | None
