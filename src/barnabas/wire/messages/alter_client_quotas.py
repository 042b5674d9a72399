"""AlterClientQuotas (49): versions 0-1, flexible from 1. Sets and removes quotas of users, client ids and addresses (KIP-546)."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import Array, Bool, Float64, Int16, Int32, String


class AlterClientQuotasRequest(Message, key=49, versions="0-1", flexible="1+"):
    entries: Array[EntryData]
    validate_only: Bool

    class EntryData(Struct):
        entity: Array[EntityData]
        ops: Array[OpData]

        class EntityData(Struct):
            entity_type: String
            entity_name: String | None

        class OpData(Struct):
            key: String
            value: Float64
            remove: Bool


class AlterClientQuotasResponse(Message, key=49, versions="0-1", flexible="1+"):
    throttle_time_ms: Int32
    entries: Array[EntryData]

    class EntryData(Struct):
        error_code: Int16
        error_message: String | None
        entity: Array[EntityData]

        class EntityData(Struct):
            entity_type: String
            entity_name: String | None
