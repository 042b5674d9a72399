"""CreateTopics (19), versions 2-7. Needs Create on the cluster or the topic; DescribeConfigs to be told the configs.

4 has counts of -1 for the cluster's defaults, 5 the topic's configs in the answer, 7 its id. As Apache Kafka: one topic's refusal doesn't hold up the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.topic_changes import create_topics
from barnabas.wire.messages.create_topics import CreateTopicsResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.create_topics import CreateTopicsRequest


def handle(request: CreateTopicsRequest, call: Call) -> None:
    def create(controller: Controller, now_ms: int) -> Result:
        return create_topics(controller, request, call.version)

    def refuse(error: Error, message: str | None) -> None:
        answers = [CreateTopicsResponse.CreatableTopicResult(name=topic.name, error_code=error, error_message=message) for topic in request.topics]
        call.reply(CreateTopicsResponse(topics=answers))

    call.submit_within(request.timeout_ms if request.topics else 1, create, call.reply, refuse)
