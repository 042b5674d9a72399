"""Producer ids for idempotent producers: blocks of 1,000 from the controller, handed out one by one (C61).

Owns the block in hand and whoever waits for the next one. An id is never handed out twice: a new process starts with a new block.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.controller_host import ControllerHost

    Waiter = Callable[[int | Error], None]

_PREFETCH_AT = 100


class ProducerIds:
    def __init__(self, controller: ControllerHost, broker_id: int) -> None:
        self._controller = controller
        self._broker_id = broker_id
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
            self._controller.submit(self._allocate, self._allocated, self._failed)
        if found is not None:
            answer(found)

    def _allocate(self, controller: Controller, now_ms: int) -> Result:
        return controller.allocate_producer_ids(self._broker_id, self._controller.broker_epoch)

    def _allocated(self, block: tuple[int, int]) -> None:
        with self._lock:
            self._asking = False
            self._spare = (block[0], block[0] + block[1])
            waiting, self._waiting = self._waiting, []
        for answer in waiting:
            self.next(answer)

    def _failed(self, error: Error, message: str | None) -> None:
        with self._lock:
            self._asking = False
            waiting, self._waiting = self._waiting, []
        for answer in waiting:
            answer(error)
