"""Asking the active controller, wherever it is: this node's own requests, and those that it forwards for clients.

Owns finding the controller and whose answer is whose. Doesn't own what is asked, nor when to ask again after None.
Source: Apache's `NodeToControllerChannelManager`; C68, O5.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from barnabas.node.call import InnerCall
from barnabas.wire.apis import APIS

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.server import Node
    from barnabas.wire.schema import Message

    OnAnswer = Callable[[Any], object]


class ControllerChannel:
    """One path to the controller. What may be large or many goes by another one than heartbeats do (O5)."""

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    def ask(self, request: Message, on_answer: OnAnswer) -> None:
        """Have `on_answer(response)` called, or `on_answer(None)`: nobody answered, try again later. From any thread; the answer comes on the control
        thread."""
        self._node.controller.loop.call(self._ask, request, on_answer)

    def _ask(self, request: Message, on_answer: OnAnswer) -> None:
        self._ask_here(request, on_answer)

    def _ask_here(self, request: Message, on_answer: OnAnswer) -> None:
        """This node is the active controller: what serves the request on its listener serves it now."""
        api = APIS[request.api_key]
        call = InnerCall(self._node, api, api.last, on_answer, lambda: on_answer(None))
        response = import_module(f"barnabas.node.handlers.{api.stem}").handle(request, call)
        if response is not None:
            on_answer(response)
