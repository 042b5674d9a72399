"""What clients ask a broker that only the active controller can answer: there in an envelope, and the answer back (KIP-590, C68).

Owns what a client is told when no controller answers. Which APIs these are stands in `router`, envelopes are `envelopes`', finding the controller is
`controller_channel`'s. Source: Apache's `ForwardingManager`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.node.call import InnerCall
from barnabas.node.controller_channel import ControllerChannel
from barnabas.node.router import handler_of
from barnabas.wire.errors import Error
from barnabas.wire.types import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.call import Call
    from barnabas.node.controller_host import OnError, OnReply, Operation
    from barnabas.node.server import Node
    from barnabas.wire.apis import Api
    from barnabas.wire.messages.envelope import EnvelopeResponse
    from barnabas.wire.schema import Message

    OnResponse = Callable[[Any], object]

_PATIENCE_MS = 60_000


class Forwarding:
    """One a node."""

    __slots__ = ("_node", "channel")

    def __init__(self, node: Node) -> None:
        self._node = node
        self.channel = ControllerChannel(node, _PATIENCE_MS)

    def ask(self, call: Call, request: Message, on_response: OnResponse) -> None:
        """Have the active controller answer `request`, which `call`'s client makes in `call`'s version. From any thread, and `on_response` on any.

        Where no controller answers in time the response says REQUEST_TIMED_OUT.
        """
        if self._node.controller.controller.is_active:

            def failed(error: Error) -> None:
                if error == Error.NOT_CONTROLLER:
                    self._send(call, request, on_response)
                else:
                    call.close()

            inner = InnerCall(self._node, call.api, call.version, on_response, failed, call)
            response = handler_of(call.api)(request, inner)
            if response is not None:
                on_response(response)
        else:
            self._send(call, request, on_response)

    def _send(self, call: Call, request: Message, on_response: OnResponse) -> None:
        from barnabas.node.envelopes import seal

        self.channel.ask(seal(call, request), lambda answer: self._answered(call, request, on_response, answer))

    def _answered(self, call: Call, request: Message, on_response: OnResponse, answer: EnvelopeResponse | None) -> None:
        if answer is None:
            self._refuse(call, request, on_response, Error.REQUEST_TIMED_OUT)
        elif answer.error_code == Error.UNSUPPORTED_VERSION:
            call.close()  # the client learns the versions anew
        elif answer.error_code != Error.NONE or answer.response_data is None:
            self._refuse(call, request, on_response, Error.UNKNOWN_SERVER_ERROR)
        else:
            from barnabas.node.envelopes import read_response

            try:
                response = read_response(call, answer.response_data)
            except DecodeError as error:
                self._node.log_warning(f"The controller's answer to {call.api.name} can't be read: {error}")
                self._refuse(call, request, on_response, Error.UNKNOWN_SERVER_ERROR)
            else:
                on_response(response)

    def _refuse(self, call: Call, request: Message, on_response: OnResponse, error: Error) -> None:
        """As the request's handler puts an error."""
        response = handler_of(call.api)(request, _Refused(self._node, call.api, call.version, on_response, call, error))
        if response is not None:
            on_response(response)


class _Refused(InnerCall):
    """No controller takes what it submits."""

    __slots__ = ("_error",)

    def __init__(self, node: Node, api: Api, version: int, on_answer: OnResponse, client: Call, error: Error) -> None:
        super().__init__(node, api, version, on_answer, lambda failure: client.close(), client)
        self._error = error

    def submit(self, operation: Operation, on_reply: OnReply, on_error: OnError, *, at_commit: bool = False) -> None:
        from barnabas.wire.error_messages import MESSAGES

        on_error(self._error, MESSAGES[self._error])
