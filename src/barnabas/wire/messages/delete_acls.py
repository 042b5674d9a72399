"""DeleteAcls (31): versions 1-3, flexible from 2. Deletes the ACLs that match filters and says which (KIP-140).

1 literal and prefixed patterns (KIP-290); 3 the resource type user (KIP-373).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Int8, Int16, Int32, String


class DeleteAclsRequest(Message, key=31, versions="1-3", flexible="2+"):
    filters: Array[Filter]

    class Filter(Struct):
        resource_type_filter: Int8
        resource_name_filter: String | None
        pattern_type_filter: Int8 = always(default=3)
        principal_filter: String | None
        host_filter: String | None
        operation: Int8
        permission_type: Int8


class DeleteAclsResponse(Message, key=31, versions="1-3", flexible="2+"):
    throttle_time_ms: Int32
    filter_results: Array[FilterResult]

    class FilterResult(Struct):
        error_code: Int16
        error_message: String | None
        matching_acls: Array[MatchingAcl]

        class MatchingAcl(Struct):
            error_code: Int16
            error_message: String | None
            resource_type: Int8
            resource_name: String
            pattern_type: Int8 = always(default=3)
            principal: String
            host: String
            operation: Int8
            permission_type: Int8
