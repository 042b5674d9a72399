"""BrokerRegistration (62), versions 0-4. Needs ClusterAction. KIP-631.

1 has migrating brokers (refused), 2 log directories, 3 the previous epoch, which shows a clean stop (C14), 4 lets feature ranges start at 0. As Apache Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.registrations import register_broker
from barnabas.wire.messages.broker_registration import BrokerRegistrationResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.broker_registration import BrokerRegistrationRequest


def handle(request: BrokerRegistrationRequest, call: Call) -> None:
    def register(controller: Controller, now_ms: int) -> Result:
        return register_broker(controller, request, call.version, now_ms)

    def answer(epoch: int) -> None:
        call.reply(BrokerRegistrationResponse(throttle_time_ms=0, error_code=0, broker_epoch=epoch))

    def refuse(error: Error, message: str | None) -> None:
        call.reply(BrokerRegistrationResponse(throttle_time_ms=0, error_code=error))

    call.submit(register, answer, refuse, at_commit=True)
