"""DeleteShareGroupOffsets (92): version 0."""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Int16, Int32, String, Uuid


class DeleteShareGroupOffsetsRequest(Message, key=92, versions="0", flexible="0+"):
    group_id: String
    topics: Array[Topic]

    class Topic(Struct):
        topic_name: String


class DeleteShareGroupOffsetsResponse(Message, key=92, versions="0", flexible="0+"):
    throttle_time_ms: Int32
    error_code: Int16
    error_message: String | None = always(default=None)
    responses: Array[Topic]

    class Topic(Struct):
        topic_name: String
        topic_id: Uuid
        error_code: Int16
        error_message: String | None = always(default=None)
