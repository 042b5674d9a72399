"""DeleteTopics (20), versions 1-6. Needs Delete on each topic.

5 has error messages, 6 names topics by id too. As Apache Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.topic_changes import delete_topics
from barnabas.wire.errors import Error
from barnabas.wire.messages.delete_topics import DeleteTopicsResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.call import Call
    from barnabas.wire.messages.delete_topics import DeleteTopicsRequest

_KNOWS_DISABLED = 3


def handle(request: DeleteTopicsRequest, call: Call) -> DeleteTopicsResponse | None:
    def refusal(error: Error, message: str | None) -> DeleteTopicsResponse:
        asked = [(topic.name, topic.topic_id) for topic in request.topics] + [(name, bytes(16)) for name in request.topic_names]
        return DeleteTopicsResponse(
            responses=[
                DeleteTopicsResponse.DeletableTopicResult(name=name, topic_id=topic_id, error_code=error, error_message=message)
                for name, topic_id in asked
            ]
        )

    def delete(controller: Controller, now_ms: int) -> Result:
        return delete_topics(controller, request)

    if not call.node.config.topics.delete_enable:
        if call.version < _KNOWS_DISABLED:
            return refusal(Error.INVALID_REQUEST, None)
        return refusal(Error.TOPIC_DELETION_DISABLED, None)
    is_empty = not request.topics and not request.topic_names
    call.submit_within(1 if is_empty else request.timeout_ms, delete, call.reply, lambda error, message: call.reply(refusal(error, message)))
    return None
