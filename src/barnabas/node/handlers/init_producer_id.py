"""InitProducerId (22), versions 0-5, of a producer without transactional id. Needs IdempotentWrite on the cluster or Write on a topic. KIP-98, 360.

A transactional id is answered with UNSUPPORTED_VERSION, which clients don't try again: transactions aren't served yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.messages.init_producer_id import InitProducerIdResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.init_producer_id import InitProducerIdRequest


def handle(request: InitProducerIdRequest, call: Call) -> InitProducerIdResponse | None:
    if request.transactional_id is not None:
        error = Error.UNSUPPORTED_VERSION if request.transactional_id else Error.INVALID_REQUEST
        return InitProducerIdResponse(error_code=error, producer_epoch=-1)
    if (request.producer_id < 0) != (request.producer_epoch < 0):
        return InitProducerIdResponse(error_code=Error.INVALID_REQUEST, producer_epoch=-1)

    def answer(producer_id: int | Error) -> None:
        if isinstance(producer_id, Error):
            call.reply(InitProducerIdResponse(error_code=producer_id, producer_epoch=-1))
        else:
            call.reply(InitProducerIdResponse(error_code=0, producer_id=producer_id, producer_epoch=0))

    call.node.producer_ids.next(answer)
    return None
