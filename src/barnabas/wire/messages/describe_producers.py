"""DescribeProducers (61): version 0. Producers that a leader knows, with open transactions (KIP-664)."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Int16, Int32, Int64, String


class DescribeProducersRequest(Message, key=61, versions="0", flexible="0+"):
    topics: Array[Topic]

    class Topic(Struct):
        name: String
        partition_indexes: Array[Int32]


class DescribeProducersResponse(Message, key=61, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    topics: Array[Topic]

    class Topic(Struct):
        name: String
        partitions: Array[Partition]

        class Partition(Struct):
            partition_index: Int32
            error_code: Int16
            error_message: String | None = always(default=None)
            active_producers: Array[ProducerState]

            class ProducerState(Struct):
                producer_id: Int64
                producer_epoch: Int32
                last_sequence: Int32 = always(default=-1)
                last_timestamp: Int64 = always(default=-1)
                coordinator_epoch: Int32
                current_txn_start_offset: Int64 = always(default=-1)
