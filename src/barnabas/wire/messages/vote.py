"""Vote (52): versions 0-2."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since, tagged
from barnabas.wire.types import ZERO_UUID, Array, Bool, Int16, Int32, Int64, String, Uint16, Uuid


class VoteRequest(Message, key=52, versions="0-2", flexible="0+"):
    cluster_id: String | None = always(default=None)
    voter_id: Int32 = since(1, default=-1, ignorable=True)
    topics: Array[TopicData]

    class TopicData(Struct):
        topic_name: String
        partitions: Array[PartitionData]

        class PartitionData(Struct):
            partition_index: Int32
            replica_epoch: Int32
            replica_id: Int32
            replica_directory_id: Uuid = since(1, default=ZERO_UUID, ignorable=True)
            voter_directory_id: Uuid = since(1, default=ZERO_UUID, ignorable=True)
            last_offset_epoch: Int32
            last_offset: Int64
            pre_vote: Bool = since(2, default=False)


class VoteResponse(Message, key=52, versions="0-2", flexible="0+"):
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
            vote_granted: Bool

    class NodeEndpoint(Struct):
        node_id: Int32 = since(1, default=0)
        host: String = since(1, default="")
        port: Uint16 = since(1, default=0)
