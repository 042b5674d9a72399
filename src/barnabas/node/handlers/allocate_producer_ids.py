"""AllocateProducerIds (67), version 0: a broker's next block of producer ids. Needs ClusterAction. KIP-730. As Apache Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.messages.allocate_producer_ids import AllocateProducerIdsResponse

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.allocate_producer_ids import AllocateProducerIdsRequest


def handle(request: AllocateProducerIdsRequest, call: Call) -> None:
    def allocate(controller: Controller, now_ms: int) -> Result:
        return controller.allocate_producer_ids(request.broker_id, request.broker_epoch)

    def answer(block: tuple[int, int]) -> None:
        call.reply(AllocateProducerIdsResponse(throttle_time_ms=0, error_code=0, producer_id_start=block[0], producer_id_len=block[1]))

    def refuse(error: Error, message: str | None) -> None:
        call.reply(AllocateProducerIdsResponse(throttle_time_ms=0, error_code=error, producer_id_start=0, producer_id_len=0))

    call.submit(allocate, answer, refuse, at_commit=True)
