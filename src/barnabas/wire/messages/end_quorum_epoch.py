"""EndQuorumEpoch (54): versions 0-1, flexible from 1."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, between, since, tagged
from barnabas.wire.types import ZERO_UUID, Array, Int16, Int32, String, Uint16, Uuid


class EndQuorumEpochRequest(Message, key=54, versions="0-1", flexible="1+"):
    cluster_id: String | None = always(default=None)
    topics: Array[TopicData]
    leader_endpoints: Array[LeaderEndpoint] = since(1, default=[], ignorable=True)

    class TopicData(Struct):
        topic_name: String
        partitions: Array[PartitionData]

        class PartitionData(Struct):
            partition_index: Int32
            leader_id: Int32
            leader_epoch: Int32
            preferred_successors: Array[Int32] = between(0, 0, default=[], ignorable=True)
            preferred_candidates: Array[ReplicaInfo] = since(1, default=[], ignorable=True)

            class ReplicaInfo(Struct):
                candidate_id: Int32 = since(1, default=0)
                candidate_directory_id: Uuid = since(1, default=ZERO_UUID)

    class LeaderEndpoint(Struct):
        name: String = since(1, default="")
        host: String = since(1, default="")
        port: Uint16 = since(1, default=0)


class EndQuorumEpochResponse(Message, key=54, versions="0-1", flexible="1+"):
    error_code: Int16
    topics: Array[TopicData]
    node_endpoints: Array[NodeEndpoint] = tagged(0, first=1, default=[])

    class TopicData(Struct):
        topic_name: String
        partitions: Array[PartitionData]

        class PartitionData(Struct):
            partition_index: Int32
            error_code: Int16
            leader_id: Int32
            leader_epoch: Int32

    class NodeEndpoint(Struct):
        node_id: Int32 = since(1, default=0)
        host: String = since(1, default="")
        port: Uint16 = since(1, default=0)
