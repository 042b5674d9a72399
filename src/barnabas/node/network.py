"""Network threads: which one a connection belongs to, when an idle one is closed, and which go when there are too many.

Owns connections. One thread more than `num.network.threads` isn't needed for accepting: the first one does it, with `acceptor`.
"""

from __future__ import annotations

import os
import time
from heapq import nsmallest
from socket import SO_SNDBUF, SOL_SOCKET
from typing import TYPE_CHECKING

from barnabas.node.acceptor import Acceptor, most_descriptors
from barnabas.node.connection import FEW_REPLIES, GROUPS, LARGE_REPLIES, LARGE_REQUESTS, Connection
from barnabas.node.connection_limits import ConnectionLimits
from barnabas.node.handlers.produce import shortcut
from barnabas.node.listener import bind
from barnabas.node.loop import READ, Loop
from barnabas.node.request_memory import RequestMemory, default_limit

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from barnabas.core.configs.addresses import Endpoint
    from barnabas.node.config.node_config import NodeConfig
    from barnabas.node.config.sections import Network as NetworkSettings
    from barnabas.node.listener import Listener
    from barnabas.node.partition import WriteGroup
    from barnabas.node.router import Router
    from barnabas.node.server import Node

_IDLE_SWEEP_MS = 30_000
_LONGEST_WHILE_SHORT_S = 30.0
_SAVE_AGAIN_S = 0.1
_FAREWELL_MS = 200  # a listener's last replies, also to who had it removed
PYTHON_THREADS = 2  # for what isn't mostly the kernel's work: beyond two, threads take turns at the interpreter's lock
_REPLY_THREADS = max(1, min(3, len(os.sched_getaffinity(0)) // 2))
"""That connections with large replies are spread over, the last ones. Sending is mostly the kernel's work, for which the client's end needs a core as well."""


class NetworkThread(Loop):
    """A Loop that owns connections."""

    def __init__(self, node: Node, name: str, router: Router, on_error: Callable[[BaseException], object]) -> None:
        super().__init__(name, on_error, gathers=True)
        self.node = node
        self.router = router
        self.connections: dict[int, Connection] = {}
        self.produce_shortcut = shortcut
        self.groups: dict[WriteGroup, None] = {}  # taken in by the shortcut, not written yet
        self.unsettled: dict[Connection, None] = {}  # with replies that aren't sent yet

    def start(self) -> None:
        super().start()
        self.call(self._sweep)

    def adopt(self, listener: Listener, accepted: socket, peer: str) -> None:
        connection = Connection(self, listener, accepted, peer)
        self.connections[connection.fd] = connection
        self.register(connection.fd, READ, connection.on_event)

    def on_handler_error(self, error: Exception) -> None:
        """One connection's, whatever else this thread does."""
        self.node.on_network_error(error)

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
                if connection.flush() and connection.is_paused and len(connection.out) <= FEW_REPLIES:
                    self.call(connection.resume)  # others have their turn first
                elif connection.kind and not connection.is_placed:
                    self._place(connection)
        self.write_groups()

    def _place(self, connection: Connection) -> None:
        """Connections start together on the first thread, where many small requests share their writes; other kinds have better places."""
        if connection.muted or connection.out or connection.closed:
            return  # it can't move now; the turn is another's
        connection.is_placed = True
        send_buffer_bytes = self.node.config.network.large_send_buffer_bytes
        if connection.kind == LARGE_REPLIES and send_buffer_bytes:
            connection.socket.setsockopt(SOL_SOCKET, SO_SNDBUF, send_buffer_bytes)
        thread = self.node.network.thread_for(connection.kind)
        if thread is not self:
            connection.forget_expiry()
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
            self.node.network.closed(connection)

    def evict(self, connection: Connection) -> None:
        """Close a connection, wherever it moved meanwhile."""
        if connection.network is self:
            connection.close()
        else:
            connection.network.call(connection.network.evict, connection)

    def room_again(self, connection: Connection) -> None:
        """There may be memory for what a connection sends."""
        if connection.network is not self:
            connection.network.call(connection.network.room_again, connection)
        elif connection.fd not in self.connections:
            connection.events |= READ  # it is moving here; or closed
        else:
            connection.watch(connection.events | READ)

    def save_memory(self) -> None:
        """Others wait for memory: take it from those who don't use it."""
        for connection in list(self.connections.values()):
            if connection.reserved:
                connection.shrink()

    def close_all(self, listener: Listener | None = None) -> None:
        """End every connection, or every one of a listener; what is being sent is sent as far as the client takes it now."""
        for connection in list(self.connections.values()):
            if listener is None or connection.listener is listener:
                if connection.out:
                    connection.flush()
                connection.close()

    def _sweep(self) -> None:
        """Close connections that neither said nor took anything for connections.max.idle.ms; those whose request is being served don't count."""
        limit_ms = self.node.config.network.connections_max_idle_ms
        now, limit = time.monotonic(), limit_ms / 1000 if limit_ms >= 0 else float("inf")
        is_short = self.node.network.memory.is_short
        for connection in list(self.connections.values()):
            if is_short and connection.reserved and connection.is_slow(now - _LONGEST_WHILE_SHORT_S):
                self.node.warn_seldom("slow requests", f"Closing {connection.peer}: its request takes long, and others wait for the memory.")
                connection.close()
                continue
            if now - connection.active_s > min(limit, _IDLE_SWEEP_MS / 1000):
                connection.shrink()
            if now - connection.active_s > limit and not connection.muted:
                connection.close()
        self.call_later(min(_IDLE_SWEEP_MS, abs(limit_ms) / 2 + 1), self._sweep)


def _in_use(network: NetworkSettings) -> int:
    return max(1, min(network.threads, max(PYTHON_THREADS, _REPLY_THREADS)))


class Network:
    """All listeners and network threads of a node."""

    def __init__(self, node: Node, router: Router) -> None:
        self.node = node
        network, listeners = node.config.network, node.config.listeners
        self._router = router
        self._in_use = _in_use(network)
        self.threads = [self._thread(index) for index in range(self._in_use)]
        self.group_thread = NetworkThread(node, "coordinators", router, node.on_loop_error)
        """The coordinators', who start and stop it: a group's requests needn't change threads."""
        controllers = set(listeners.controllers)
        self._limits = {  # by whether it is a controller's
            is_controller: ConnectionLimits(
                network, [one.name for one in listeners.bound if (one.name in controllers) == is_controller], listeners.inter_broker
            )
            for is_controller in (False, True)
        }
        most = network.queued_max_request_bytes
        self.memory = RequestMemory(most if most > 0 else default_limit(network.request_max_bytes), self._save_memory)
        self._saved_s = 0.0
        self._is_saving = False
        self._acceptors: list[Acceptor] = []
        self._follows = False
        self._leaving: dict[Connection, None] = {}  # told to close, not counted out yet
        self._next = 0
        self._first_reserved = most_descriptors() * 7 // 8  # the lowest free number is given out: beyond it hardly any are left

    def _thread(self, index: int) -> NetworkThread:
        return NetworkThread(self.node, f"network-{index}", self._router, self.node.on_network_error)

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def listen(self, listener: Listener, backlog: int) -> None:
        """Let clients in by `listener`, `backlog` of them waiting to be accepted. From any thread."""
        listener.socket.listen(backlog)
        acceptor = Acceptor(self, listener, self._limits[listener.is_controller], self._first_reserved)
        self.threads[0].call(self._accept_by, acceptor)

    def _accept_by(self, acceptor: Acceptor) -> None:
        self._acceptors.append(acceptor)
        acceptor.start()

    def follow_configuration(self) -> None:
        """The broker's listeners are open: whatever the configuration says of listeners and limits acts from now on. From any thread."""
        self._follows = True
        self.reconfigured()

    def reconfigured(self) -> None:
        """The node has another configuration. From any thread; may wait for a name server."""
        config = self.node.config
        self.threads[0].call(self._take, config, ConnectionLimits.addresses(config.network))

    def _take(self, config: NodeConfig, addresses: dict[str, int]) -> None:
        if self._follows:
            self._take_listeners(config)
        network = config.network
        for limits in self._limits.values():
            limits.take(network, addresses)
        self._in_use = _in_use(network)
        while len(self.threads) < self._in_use:
            thread = self._thread(len(self.threads))
            thread.start()
            self.threads.append(thread)  # one that isn't used any more keeps the connections that it has
        self.trim()
        self._admit_waiting()

    def _take_listeners(self, config: NodeConfig) -> None:
        """By name alone, as Apache Kafka's `DynamicListenerConfig`: a listener that is there stays where it is. One may come where another one was."""
        wanted = {one.name: one for one in config.listeners.bound if one.name not in config.listeners.controllers}
        present = {acceptor.listener.name: acceptor for acceptor in self._acceptors if not acceptor.listener.is_controller}
        for name, acceptor in present.items():
            if name not in wanted:
                self._remove(acceptor)
        for name, endpoint in wanted.items():
            if name not in present:
                self._add(endpoint, config.network)

    def _add(self, endpoint: Endpoint, network: NetworkSettings) -> None:
        try:
            listener = bind(endpoint, network, is_controller=False)
        except OSError as error:  # the others go on
            self.node.log_error(f"{error.strerror} It is tried again when the node's configuration changes.")
            return
        self._limits[False].add_listener(listener.name)
        self.listen(listener, network.backlog)
        self.node.log_info(f"Listening on {listener.name}://{listener.host or '0.0.0.0'}:{listener.port}")

    def _remove(self, acceptor: Acceptor) -> None:
        """Nobody comes in any more; who is there may take what is on its way."""
        listener = acceptor.listener
        self._acceptors.remove(acceptor)
        acceptor.stop()
        acceptor.limits.remove_listener(listener.name)
        self.threads[0].call_later(_FAREWELL_MS, self._close_those_of, listener)
        self.node.log_info(f"Not listening on {listener.name} any more")

    def _close_those_of(self, listener: Listener) -> None:
        """On the first thread, which all connections come from: those that move to another one are there before this call is."""
        for thread in (*self.threads, self.group_thread):
            thread.call(thread.close_all, listener)

    def trim(self) -> None:
        """Close the connections that were least active lately where there are more than may be. On the first thread."""
        for is_controller, limits in self._limits.items():
            excess = limits.excess() - sum(one.listener.is_controller == is_controller for one in self._leaving)
            if excess > 0:
                found = (
                    one
                    for thread in (*self.threads, self.group_thread)
                    for one in list(thread.connections.values())
                    if one.listener.is_controller == is_controller and not limits.is_protected(one.listener.name) and one not in self._leaving
                )
                closed = nsmallest(excess, found, key=lambda one: one.active_s)
                if closed:
                    self.node.warn_seldom("max.connections", f"Closing {len(closed)} connections: there are more than max.connections allows.")
                for one in closed:
                    self._leaving[one] = None
                    one.network.call(one.network.evict, one)

    def _admit_waiting(self) -> None:
        acceptors = self._acceptors
        for acceptor in list(acceptors):
            if acceptor.retry():  # it is the last one next time: no listener takes all places that become free
                acceptors.remove(acceptor)
                acceptors.append(acceptor)

    def _save_memory(self) -> None:
        """Have memory given back that isn't used, now and then. From any thread."""
        if not self._is_saving:
            self._is_saving = True
            self.node.warn_seldom(
                "queued.max.request.bytes", f"Large requests wait: those that are being read have taken {self.memory.used} bytes of memory."
            )
            first = self.threads[0]
            first.call(first.call_later, max(0, self._saved_s + _SAVE_AGAIN_S - time.monotonic()) * 1000, self._save_memory_now)

    def _save_memory_now(self) -> None:
        self._is_saving = False  # who waits from now on asks again: a thread may have been here already
        self._saved_s = time.monotonic()
        for thread in (*self.threads, self.group_thread):
            thread.call(thread.save_memory)

    def thread_for(self, kind: int) -> NetworkThread:
        """Where a connection of this kind is best: those with large requests or replies on threads in turn. On the first thread."""
        if kind == GROUPS:
            return self.group_thread
        self._next += 1
        if kind == LARGE_REQUESTS:
            return self.threads[self._next % min(PYTHON_THREADS, self._in_use)]
        return self.threads[self._in_use - 1 - self._next % min(_REPLY_THREADS, self._in_use)]

    def closed(self, connection: Connection) -> None:
        """A connection ended. Called on its network thread."""
        self.threads[0].call(self._uncount, connection)

    def _uncount(self, connection: Connection) -> None:
        self._leaving.pop(connection, None)
        self._limits[connection.listener.is_controller].remove(connection.listener.name, connection.peer)
        self._admit_waiting()

    def stop_accepting(self) -> None:
        self._follows = False
        self.threads[0].call(self._stop_accepting)

    def _stop_accepting(self) -> None:
        for acceptor in self._acceptors:
            acceptor.stop()
        self._acceptors.clear()

    def stop(self) -> None:
        """End every connection and thread, except the coordinators'."""
        for thread in self.threads:
            thread.call(thread.close_all)
            thread.stop()
        for thread in self.threads:
            thread.join(5)
