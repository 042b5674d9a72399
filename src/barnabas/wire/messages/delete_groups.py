"""DeleteGroups (42): versions 0-2, flexible from 2. Deletes empty groups with their offsets (KIP-229).

1 the reply comes before its throttling (KIP-219).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct
from barnabas.wire.types import Array, Int16, Int32, String


class DeleteGroupsRequest(Message, key=42, versions="0-2", flexible="2+"):
    groups_names: Array[String]


class DeleteGroupsResponse(Message, key=42, versions="0-2", flexible="2+"):
    throttle_time_ms: Int32
    results: Array[DeletableGroupResult]

    class DeletableGroupResult(Struct):
        group_id: String
        error_code: Int16
