"""AlterPartition (56): versions 2-3."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, between, since
from barnabas.wire.types import ZERO_UUID, Array, Int8, Int16, Int32, Int64, Uuid


class AlterPartitionRequest(Message, key=56, versions="2-3", flexible="0+"):
    broker_id: Int32
    broker_epoch: Int64 = always(default=-1)
    topics: Array[TopicData]

    class TopicData(Struct):
        topic_id: Uuid = always(default=ZERO_UUID, ignorable=True)
        partitions: Array[PartitionData]

        class PartitionData(Struct):
            partition_index: Int32
            leader_epoch: Int32
            new_isr: Array[Int32] = between(0, 2, default=[])
            new_isr_with_epochs: Array[BrokerState] = since(3, default=[])
            leader_recovery_state: Int8
            partition_epoch: Int32

            class BrokerState(Struct):
                broker_id: Int32 = since(3, default=0)
                broker_epoch: Int64 = since(3, default=-1)


class AlterPartitionResponse(Message, key=56, versions="2-3", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    topics: Array[TopicData]

    class TopicData(Struct):
        topic_id: Uuid = always(default=ZERO_UUID, ignorable=True)
        partitions: Array[PartitionData]

        class PartitionData(Struct):
            partition_index: Int32
            error_code: Int16
            leader_id: Int32
            leader_epoch: Int32
            isr: Array[Int32]
            leader_recovery_state: Int8 = always(default=0, ignorable=True)
            partition_epoch: Int32
