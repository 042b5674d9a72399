"""FetchSnapshot (59): versions 0-1."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since, tagged
from barnabas.wire.types import ZERO_UUID, Array, Int16, Int32, Int64, Records, String, Uint16, Uuid


class FetchSnapshotRequest(Message, key=59, versions="0-1", flexible="0+"):
    cluster_id: String | None = tagged(0, default=None)
    replica_id: Int32 = always(default=-1)
    max_bytes: Int32 = always(default=2147483647)
    topics: Array[TopicSnapshot]

    class TopicSnapshot(Struct):
        name: String
        partitions: Array[PartitionSnapshot]

        class PartitionSnapshot(Struct):
            partition: Int32
            current_leader_epoch: Int32
            snapshot_id: SnapshotId
            position: Int64
            replica_directory_id: Uuid = tagged(0, first=1, default=ZERO_UUID, ignorable=True)

            class SnapshotId(Struct):
                end_offset: Int64
                epoch: Int32


class FetchSnapshotResponse(Message, key=59, versions="0-1", flexible="0+"):
    throttle_time_ms: Int32 = always(default=0, ignorable=True)
    error_code: Int16
    topics: Array[TopicSnapshot]
    node_endpoints: Array[NodeEndpoint] = tagged(0, first=1, default=[])

    class TopicSnapshot(Struct):
        name: String
        partitions: Array[PartitionSnapshot]

        class PartitionSnapshot(Struct):
            index: Int32
            error_code: Int16
            snapshot_id: SnapshotId
            current_leader: LeaderIdAndEpoch = tagged(0, default=None)
            size: Int64
            position: Int64
            unaligned_records: Records

            class SnapshotId(Struct):
                end_offset: Int64
                epoch: Int32

            class LeaderIdAndEpoch(Struct):
                leader_id: Int32
                leader_epoch: Int32

    class NodeEndpoint(Struct):
        node_id: Int32 = since(1, default=0)
        host: String = since(1, default="")
        port: Uint16 = since(1, default=0)
