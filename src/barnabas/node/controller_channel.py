"""Asking the active controller, wherever it is: this node's own requests, and those that it forwards for clients.

Owns finding the controller, the connection to it, asking again when it wasn't the controller any more or the connection broke, and giving up in time.
Doesn't own what is asked, nor when to ask again after None. Source: Apache's `NodeToControllerChannelManager`; C68, O5.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from barnabas.node.call import InnerCall
from barnabas.node.router import handler_of
from barnabas.wire.apis import APIS
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.loop import Timer
    from barnabas.node.outbound import Outbound, SetupLimits
    from barnabas.node.server import Node
    from barnabas.wire.schema import Message

    OnAnswer = Callable[[Any], object]

_AGAIN_MS = 50
_MOST_IN_FLIGHT = 32
_MOST_WAITING = 10_000
CONTROLLER_PATIENCE_MS = 10_000


class _Ask:
    __slots__ = ("asked_s", "ends_s", "is_done", "on_answer", "request")

    def __init__(self, request: Message, on_answer: OnAnswer, ends_s: float) -> None:
        self.request = request
        self.on_answer = on_answer
        self.ends_s = ends_s
        self.asked_s = 0.0  # the last time
        self.is_done = False


class ControllerChannel:
    """One path to the controller. What may be large or many goes by another one than heartbeats do (O5)."""

    __slots__ = ("_asked", "_connection", "_controller", "_limits", "_node", "_patience_ms", "_timer", "_waiting")

    def __init__(self, node: Node, patience_ms: int) -> None:
        """`patience_ms`: how long a controller is looked for, and its answer waited for. One connection gets controller.socket.timeout.ms of that."""
        self._node = node
        self._controller = node.controller
        self._patience_ms = patience_ms
        self._waiting: deque[_Ask] = deque()
        self._asked: list[_Ask] = []  # by the connection
        self._connection: Outbound | None = None
        self._limits: SetupLimits | None = None
        self._timer: Timer | None = None

    def ask(self, request: Message, on_answer: OnAnswer) -> None:
        """Have `on_answer(response)` called, or `on_answer(None)`: nobody answered, try again later. From any thread; the answer comes on the control
        thread. What a controller was asked that then was lost is asked again: it may have been done already."""
        self._controller.loop.call(self._ask, request, on_answer)

    @property
    def versions(self) -> dict[int, tuple[int, int]] | None:
        """What the active controller serves, as long as this node is connected to it; None while it isn't, or is itself the controller. For any thread."""
        connection = self._connection
        return None if connection is None else connection.versions

    def leader_changed(self) -> None:
        """The quorum has another leader: what waits for one, or for the answer of the last one, goes to it now. From any thread."""
        self._controller.loop.call(self._drive)

    def _ask(self, request: Message, on_answer: OnAnswer) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            on_answer(None)
            return
        self._waiting.append(_Ask(request, on_answer, time.monotonic() + self._patience_ms / 1000))
        self._drive()

    # Where the controller is

    def _drive(self) -> None:
        """Send what waits to whoever is the controller now."""
        if self._controller.controller.is_active:
            self._disconnect()
            for _ in range(len(self._waiting)):
                self._ask_here(self._waiting.popleft())
        else:
            self._connect()
            while self._connection is not None and self._waiting and len(self._asked) < _MOST_IN_FLIGHT:
                self._send(self._connection, self._waiting.popleft())
        if (self._waiting or self._asked) and self._timer is None:
            self._timer = self._controller.loop.call_later(_AGAIN_MS, self._look_again)

    def _look_again(self) -> None:
        """Leaders change and time passes while something waits; when nothing does, nothing is done."""
        self._timer = None
        now_s = time.monotonic()
        long_ago_s = now_s - self._node.config.quorum.controller_socket_timeout_ms / 1000
        if any(
            ask.ends_s <= now_s or ask.asked_s <= long_ago_s for ask in self._asked
        ):  # hung, or out of reach: no answer is to be taken for another's
            self._disconnect()
        late = [ask for ask in self._waiting if ask.ends_s <= now_s]
        if late:
            self._waiting = deque(ask for ask in self._waiting if ask.ends_s > now_s)
            for ask in late:
                self._settle(ask, None)
        self._drive()

    def _connect(self) -> None:
        from barnabas.node.outbound import Outbound, SetupLimits

        leader = self._controller.quorum.quorum.leader_endpoint
        connection = self._connection
        if connection is not None and (leader is None or connection.address != (leader.host, leader.port)):
            self._disconnect()
        if self._connection is None and leader is not None and self._waiting:
            if self._limits is None:
                network = self._node.config.network
                self._limits = SetupLimits(network.first_setup_timeout_ms, network.most_setup_timeout_ms)
            client_id = str(self._node.config.node_id)
            self._connection = Outbound(self._controller.loop, leader.host, leader.port, client_id, self._closed, limits=self._limits)

    def _disconnect(self) -> None:
        """Let go of the connection; what was asked by it waits again, first in the queue."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._waiting.extendleft(reversed(self._asked))
        self._asked.clear()

    def _closed(self, failure: object) -> None:
        self._connection = None  # the next one is made when something is to be asked, or asked again

    # Answers

    def _send(self, connection: Outbound, ask: _Ask) -> None:
        self._asked.append(ask)
        ask.asked_s = time.monotonic()
        connection.ask(ask.request, lambda answer: self._answered(connection, ask, answer))

    def _answered(self, connection: Outbound, ask: _Ask, answer: Any) -> None:
        from barnabas.node.outbound import Failure

        if ask not in self._asked:  # asked elsewhere since
            return
        self._asked.remove(ask)
        if isinstance(answer, Failure):
            if answer.is_unsupported:
                self._settle(ask, None)
            else:
                self._later(ask)
        elif _names_other_controller(answer):
            self._later(ask)
        else:
            self._settle(ask, answer)
        if self._waiting and len(self._asked) < _MOST_IN_FLIGHT and self._connection is connection and not isinstance(answer, Failure):
            self._drive()

    def _later(self, ask: _Ask) -> None:
        self._waiting.appendleft(ask)
        if self._timer is None:
            self._timer = self._controller.loop.call_later(_AGAIN_MS, self._look_again)

    def _ask_here(self, ask: _Ask) -> None:
        """This node is the active controller: what serves the request on its listener serves it now."""
        api = APIS[ask.request.api_key]
        call = InnerCall(self._node, api, api.last, lambda answer: self._settle(ask, answer), lambda error: self._failed_here(ask, error))
        response = handler_of(api)(ask.request, call)
        if response is not None:
            self._settle(ask, response)

    def _failed_here(self, ask: _Ask, error: Error) -> None:
        if error == Error.NOT_CONTROLLER:
            self._later(ask)
        else:
            self._settle(ask, None)

    def _settle(self, ask: _Ask, answer: Message | None) -> None:
        if not ask.is_done:
            ask.is_done = True
            ask.on_answer(answer)


def _names_other_controller(answer: Any) -> bool:
    """Whether the answer, or a part of it, is NOT_CONTROLLER."""
    if getattr(answer, "error_code", 0) == Error.NOT_CONTROLLER:
        return True
    return any(getattr(row, "error_code", 0) == Error.NOT_CONTROLLER for row in getattr(answer, "topics", ()))
