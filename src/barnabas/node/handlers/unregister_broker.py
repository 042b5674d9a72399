"""UnregisterBroker (64), version 0. Needs Alter on the cluster. As Apache Kafka: its replicas stay assigned to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.registrations import unregister_broker
from barnabas.wire.messages.unregister_broker import UnregisterBrokerResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.unregister_broker import UnregisterBrokerRequest


def handle(request: UnregisterBrokerRequest, call: Call) -> None:
    def unregister(controller: Controller, now_ms: int) -> Result:
        return unregister_broker(controller, request.broker_id)

    def answer(_: None) -> None:
        call.reply(UnregisterBrokerResponse(throttle_time_ms=0, error_code=0, error_message=""))

    def refuse(error: Error, message: str | None) -> None:
        call.reply(UnregisterBrokerResponse(throttle_time_ms=0, error_code=error, error_message=message))

    call.submit(unregister, answer, refuse)
