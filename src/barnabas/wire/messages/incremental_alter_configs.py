"""IncrementalAlterConfigs (44): versions 0-1, flexible from 1. Sets, deletes, appends to or subtracts from single configuration values (KIP-339)."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import Array, Bool, Int8, Int16, Int32, String


class IncrementalAlterConfigsRequest(Message, key=44, versions="0-1", flexible="1+"):
    resources: Array[AlterConfigsResource]
    validate_only: Bool

    class AlterConfigsResource(Struct):
        resource_type: Int8
        resource_name: String
        configs: Array[AlterableConfig]

        class AlterableConfig(Struct):
            name: String
            config_operation: Int8
            value: String | None


class IncrementalAlterConfigsResponse(Message, key=44, versions="0-1", flexible="1+"):
    throttle_time_ms: Int32
    responses: Array[AlterConfigsResource]

    class AlterConfigsResource(Struct):
        error_code: Int16
        error_message: String | None
        resource_type: Int8
        resource_name: String
