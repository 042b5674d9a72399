"""CreateAcls (30): versions 1-3, flexible from 2. New ACLs (KIP-140).

1 literal and prefixed patterns (KIP-290); 3 the resource type user (KIP-373).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Int8, Int16, Int32, String


class CreateAclsRequest(Message, key=30, versions="1-3", flexible="2+"):
    creations: Array[AclCreation]

    class AclCreation(Struct):
        resource_type: Int8
        resource_name: String
        resource_pattern_type: Int8 = always(default=3)
        principal: String
        host: String
        operation: Int8
        permission_type: Int8


class CreateAclsResponse(Message, key=30, versions="1-3", flexible="2+"):
    throttle_time_ms: Int32
    results: Array[AclCreationResult]

    class AclCreationResult(Struct):
        error_code: Int16
        error_message: String | None
