"""What the classic consumer protocol puts into the opaque bytes of JoinGroup and SyncGroup, behind an int16 version. KIP-429, KIP-792."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Bytes, Int32, String


class ConsumerProtocolSubscription(Message, versions="0-3"):
    topics: Array[String]
    user_data: Bytes | None = always(default=None)
    owned_partitions: Array[TopicPartition] = since(1, default=[], ignorable=True)
    generation_id: Int32 = since(2, default=-1, ignorable=True)
    rack_id: String | None = since(3, default=None, ignorable=True)

    class TopicPartition(Struct):
        topic: String = since(1, default="")
        partitions: Array[Int32] = since(1, default=[])


class ConsumerProtocolAssignment(Message, versions="0-3"):
    assigned_partitions: Array[TopicPartition]
    user_data: Bytes | None = always(default=None)

    class TopicPartition(Struct):
        topic: String
        partitions: Array[Int32]
