"""DescribeGroups (15): versions 0-6, flexible from 5. Classic groups and their members.

3 authorized operations (KIP-430); 4 static members (KIP-345); 6 GROUP_ID_NOT_FOUND and a message where before a dead group was made up
(KIP-1043).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, since
from barnabas.wire.types import Array, Bool, Bytes, Int16, Int32, String


class DescribeGroupsRequest(Message, key=15, versions="0-6", flexible="5+"):
    groups: Array[String]
    include_authorized_operations: Bool = since(3, default=False)


class DescribeGroupsResponse(Message, key=15, versions="0-6", flexible="5+"):
    throttle_time_ms: Int32 = since(1, default=0, ignorable=True)
    groups: Array[DescribedGroup]

    class DescribedGroup(Struct):
        error_code: Int16
        error_message: String | None = since(6, default=None)
        group_id: String
        group_state: String
        protocol_type: String
        protocol_data: String
        members: Array[DescribedGroupMember]
        authorized_operations: Int32 = since(3, default=-2147483648)

        class DescribedGroupMember(Struct):
            member_id: String
            group_instance_id: String | None = since(4, default=None, ignorable=True)
            client_id: String
            client_host: String
            member_metadata: Bytes
            member_assignment: Bytes
