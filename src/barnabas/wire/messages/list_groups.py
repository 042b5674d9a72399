"""ListGroups (16): versions 0-5, flexible from 3. The groups that a broker coordinates.

4 filtered by state, which the reply names (KIP-518); 5 by type likewise (KIP-848).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, since
from barnabas.wire.types import Array, Int16, Int32, String


class ListGroupsRequest(Message, key=16, versions="0-5", flexible="3+"):
    states_filter: Array[String] = since(4, default=[])
    types_filter: Array[String] = since(5, default=[])


class ListGroupsResponse(Message, key=16, versions="0-5", flexible="3+"):
    throttle_time_ms: Int32 = since(1, default=0, ignorable=True)
    error_code: Int16
    groups: Array[ListedGroup]

    class ListedGroup(Struct):
        group_id: String
        protocol_type: String
        group_state: String = since(4, default="", ignorable=True)
        group_type: String = since(5, default="", ignorable=True)
