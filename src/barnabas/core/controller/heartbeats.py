"""Sessions of brokers: who has been heard of when, and what state a heartbeat moves a broker to (C20-C31).

Soft state of the active controller, not of the log: built anew on activation, when every unfenced broker gets a full session (C8).
Source: Apache's `BrokerHeartbeatManager`, `BrokerHeartbeatTracker`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from barnabas.core.metadata.registration import Broker
    from barnabas.wire.messages.broker_heartbeat import BrokerHeartbeatRequest

FENCED = "fenced"
UNFENCED = "unfenced"
CONTROLLED_SHUTDOWN = "in controlled shutdown"
SHUTDOWN_NOW = "shutdown granted"

_ARRIVAL_MS = 500


class _Beating:
    __slots__ = ("fenced", "metadata_offset", "shutdown_offset")

    def __init__(self, fenced: bool) -> None:
        self.fenced = fenced
        self.metadata_offset = -1
        self.shutdown_offset = -1
        """End of the batch that moved its leaderships away; -1 when not shutting down."""


class Heartbeats:
    __slots__ = ("_activated_ms", "_brokers", "_contacts", "_unheard", "session_timeout_ms")

    def __init__(self, session_timeout_ms: int) -> None:
        self.session_timeout_ms = session_timeout_ms
        self._brokers: dict[int, _Beating] = {}
        self._contacts: dict[tuple[int, int], int] = {}
        """(broker id, broker epoch) -> when it was last heard of, ms."""
        self._unheard: set[tuple[int, int]] = set()
        """Those that have a session since this controller became active, and sent it nothing."""
        self._activated_ms = 0

    def activate(self, brokers: Iterable[Broker], now_ms: int) -> None:
        self._brokers = {broker.id: _Beating(broker.fenced) for broker in brokers}
        self._contacts = {(broker.id, broker.epoch): now_ms for broker in brokers if not broker.fenced}
        self._unheard = set(self._contacts)
        self._activated_ms = now_ms

    def unwritten(self, brokers: Iterable[Broker], now_ms: int) -> None:
        """Records were refused by the disk: what was noted along with them isn't so. Whoever should have been fenced has another session, which ends too."""
        for registered in brokers:
            broker = self._brokers.setdefault(registered.id, _Beating(registered.fenced))
            broker.fenced = registered.fenced
            if not registered.in_controlled_shutdown:
                broker.shutdown_offset = -1
            if not registered.fenced:
                self._contacts.setdefault((registered.id, registered.epoch), now_ms)

    def register(self, broker_id: int, fenced: bool) -> None:
        """A broker is registered, or its registration changed."""
        broker = self._brokers.get(broker_id)
        if broker is None:
            broker = self._brokers[broker_id] = _Beating(fenced)
        elif broker.fenced == fenced:
            broker.metadata_offset = -1
        self._set_fenced(broker, fenced)

    def remove(self, broker_id: int) -> None:
        self._brokers.pop(broker_id, None)

    def contact(self, broker_id: int, broker_epoch: int, now_ms: int) -> None:
        self._contacts[(broker_id, broker_epoch)] = now_ms
        self._unheard.discard((broker_id, broker_epoch))

    def is_missing(self, broker_id: int, broker_epoch: int, now_ms: int) -> bool:
        """It hasn't come to this controller, which has been active for longer than a living broker needs for that."""
        return (broker_id, broker_epoch) in self._unheard and now_ms - self._activated_ms >= _ARRIVAL_MS

    def end_session(self, broker_id: int, broker_epoch: int) -> None:
        """The broker was told to go: its next incarnation needn't wait (O3)."""
        self._contacts.pop((broker_id, broker_epoch), None)

    def has_session(self, broker_id: int, broker_epoch: int, now_ms: int) -> bool:
        heard_ms = self._contacts.get((broker_id, broker_epoch))
        return heard_ms is not None and heard_ms + self.session_timeout_ms >= now_ms

    def next_end_ms(self) -> int | None:
        """When the first session runs out if nothing more is heard; None without sessions."""
        return min(self._contacts.values()) + self.session_timeout_ms + 1 if self._contacts else None

    def take_expired(self, now_ms: int) -> tuple[int, int] | None:
        """One (broker id, epoch) whose session has run out; it won't be returned again."""
        for key, heard_ms in self._contacts.items():
            if heard_ms + self.session_timeout_ms < now_ms:
                del self._contacts[key]
                return key
        return None

    def touch(self, broker_id: int, fenced: bool, metadata_offset: int) -> None:
        broker = self._brokers[broker_id]
        broker.metadata_offset = metadata_offset
        self._set_fenced(broker, fenced)

    def fence(self, broker_id: int) -> None:
        if broker_id in self._brokers:
            self._brokers[broker_id].fenced = True

    def is_shutting_down(self, broker_id: int) -> bool:
        broker = self._brokers.get(broker_id)
        return broker is not None and broker.shutdown_offset >= 0

    def began_shutdown(self, broker_id: int, offset: int) -> None:
        """`offset`: the end of the records that move its leaderships away. Only the first counts."""
        broker = self._brokers[broker_id]
        if broker.shutdown_offset < 0:
            broker.shutdown_offset = offset

    def next_state(self, request: BrokerHeartbeatRequest, register_offset: int, leads: Callable[[int], bool]) -> tuple[str, str]:
        """The broker's (present, next) state. `register_offset`: of its RegisterBroker record, which it must have applied to be unfenced."""
        broker = self._brokers[request.broker_id]
        if broker.shutdown_offset >= 0:
            if leads(request.broker_id) or broker.shutdown_offset > self._lowest_active_offset():
                return CONTROLLED_SHUTDOWN, CONTROLLED_SHUTDOWN
            return CONTROLLED_SHUTDOWN, SHUTDOWN_NOW
        if broker.fenced:
            if request.want_shut_down:
                return FENCED, SHUTDOWN_NOW
            caught_up = request.current_metadata_offset >= register_offset
            return FENCED, FENCED if request.want_fence or not caught_up else UNFENCED
        if request.want_fence:
            return UNFENCED, SHUTDOWN_NOW if request.want_shut_down else FENCED
        if request.want_shut_down:
            return UNFENCED, CONTROLLED_SHUTDOWN if leads(request.broker_id) else SHUTDOWN_NOW
        return UNFENCED, UNFENCED

    def _lowest_active_offset(self) -> int:
        offsets = [broker.metadata_offset for broker in self._brokers.values() if not broker.fenced and broker.shutdown_offset < 0]
        return min(offsets, default=2**63 - 1)

    def _set_fenced(self, broker: _Beating, fenced: bool) -> None:
        broker.fenced = fenced
        if fenced:
            broker.shutdown_offset = -1
