"""Listeners and network threads: who accepts, which thread a connection belongs to, when an idle one is closed.

Owns sockets. One thread more than `num.network.threads` isn't needed for accepting: the first one does it. Limits are Apache Kafka's (W12).
"""

from __future__ import annotations

import errno
import resource
import socket
import time
from typing import TYPE_CHECKING

from barnabas.node.connection import Connection
from barnabas.node.handlers.produce import shortcut
from barnabas.node.loop import READ, Loop

if TYPE_CHECKING:
    from barnabas.node.partition import WriteGroup
    from barnabas.node.router import Router
    from barnabas.node.server import Node

_IDLE_SWEEP_MS = 30_000
_ACCEPT_AT_ONCE = 64
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_ACCEPT_PAUSE_MS = 100
_EVERY_ADDRESS = ("", "0.0.0.0")  # both mean IPv6 too, as in Java
_LEAST_BACKLOG = 1024  # who finds the queue full tries again after a second
_MOST_THREADS = 2  # beyond two, threads take turns at the interpreter's lock


def most_descriptors() -> int:
    """How many files this process may have open: what the system gives at most, as a JVM takes it too."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class Listener:
    """A bound socket, which refuses clients until `Network.listen`: `name` as in `listeners`, `port` as bound."""

    def __init__(self, name: str, host: str, port: int, *, is_controller: bool) -> None:
        """Raises OSError when the address can't be bound."""
        self.name = name
        self.is_controller = is_controller
        self.socket = _bound("::" if host in _EVERY_ADDRESS and socket.has_dualstack_ipv6() else host, port)
        self.socket.setblocking(False)
        self.host, self.port = host, self.socket.getsockname()[1]


def _bound(host: str, port: int) -> socket.socket:
    """A socket bound to `host`; to IPv4 as well where that is every address. Raises OSError."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def _peer_text(address: str) -> str:
    """A client's address as Apache Kafka shows it: IPv4 as such on sockets of both kinds, IPv6 in eight numbers."""
    if ":" not in address:
        return address
    if address.startswith("::ffff:") and "." in address:
        return address[7:]
    packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    return ":".join(f"{int.from_bytes(packed[at : at + 2]):x}" for at in range(0, 16, 2))


class NetworkThread(Loop):
    """A Loop that owns connections."""

    def __init__(self, node: Node, index: int, router: Router) -> None:
        super().__init__(f"network-{index}", node.on_network_error)
        self.node = node
        self.router = router
        self.connections: dict[int, Connection] = {}
        self.produce_shortcut = shortcut
        self.groups: dict[WriteGroup, None] = {}  # taken in by the shortcut, not written yet
        self.unsettled: dict[Connection, None] = {}  # with replies that aren't sent yet

    def start(self) -> None:
        super().start()
        self.call(self._sweep)

    def adopt(self, listener: Listener, accepted: socket.socket, peer: str) -> None:
        connection = Connection(self, listener, accepted, peer)
        self.connections[connection.fd] = connection
        self.register(connection.fd, READ, connection.on_event)

    def write_groups(self) -> None:
        """Write what the shortcut has collected, of all connections."""
        if self.groups:
            groups = list(self.groups)
            self.groups.clear()
            for group in groups:
                group.partition.write(group)

    def settle(self) -> None:
        """What one wake-up brought has been served: one write a partition, one send a connection."""
        while self.unsettled:
            self.write_groups()
            connections = list(self.unsettled)
            self.unsettled.clear()
            for connection in connections:
                if connection.produced:
                    connection.correct()
                if connection.flush() and connection.is_paused:
                    self.call(connection.resume)  # others have their turn first
                elif connection.is_bulky and not connection.is_placed:
                    self._place(connection)
        self.write_groups()

    def _place(self, connection: Connection) -> None:
        """Connections start together on the first thread, where many small requests share their writes; those with large ones are spread."""
        thread = self.node.network.thread_for_bulk()
        if thread is self:
            connection.is_placed = True
        elif not connection.muted and not connection.out and not connection.closed:
            connection.is_placed = True
            self.unregister(connection.fd)
            del self.connections[connection.fd]
            connection.network = thread
            thread.call(thread.take_over, connection)

    def take_over(self, connection: Connection) -> None:
        """A connection moves here from another thread."""
        self.connections[connection.fd] = connection
        self.register(connection.fd, connection.events, connection.on_event)
        connection.process()

    def forget(self, connection: Connection) -> None:
        self.unregister(connection.fd)
        if self.connections.pop(connection.fd, None) is not None:
            self.node.network.closed(connection.peer)

    def close_all(self) -> None:
        """End every connection; what is being sent is sent as far as the client takes it now."""
        for connection in list(self.connections.values()):
            if connection.out:
                connection.flush()
            connection.close()

    def _sweep(self) -> None:
        """Close connections that neither said nor took anything for connections.max.idle.ms; those whose request is being served don't count."""
        limit_ms = self.node.config.network.connections_max_idle_ms
        now, limit = time.monotonic(), limit_ms / 1000 if limit_ms >= 0 else float("inf")
        for connection in list(self.connections.values()):
            if now - connection.active_s > min(limit, _IDLE_SWEEP_MS / 1000):
                connection.shrink()
            if now - connection.active_s > limit and not connection.muted:
                connection.close()
        self.call_later(min(_IDLE_SWEEP_MS, abs(limit_ms) / 2 + 1), self._sweep)


