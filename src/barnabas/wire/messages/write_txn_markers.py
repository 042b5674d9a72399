"""WriteTxnMarkers (27): versions 1-2. A coordinator has commit or abort markers written by the leaders (KIP-98).

2 the transaction version, by which a leader judges epochs (KIP-1228).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, since
from barnabas.wire.types import Array, Bool, Int8, Int16, Int32, Int64, String


class WriteTxnMarkersRequest(Message, key=27, versions="1-2", flexible="1+"):
    markers: Array[WritableTxnMarker]

    class WritableTxnMarker(Struct):
        producer_id: Int64
        producer_epoch: Int16
        transaction_result: Bool
        topics: Array[WritableTxnMarkerTopic]
        coordinator_epoch: Int32
        transaction_version: Int8 = since(2, default=0, ignorable=True)

        class WritableTxnMarkerTopic(Struct):
            name: String
            partition_indexes: Array[Int32]


class WriteTxnMarkersResponse(Message, key=27, versions="1-2", flexible="1+"):
    markers: Array[WritableTxnMarkerResult]

    class WritableTxnMarkerResult(Struct):
        producer_id: Int64
        topics: Array[WritableTxnMarkerTopicResult]

        class WritableTxnMarkerTopicResult(Struct):
            name: String
            partitions: Array[WritableTxnMarkerPartitionResult]

            class WritableTxnMarkerPartitionResult(Struct):
                partition_index: Int32
                error_code: Int16
