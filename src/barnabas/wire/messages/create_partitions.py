"""CreatePartitions (37): versions 0-3, flexible from 2. More partitions for topics (KIP-195).

3 THROTTLING_QUOTA_EXCEEDED (KIP-599).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always
from barnabas.wire.types import Array, Bool, Int16, Int32, String


class CreatePartitionsRequest(Message, key=37, versions="0-3", flexible="2+"):
    topics: Array[Topic]
    timeout_ms: Int32
    validate_only: Bool

    class Topic(Struct):
        name: String
        count: Int32
        assignments: Array[Assignment] | None

        class Assignment(Struct):
            broker_ids: Array[Int32]


class CreatePartitionsResponse(Message, key=37, versions="0-3", flexible="2+"):
    throttle_time_ms: Int32
    results: Array[TopicResult]

    class TopicResult(Struct):
        name: String
        error_code: Int16
        error_message: String | None = always(default=None)
