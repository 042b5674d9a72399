"""Letting clients in by one listener: accepting, waiting while there is no place or too many came, and while the process is out of descriptors.

Who has to wait stays accepted and unserved, as in Apache Kafka, and everybody behind it in the kernel's queue; who exceeds its address's limit is closed at
once (W12). On the first network thread.
"""

from __future__ import annotations

import errno
import resource
import time
from typing import TYPE_CHECKING

from barnabas.node.listener import peer_text
from barnabas.node.loop import READ

if TYPE_CHECKING:
    from socket import socket

    from barnabas.node.connection_limits import ConnectionLimits
    from barnabas.node.listener import Listener
    from barnabas.node.network import Network

_ACCEPT_AT_ONCE = 64
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_ACCEPT_PAUSE_MS = 100


def most_descriptors() -> int:
    """How many files this process may have open: what the system gives at most, as a JVM takes it too."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class Acceptor:
    """`limits` are those of the listener's role."""

    __slots__ = ("_due_s", "_first_reserved", "_held", "_network", "_watched", "limits", "listener")

    def __init__(self, network: Network, listener: Listener, limits: ConnectionLimits, first_reserved: int) -> None:
        """Descriptors from `first_reserved` on aren't for clients."""
        self._network = network
        self.listener = listener
        self.limits = limits
        self._first_reserved = first_reserved
        self._held: tuple[socket, str] | None = None  # accepted, waits for a place
        self._due_s = 0.0
        self._watched = READ

    def start(self) -> None:
        self._network.threads[0].register(self.listener.socket.fileno(), READ, self._accept)

    def stop(self) -> None:
        self._network.threads[0].unregister(self.listener.socket.fileno())
        self.listener.socket.close()
        if self._held is not None:
            self._held[0].close()
            self._held = None

    def _accept(self, _mask: int) -> None:
        listener, limits = self.listener, self.limits
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                accepted, address = listener.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _OUT_OF_FILES:
                    self._pause(error.strerror or str(error))
                return
            if accepted.fileno() >= self._first_reserved:
                accepted.close()
                self._pause("the descriptors that are left are kept for files")
                return
            peer = peer_text(address[0])
            wait_ms = limits.throttle_ms(listener.name, time.monotonic() * 1000)
            if wait_ms > 0 or not limits.has_place(listener.name):
                self._hold(accepted, peer, wait_ms)
                return
            self._admit(accepted, peer)

    def _hold(self, accepted: socket, peer: str, wait_ms: float) -> None:
        self._held = accepted, peer
        self._due_s = time.monotonic() + wait_ms / 1000
        self._watch(0)
        if wait_ms > 0:
            self._network.threads[0].call_later(wait_ms, self.retry)
        else:
            self._network.node.warn_seldom(
                f"limit of {self.listener.name}",
                f"New connections wait on {self.listener.name} until others end: there are as many as max.connections allows.",
            )

    def retry(self) -> bool:
        """There may be a place now for who waits: whether it came in."""
        if self._held is None or time.monotonic() < self._due_s or not self.limits.has_place(self.listener.name):
            return False
        accepted, peer = self._held
        self._held = None
        self._admit(accepted, peer)
        self._watch(READ)
        return True

    def _admit(self, accepted: socket, peer: str) -> None:
        if self.limits.add(self.listener.name, peer):
            accepted.setblocking(False)
            self._network.threads[0].adopt(self.listener, accepted, peer)
            if self.limits.excess():
                self._network.trim()
            return
        accepted.close()
        self._network.node.warn_seldom(
            "max.connections.per.ip",
            f"Rejected connection from {peer}, which has the {self.limits.most_of(peer)} connections that max.connections.per.ip allows already.",
        )

    def _pause(self, problem: str) -> None:
        """Out of descriptors: the kernel keeps newcomers in its queue, a busy loop on accept would help nobody."""
        name = self.listener.name
        self._network.node.warn_seldom(name, f"Cannot accept on {name}: {problem}. Raise the limit of open files (ulimit -n).")
        self._watch(0)
        self._network.threads[0].call_later(_ACCEPT_PAUSE_MS, self._accept_again)

    def _accept_again(self) -> None:
        if self._held is None and self.listener.socket.fileno() >= 0:  # not closed meanwhile
            self._watch(READ)

    def _watch(self, events: int) -> None:
        if events != self._watched:
            self._watched = events
            self._network.threads[0].modify(self.listener.socket.fileno(), events)
