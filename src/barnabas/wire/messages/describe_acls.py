"""DescribeAcls (29): versions 1-3, flexible from 2. ACLs that match a filter (KIP-140).

1 literal and prefixed patterns (KIP-290); 3 the resource type user (KIP-373).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Int8, Int16, Int32, String


class DescribeAclsRequest(Message, key=29, versions="1-3", flexible="2+"):
    resource_type_filter: Int8
    resource_name_filter: String | None
    pattern_type_filter: Int8 = always(default=3)
    principal_filter: String | None
    host_filter: String | None
    operation: Int8
    permission_type: Int8


class DescribeAclsResponse(Message, key=29, versions="1-3", flexible="2+"):
    throttle_time_ms: Int32
    error_code: Int16
    error_message: String | None
    resources: Array[Resource]

    class Resource(Struct):
        resource_type: Int8
        resource_name: String
        pattern_type: Int8 = always(default=3)
        acls: Array[AclDescription]

        class AclDescription(Struct):
            principal: String
            host: String
            operation: Int8
            permission_type: Int8
