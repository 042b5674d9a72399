"""DescribeQuorum (55): versions 0-2. The controllers' leader, voters and observers (KIP-595).

1 when each last fetched and caught up (KIP-836); 2 messages, directories and addresses (KIP-853).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, since
from barnabas.wire.types import ZERO_UUID, Array, Int16, Int32, Int64, String, Uint16, Uuid


class DescribeQuorumRequest(Message, key=55, versions="0-2", flexible="0+"):
    topics: Array[TopicData]

    class TopicData(Struct):
        topic_name: String
        partitions: Array[PartitionData]

        class PartitionData(Struct):
            partition_index: Int32


class DescribeQuorumResponse(Message, key=55, versions="0-2", flexible="0+"):
    error_code: Int16
    error_message: String | None = since(2, default="", ignorable=True)
    topics: Array[TopicData]
    nodes: Array[Node] = since(2, default=[])

    class TopicData(Struct):
        topic_name: String
        partitions: Array[PartitionData]

        class PartitionData(Struct):
            partition_index: Int32
            error_code: Int16
            error_message: String | None = since(2, default="", ignorable=True)
            leader_id: Int32
            leader_epoch: Int32
            high_watermark: Int64
            current_voters: Array[DescribeQuorumResponse.ReplicaState]
            observers: Array[DescribeQuorumResponse.ReplicaState]

    class Node(Struct):
        node_id: Int32 = since(2, default=0)
        listeners: Array[Listener] = since(2, default=[])

        class Listener(Struct):
            name: String = since(2, default="")
            host: String = since(2, default="")
            port: Uint16 = since(2, default=0)

    class ReplicaState(Struct):
        replica_id: Int32
        replica_directory_id: Uuid = since(2, default=ZERO_UUID)
        log_end_offset: Int64
        last_fetch_timestamp: Int64 = since(1, default=-1, ignorable=True)
        last_caught_up_timestamp: Int64 = since(1, default=-1, ignorable=True)
