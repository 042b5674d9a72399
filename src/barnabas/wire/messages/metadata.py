"""Metadata (3): versions 0-13, flexible from 9. Brokers, controller, topics and partitions as a client sees them.

From 1 on null asks for all topics and an empty array for none (0: empty is all); 1 racks, controller, internal topics; 2 cluster id
(KIP-78); 4 may ask not to create topics; 5 offline replicas (KIP-112); 7 leader epochs (KIP-320); 8 authorized operations (KIP-430); 10
topic ids in the reply (KIP-516); 11 no more operations on the cluster, DescribeCluster has them (KIP-700); 12 topics asked for by id; 13 an
error for the whole reply.
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, between, since
from barnabas.wire.types import ZERO_UUID, Array, Bool, Int16, Int32, String, Uuid


class MetadataRequest(Message, key=3, versions="0-13", flexible="9+"):
    topics: Array[Topic] | None = always(default=[], nullable=1)
    allow_auto_topic_creation: Bool = since(4, default=True)
    include_cluster_authorized_operations: Bool = between(8, 10, default=False)
    include_topic_authorized_operations: Bool = since(8, default=False)

    class Topic(Struct):
        topic_id: Uuid = since(10, default=ZERO_UUID, ignorable=True)
        name: String | None = always(default="", nullable=10)


class MetadataResponse(Message, key=3, versions="0-13", flexible="9+"):
    throttle_time_ms: Int32 = since(3, default=0, ignorable=True)
    brokers: Array[Broker]
    cluster_id: String | None = since(2, default=None, ignorable=True)
    controller_id: Int32 = since(1, default=-1, ignorable=True)
    topics: Array[Topic]
    cluster_authorized_operations: Int32 = between(8, 10, default=-2147483648)
    error_code: Int16 = since(13, default=0, ignorable=True)

    class Broker(Struct):
        node_id: Int32
        host: String
        port: Int32
        rack: String | None = since(1, default=None, ignorable=True)

    class Topic(Struct):
        error_code: Int16
        name: String | None = always(default="", nullable=12)
        topic_id: Uuid = since(10, default=ZERO_UUID, ignorable=True)
        is_internal: Bool = since(1, default=False, ignorable=True)
        partitions: Array[Partition]
        topic_authorized_operations: Int32 = since(8, default=-2147483648)

        class Partition(Struct):
            error_code: Int16
            partition_index: Int32
            leader_id: Int32
            leader_epoch: Int32 = since(7, default=-1, ignorable=True)
            replica_nodes: Array[Int32]
            isr_nodes: Array[Int32]
            offline_replicas: Array[Int32] = since(5, default=[], ignorable=True)
