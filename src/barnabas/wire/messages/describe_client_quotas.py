"""DescribeClientQuotas (48): versions 0-1, flexible from 1. Quotas of users, client ids and addresses (KIP-546)."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import Array, Bool, Float64, Int8, Int16, Int32, String


class DescribeClientQuotasRequest(Message, key=48, versions="0-1", flexible="1+"):
    components: Array[ComponentData]
    strict: Bool

    class ComponentData(Struct):
        entity_type: String
        match_type: Int8
        match: String | None


class DescribeClientQuotasResponse(Message, key=48, versions="0-1", flexible="1+"):
    throttle_time_ms: Int32
    error_code: Int16
    error_message: String | None
    entries: Array[EntryData] | None

    class EntryData(Struct):
        entity: Array[EntityData]
        values: Array[ValueData]

        class EntityData(Struct):
            entity_type: String
            entity_name: String | None

        class ValueData(Struct):
            key: String
            value: Float64
