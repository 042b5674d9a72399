"""DeleteTopics (20): versions 1-6, flexible from 4. Topics by name or id.

3 TOPIC_DELETION_DISABLED; 5 messages and THROTTLING_QUOTA_EXCEEDED (KIP-599); 6 topics by id (KIP-516).
"""

from __future__ import annotations

from barnabas.wire.schema import Message, Struct, always, between, since
from barnabas.wire.types import ZERO_UUID, Array, Int16, Int32, String, Uuid


class DeleteTopicsRequest(Message, key=20, versions="1-6", flexible="4+"):
    topics: Array[DeleteTopicState] = since(6, default=[])
    topic_names: Array[String] = between(0, 5, default=[], ignorable=True)
    timeout_ms: Int32

    class DeleteTopicState(Struct):
        name: String | None = since(6, default=None)
        topic_id: Uuid = since(6, default=ZERO_UUID)


class DeleteTopicsResponse(Message, key=20, versions="1-6", flexible="4+"):
    throttle_time_ms: Int32 = always(default=0, ignorable=True)
    responses: Array[DeletableTopicResult]

    class DeletableTopicResult(Struct):
        name: String | None = always(default="", nullable=6)
        topic_id: Uuid = since(6, default=ZERO_UUID, ignorable=True)
        error_code: Int16
        error_message: String | None = since(5, default=None, ignorable=True)
