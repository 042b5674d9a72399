"""Records of __share_group_state (G31). KIP-932."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, tagged
from barnabas.wire.types import Array, Int8, Int16, Int32, Int64, String, Uuid


class ShareSnapshotKey(Message, key=0, versions="0"):
    group_id: String
    topic_id: Uuid
    partition: Int32


class ShareSnapshotValue(Message, key=0, versions="0", flexible="0+"):
    snapshot_epoch: Int32
    state_epoch: Int32
    leader_epoch: Int32
    start_offset: Int64
    delivery_complete_count: Int32 = tagged(0, default=-1)
    create_timestamp: Int64
    write_timestamp: Int64
    state_batches: Array[StateBatch]

    class StateBatch(Struct):
        first_offset: Int64
        last_offset: Int64
        delivery_state: Int8
        delivery_count: Int16


class ShareUpdateKey(Message, key=1, versions="0"):
    group_id: String
    topic_id: Uuid
    partition: Int32


class ShareUpdateValue(Message, key=1, versions="0", flexible="0+"):
    snapshot_epoch: Int32
    leader_epoch: Int32
    start_offset: Int64
    delivery_complete_count: Int32 = tagged(0, default=-1)
    state_batches: Array[StateBatch]

    class StateBatch(Struct):
        first_offset: Int64
        last_offset: Int64
        delivery_state: Int8
        delivery_count: Int16
