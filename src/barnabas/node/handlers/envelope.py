"""Envelope (58), version 0: a client's request that a broker forwards to the controller. Needs ClusterAction. KIP-590.

As Apache Kafka: what an answer says of another controller is said by the envelope, for the broker to look for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.call import InnerCall
from barnabas.node.envelopes import EnvelopeRefused, Opened
from barnabas.node.router import FORWARDABLE, handler_of
from barnabas.wire.messages.envelope import EnvelopeResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.errors import Error
    from barnabas.wire.messages.envelope import EnvelopeRequest
    from barnabas.wire.schema import Message


def handle(request: EnvelopeRequest, call: Call) -> EnvelopeResponse | None:
    try:
        opened = Opened(request, FORWARDABLE)
    except EnvelopeRefused as refused:
        return EnvelopeResponse(error_code=refused.error)

    def answer(response: Message) -> None:
        call.reply(opened.answer(response))

    def failed(error: Error) -> None:
        call.reply(EnvelopeResponse(error_code=error))

    response = handler_of(opened.api)(opened.request, InnerCall(call.node, opened.api, opened.version, answer, failed, opened))
    return None if response is None else opened.answer(response)
