"""CreatePartitions (37), versions 0-3. Needs Alter on each topic. All versions are alike. As Apache Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.topic_changes import create_partitions
from barnabas.wire.messages.create_partitions import CreatePartitionsResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.create_partitions import CreatePartitionsRequest


def handle(request: CreatePartitionsRequest, call: Call) -> None:
    def create(controller: Controller, now_ms: int) -> Result:
        return create_partitions(controller, request)

    def refuse(error: Error, message: str | None) -> None:
        answers = [CreatePartitionsResponse.TopicResult(name=topic.name, error_code=error, error_message=message) for topic in request.topics]
        call.reply(CreatePartitionsResponse(throttle_time_ms=0, results=answers))

    call.submit_within(request.timeout_ms if request.topics else 1, create, call.reply, refuse)
