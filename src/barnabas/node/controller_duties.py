"""What the active controller does from time to time without being asked: fence brokers whose sessions have run out (C23).

Owns when. What is done is `core.controller`'s; everything runs on the control thread, as long as this node is the active controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.broker_life import fence_stale_broker
from barnabas.node.call import steady_ms

if TYPE_CHECKING:
    from barnabas.node.controller_host import ControllerHost
    from barnabas.node.loop import Timer
    from barnabas.wire.errors import Error


class ControllerDuties:
    def __init__(self, host: ControllerHost, session_timeout_ms: int) -> None:
        self._host = host
        self._session_timeout_ms = session_timeout_ms
        self._timer: Timer | None = None

    def begin(self) -> None:
        """This node has become the active controller."""
        self.end()
        self._look_later()

    def end(self) -> None:
        """Another one is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self) -> None:
        """When the first session can end; heartbeats only put that off."""
        ends_ms = self._host.controller.heartbeats.next_end_ms()
        delay_ms = self._session_timeout_ms if ends_ms is None else max(ends_ms - steady_ms(), 0)
        self._timer = self._host.loop.call_later(delay_ms + 1, self._fence)

    def _fence(self) -> None:
        self._look_later()
        self._host.submit(fence_stale_broker, self._fenced, _refused)

    def _fenced(self, found: bool) -> None:
        """One broker after the other: what becomes of its partitions is known before the next is looked at."""
        if found and self._timer is not None:
            self._host.submit(fence_stale_broker, self._fenced, _refused)


def _refused(error: Error, message: str | None) -> None:
    """It is tried again with the next look."""
