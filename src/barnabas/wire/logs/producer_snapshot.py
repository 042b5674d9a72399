"""The file NNN.snapshot beside a segment (D63)."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import Array, Int16, Int32, Int64, Uint32


class ProducerSnapshot(Message, versions="1"):
    crc: Uint32
    producer_entries: Array[ProducerEntry]

    class ProducerEntry(Struct):
        producer_id: Int64
        epoch: Int16
        last_sequence: Int32
        last_offset: Int64
        offset_delta: Int32
        timestamp: Int64
        coordinator_epoch: Int32
        current_txn_first_offset: Int64
