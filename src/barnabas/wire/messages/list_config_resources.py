"""ListConfigResources (74): versions 0-1. Resources that have configuration.

0 client metrics only (KIP-714); 1 any type (KIP-1142).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, since
from barnabas.wire.types import Array, Int8, Int16, Int32, String


class ListConfigResourcesRequest(Message, key=74, versions="0-1", flexible="0+"):
    resource_types: Array[Int8] = since(1, default=[])


class ListConfigResourcesResponse(Message, key=74, versions="0-1", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    config_resources: Array[ConfigResource]

    class ConfigResource(Struct):
        resource_name: String
        resource_type: Int8 = since(1, default=16, ignorable=True)
