"""Who may be sent a request now: one at a time to each peer, and a pause after a failure (Q2, Q16).

Source: Apache's `RequestManager`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.core.quorum.peer_events import Peer
    from barnabas.core.quorum.settings import QuorumSettings

FOREVER = 1 << 62


class Peers:
    __slots__ = ("_bootstrap", "_in_flight", "_last_correlation_id", "_paused_until", "_random_below", "_settings")

    def __init__(self, bootstrap: Sequence[Peer], settings: QuorumSettings, random_below: Callable[[int], int]) -> None:
        """`bootstrap`: who to ask while no leader is known."""
        self._bootstrap = tuple(bootstrap)
        self._settings = settings
        self._random_below = random_below
        self._last_correlation_id = 0
        self._in_flight: dict[int, tuple[int, int]] = {}
        """Peer -> (correlation id, when it counts as lost)."""
        self._paused_until: dict[int, int] = {}

    def forget_all(self) -> None:
        """A new state begins: whatever was asked before doesn't matter any more."""
        self._in_flight.clear()
        self._paused_until.clear()

    def forget(self, peer_id: int) -> None:
        self._in_flight.pop(peer_id, None)
        self._paused_until.pop(peer_id, None)

    def ready_at(self, peer_id: int) -> int:
        """The time from which `peer_id` may be sent a request."""
        if peer_id in self._in_flight:
            return self._in_flight[peer_id][1]
        return self._paused_until.get(peer_id, 0)

    def has_timed_out(self, peer_id: int, now_ms: int) -> bool:
        return peer_id in self._in_flight and self._in_flight[peer_id][1] <= now_ms

    def is_pausing(self, peer_id: int, now_ms: int) -> bool:
        return self._paused_until.get(peer_id, 0) > now_ms

    def busy_until(self, now_ms: int) -> int:
        """When the last running request counts as lost; 0 while none runs."""
        return max((lost_ms for _, lost_ms in self._in_flight.values() if lost_ms > now_ms), default=0)

    def sent(self, peer_id: int, now_ms: int) -> int:
        """A request goes out; its correlation id."""
        self._last_correlation_id += 1
        self._paused_until.pop(peer_id, None)
        self._in_flight[peer_id] = (self._last_correlation_id, now_ms + self._settings.request_timeout_ms)
        return self._last_correlation_id

    def expects(self, peer_id: int, correlation_id: int) -> bool:
        return peer_id in self._in_flight and self._in_flight[peer_id][0] == correlation_id

    def answered(self, peer_id: int, correlation_id: int, is_success: bool, now_ms: int) -> None:
        if self.expects(peer_id, correlation_id):
            del self._in_flight[peer_id]
            if not is_success:
                self._paused_until[peer_id] = now_ms + self._settings.retry_backoff_ms

    def any_bootstrap(self, now_ms: int) -> Peer | None:
        """A random one of those that are ready; None when none is, or something is under way already (Q17)."""
        count = len(self._bootstrap)
        if count == 0 or self.busy_until(now_ms):
            return None
        first = self._random_below(count)
        ordered = (self._bootstrap[(first + step) % count] for step in range(count))
        return next((peer for peer in ordered if self.ready_at(peer.id) <= now_ms), None)

    def bootstrap_ready_at(self, now_ms: int) -> int:
        """When `any_bootstrap` is worth another try."""
        busy_until = self.busy_until(now_ms)
        return busy_until or min((self.ready_at(peer.id) for peer in self._bootstrap), default=FOREVER)
