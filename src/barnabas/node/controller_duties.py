"""What the active controller does from time to time without being asked: fence brokers whose sessions have run out (C23), give leaderships back to preferred
replicas, and leaders out of sync to partitions that may have such (C7).

Owns when. What is done is `core.controller`'s; everything runs on the control thread, as long as this node is the active controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.broker_life import fence_stale_broker
from barnabas.node.call import steady_ms

if TYPE_CHECKING:
    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.result import Result
    from barnabas.node.config.sections import Quorum
    from barnabas.node.controller_host import ControllerHost, Operation
    from barnabas.node.loop import Timer
    from barnabas.wire.errors import Error


class ControllerDuties:
    def __init__(self, host: ControllerHost, quorum: Quorum) -> None:
        self._host = host
        self._quorum = quorum
        self._timers: dict[object, Timer] = {}

    def begin(self) -> None:
        """This node has become the active controller."""
        self.end()
        self._look_later()
        if self._quorum.auto_leader_rebalance:
            self._elect_later(self._quorum.leader_imbalance_check_interval_s * 1000, _elect_preferred)
        self._elect_later(self._quorum.unclean_election_interval_ms, _elect_unclean)

    def end(self) -> None:
        """Another one is."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _look_later(self) -> None:
        """When the first session can end; heartbeats only put that off."""
        ends_ms = self._host.controller.heartbeats.next_end_ms()
        delay_ms = self._quorum.broker_session_timeout_ms if ends_ms is None else max(ends_ms - steady_ms(), 0)
        self._timers[fence_stale_broker] = self._host.loop.call_later(delay_ms + 1, self._fence)

    def _fence(self) -> None:
        self._look_later()
        self._host.submit(fence_stale_broker, self._fenced, _refused, at_commit=True)

    def _fenced(self, found: bool) -> None:
        """One broker after the other: what becomes of its partitions is known before the next is looked at."""
        if found and self._timers:
            self._host.submit(fence_stale_broker, self._fenced, _refused, at_commit=True)

    def _elect_later(self, interval_ms: int, elect: Operation) -> None:
        self._timers[elect] = self._host.loop.call_later(interval_ms, self._elect, interval_ms, elect)

    def _elect(self, interval_ms: int, elect: Operation) -> None:
        def done(there_is_more: bool) -> None:
            if there_is_more and self._timers:
                self._host.submit(elect, done, _refused, at_commit=True)

        self._elect_later(interval_ms, elect)
        self._host.submit(elect, done, _refused, at_commit=True)


def _elect_preferred(controller: Controller, now_ms: int) -> Result:
    from barnabas.core.controller.elections import elect_preferred

    return elect_preferred(controller)


def _elect_unclean(controller: Controller, now_ms: int) -> Result:
    from barnabas.core.controller.elections import elect_unclean

    return elect_unclean(controller)


def _refused(error: Error, message: str | None) -> None:
    """It is tried again with the next look."""
