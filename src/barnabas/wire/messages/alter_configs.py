"""AlterConfigs (33): versions 0-2, flexible from 2. Replaces a resource's configuration whole (KIP-133).

1 the reply comes before its throttling (KIP-219). IncrementalAlterConfigs is what clients should use.
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import Array, Bool, Int8, Int16, Int32, String


class AlterConfigsRequest(Message, key=33, versions="0-2", flexible="2+"):
    resources: Array[Resource]
    validate_only: Bool

    class Resource(Struct):
        resource_type: Int8
        resource_name: String
        configs: Array[AlterableConfig]

        class AlterableConfig(Struct):
            name: String
            value: String | None


class AlterConfigsResponse(Message, key=33, versions="0-2", flexible="2+"):
    throttle_time_ms: Int32
    responses: Array[Resource]

    class Resource(Struct):
        error_code: Int16
        error_message: String | None
        resource_type: Int8
        resource_name: String
