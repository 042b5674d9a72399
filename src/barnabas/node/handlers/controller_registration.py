"""ControllerRegistration (70), version 0. Needs ClusterAction. KIP-919. As Apache Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.registrations import register_controller
from barnabas.wire.messages.controller_registration import ControllerRegistrationResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.controller_registration import ControllerRegistrationRequest


def handle(request: ControllerRegistrationRequest, call: Call) -> None:
    def register(controller: Controller, now_ms: int) -> Result:
        return register_controller(controller, request)

    def answer(_: None) -> None:
        call.reply(ControllerRegistrationResponse(throttle_time_ms=0, error_code=0, error_message=""))

    def refuse(error: Error, message: str | None) -> None:
        call.reply(ControllerRegistrationResponse(throttle_time_ms=0, error_code=error, error_message=message))

    call.submit(register, answer, refuse, at_commit=True)