class Network:
    """All listeners and network threads of a node."""

    def __init__(self, node: Node, router: Router) -> None:
        self.node = node
        self.threads = [NetworkThread(node, index, router) for index in range(max(1, min(node.config.network.threads, _MOST_THREADS)))]
        self.listeners: list[Listener] = []
        self._next = 0
        self._by_peer: dict[str, int] = {}
        self._open = 0
        self._first_reserved = most_descriptors() * 7 // 8  # the lowest free number is given out: beyond it hardly any are left

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def listen(self, listener: Listener, backlog: int) -> None:
        """Let clients in by `listener`. From any thread."""
        listener.socket.listen(max(backlog, _LEAST_BACKLOG))
        self.listeners.append(listener)
        first = self.threads[0]
        first.call(first.register, listener.socket.fileno(), READ, lambda _mask: self._accept(listener))

    def _accept(self, listener: Listener) -> None:
        config = self.node.config.network
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                accepted, address = listener.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _OUT_OF_FILES:
                    self._pause(listener, error.strerror or str(error))
                return
            if accepted.fileno() >= self._first_reserved:
                accepted.close()
                self._pause(listener, "the descriptors that are left are kept for files")
                return
            peer = _peer_text(address[0])
            if (
                self._by_peer.get(peer, 0) >= config.max_connections_per_ip_overrides.get(peer, config.max_connections_per_ip)
                or self._open >= config.max_connections
            ):
                accepted.close()
                continue
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if config.send_buffer_bytes > 0:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, config.send_buffer_bytes)
            if config.receive_buffer_bytes > 0:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, config.receive_buffer_bytes)
            self._open += 1
            self._by_peer[peer] = self._by_peer.get(peer, 0) + 1
            first = self.threads[0]
            first.adopt(listener, accepted, peer)

    def thread_for_bulk(self) -> NetworkThread:
        """The threads in turn. On the first thread."""
        self._next += 1
        return self.threads[self._next % len(self.threads)]

    def _pause(self, listener: Listener, problem: str) -> None:
        """Out of descriptors: the kernel keeps newcomers in its queue, a busy loop on accept would help nobody."""
        first = self.threads[0]
        self.node.warn_seldom(listener.name, f"Cannot accept on {listener.name}: {problem}. Raise the limit of open files (ulimit -n).")
        first.modify(listener.socket.fileno(), 0)
        first.call_later(_ACCEPT_PAUSE_MS, self._accept_again, listener)

    def _accept_again(self, listener: Listener) -> None:
        if listener in self.listeners:  # not closed meanwhile
            self.threads[0].modify(listener.socket.fileno(), READ)

    def closed(self, peer: str) -> None:
        """A connection ended. Called on its network thread."""
        self.threads[0].call(self._uncount, peer)

    def _uncount(self, peer: str) -> None:
        self._open -= 1
        left = self._by_peer.get(peer, 0) - 1
        if left > 0:
            self._by_peer[peer] = left
        else:
            self._by_peer.pop(peer, None)

    def stop_accepting(self) -> None:
        first = self.threads[0]
        for listener in self.listeners:
            first.call(first.unregister, listener.socket.fileno())
            first.call(listener.socket.close)
        self.listeners.clear()

    def stop(self) -> None:
        """End every connection and thread."""
        for thread in self.threads:
            thread.call(thread.close_all)
            thread.stop()
        for thread in self.threads:
            thread.join(5)
