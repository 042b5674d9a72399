"""Producer ids for idempotent producers: blocks of 1,000 from the controller, handed out one by one (C61).

Owns the block in hand and whoever waits for the next one. An id is never handed out twice: a new process starts with a new block.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.server import Node

    Waiter = Callable[[int | Error], None]

_PREFETCH_AT = 100


class ProducerIds:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = Lock()
        self._next = self._end = 0
        self._spare: tuple[int, int] | None = None
        self._asking = False
        self._waiting: list[Waiter] = []

    def next(self, answer: Waiter) -> None:
        """Call `answer` with an id, or with the error why there is none. From any thread, and on any thread."""
        with self._lock:
            if self._next == self._end and self._spare is not None:
                self._next, self._end = self._spare
                self._spare = None
            found = self._next if self._next < self._end else None
            if found is not None:
                self._next += 1
            else:
                self._waiting.append(answer)
            ask = not self._asking and self._spare is None and self._end - self._next < _PREFETCH_AT
            self._asking = self._asking or ask
        if ask:
            from barnabas.wire.messages.allocate_producer_ids import AllocateProducerIdsRequest

            broker = self._node.broker
            request = AllocateProducerIdsRequest(broker_id=broker.id, broker_epoch=broker.epoch)
            self._node.controllers.ask(request, self._answered)
        if found is not None:
            answer(found)

    def _answered(self, answer: Any) -> None:
        error = Error.COORDINATOR_LOAD_IN_PROGRESS if answer is None else Error(answer.error_code)
        with self._lock:
            self._asking = False
            if error == Error.NONE:
                self._spare = (answer.producer_id_start, answer.producer_id_start + answer.producer_id_len)
            waiting, self._waiting = self._waiting, []
        for one in waiting:
            if error == Error.NONE:
                self.next(one)
            else:
                one(error)
