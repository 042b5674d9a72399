"""DescribeConfigs (32): versions 1-4, flexible from 4. Configuration of topics, brokers, groups ... (KIP-133).

1 where a value comes from, and what it would be otherwise (KIP-226); 3 types and documentation (KIP-569).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, since
from barnabas.wire.types import Array, Bool, Int8, Int16, Int32, String


class DescribeConfigsRequest(Message, key=32, versions="1-4", flexible="4+"):
    resources: Array[Resource]
    include_synonyms: Bool
    include_documentation: Bool = since(3, default=False)

    class Resource(Struct):
        resource_type: Int8
        resource_name: String
        configuration_keys: Array[String] | None


class DescribeConfigsResponse(Message, key=32, versions="1-4", flexible="4+"):
    throttle_time_ms: Int32
    results: Array[Result]

    class Result(Struct):
        error_code: Int16
        error_message: String | None
        resource_type: Int8
        resource_name: String
        configs: Array[ResourceResult]

        class ResourceResult(Struct):
            name: String
            value: String | None
            read_only: Bool
            config_source: Int8 = always(default=-1, ignorable=True)
            is_sensitive: Bool
            synonyms: Array[Synonym] = always(default=[], ignorable=True)
            config_type: Int8 = since(3, default=0, ignorable=True)
            documentation: String | None = since(3, default="", ignorable=True)

            class Synonym(Struct):
                name: String
                value: String | None
                source: Int8
