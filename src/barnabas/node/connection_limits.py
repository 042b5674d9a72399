"""How many connections there may be, and how quickly they may come: one role's listeners together, each by itself, and each client's address.

Owns the counts and the rates; who waits for a place and who is closed is `acceptor`'s. The broker's listeners and the controller's are counted apart, and the
brokers' own listener is let in beyond the broker's total when there is another one: whoever fills the node must not cut it off from its peers.

Source: ConnectionQuotas of 4.3.1; KIP-402, KIP-612. As there, a listener without settings of its own has the broker's. On the first network thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.rate import Rate
from barnabas.node.listener import address_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.node.config.sections import Network

_SECOND_MS = 1000


class _Counted:
    """One listener's connections."""

    __slots__ = ("count", "is_gone", "most", "rate", "rate_most")

    def __init__(self, rate: Rate) -> None:
        self.count = self.most = self.rate_most = 0
        self.rate = rate
        self.is_gone = False  # and the last of its connections takes it along


class ConnectionLimits:
    def __init__(self, network: Network, listeners: Iterable[str], inter_broker: str) -> None:
        self._windows = network.quota_window_seconds * _SECOND_MS, network.quota_windows
        self._listeners = {name: _Counted(Rate(*self._windows)) for name in listeners}
        self._inter_broker = inter_broker
        self._rate = Rate(*self._windows)
        self._longest_wait_ms = network.quota_window_seconds * _SECOND_MS
        self._by_address: dict[str, int] = {}
        self.total = 0
        self.take(network, self.addresses(network))

    @staticmethod
    def addresses(network: Network) -> dict[str, int]:
        """max.connections.per.ip.overrides by address; hosts that have none are left out. May wait for a name server."""
        found = {address_of(host): most for host, most in network.max_connections_per_ip_overrides.items()}
        return {address: most for address, most in found.items() if address is not None}

    def take(self, network: Network, addresses: dict[str, int]) -> None:
        """These settings are in force from now on."""
        self._most, self._rate_most = network.max_connections, network.max_connection_creation_rate
        self._most_of_one, self._most_of_address = network.max_connections_per_ip, addresses
        present = [name for name, listener in self._listeners.items() if not listener.is_gone]
        self._protected = self._inter_broker if self._inter_broker in present and len(present) > 1 else None
        for name, listener in self._listeners.items():
            listener.most = network.listener_max_connections.get(name.lower(), self._most)
            listener.rate_most = network.listener_creation_rates.get(name.lower(), self._rate_most)

    def add_listener(self, name: str) -> None:
        """Clients may come in by this one. It has its limits from the next `take` on."""
        self._listeners.setdefault(name, _Counted(Rate(*self._windows))).is_gone = False

    def remove_listener(self, name: str) -> None:
        """Nobody comes in by this one any more; those who are there are counted until they go."""
        self._listeners[name].is_gone = True
        self._forget_if_gone(name)

    def _forget_if_gone(self, name: str) -> None:
        if self._listeners[name].is_gone and not self._listeners[name].count:
            del self._listeners[name]

    def is_protected(self, name: str) -> bool:
        return name == self._protected

    def throttle_ms(self, name: str, now_ms: float) -> float:
        """Note that a client came in by a listener: how long it has to wait because too many did lately."""
        wait_ms = 0.0 if name == self._protected else self._wait_ms(self._rate, self._rate_most, now_ms)
        listener = self._listeners[name]
        return max(wait_ms, self._wait_ms(listener.rate, listener.rate_most, now_ms))

    def _wait_ms(self, rate: Rate, most: int, now_ms: float) -> float:
        rate.record(now_ms)
        return rate.throttle_ms(most, now_ms, self._longest_wait_ms)

    def has_place(self, name: str) -> bool:
        """Whether one more may come in by a listener; else it waits until another one goes."""
        listener = self._listeners[name]
        return listener.count < listener.most and (name == self._protected or self.total < self._most)

    def most_of(self, address: str) -> int:
        return self._most_of_address.get(address, self._most_of_one)

    def add(self, name: str, address: str) -> bool:
        """Count a connection, unless its address has as many as it may."""
        found = self._by_address.get(address, 0)
        if found >= self.most_of(address):
            return False
        self._by_address[address] = found + 1
        self._listeners[name].count += 1
        self.total += 1
        return True

    def remove(self, name: str, address: str) -> None:
        self.total -= 1
        self._listeners[name].count -= 1
        self._forget_if_gone(name)
        left = self._by_address.get(address, 0) - 1
        if left > 0:
            self._by_address[address] = left
        else:
            self._by_address.pop(address, None)

    def excess(self) -> int:
        """How many must go: the limit was lowered, or the protected listener's clients took places that were taken."""
        return max(0, self.total - self._most)
