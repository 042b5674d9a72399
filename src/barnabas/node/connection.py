"""One client's connection on its network thread: bytes in, frames handed out in order, replies and file slices out.

Owns the receive buffer, the queue of what is to be sent, muting (one request of a connection is processed at a time, W11) and backpressure: nothing is
read while a reply waits for the client to take it. Doesn't know APIs, apart from Produce's shortcut, which is tried before the router.

The receive buffer starts small and grows with what arrives, never with what a client only claims (W15).
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from struct import Struct
from typing import TYPE_CHECKING

from barnabas.node.call import Call
from barnabas.node.loop import READ, WRITE
from barnabas.wire.framing import encode_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.handlers.fetch import Fetch
    from barnabas.node.handlers.produce import Route
    from barnabas.node.listener import Listener
    from barnabas.node.loop import Timer
    from barnabas.node.network import NetworkThread
    from barnabas.node.partition import WriteGroup
    from barnabas.node.replication.commits import RequestCommit, RouteCommit
    from barnabas.node.server import Node
    from barnabas.storage.segment import LogFile
    from barnabas.wire.framing import EncodedResponse
    from barnabas.wire.schema import Message

_START = Struct(">iii")  # size, key and version, correlation id
_SIZE = Struct(">i")
_FIRST_BUFFER = 4096
_SPARE = 4096
_MOST_REPLIES = 128  # and _LARGE_REPLY: what a client that pipelines but never reads can make a node keep
FEW_REPLIES = _MOST_REPLIES // 2  # so many may wait for other nodes still when a connection that was paused goes on
_LARGE_REPLY = 16 * 1024
_SHORT_SLICE = 16 * 1024  # up to this, a copy is cheaper than a send of its own
KEEP_BUFFER = 64 * 1024  # an idle connection's buffer is cut back to the first size beyond this
_LARGE_BUFFER = 1 << 20
SMALL, LARGE_REQUESTS, LARGE_REPLIES, GROUPS = range(4)  # kinds of connections, by what they were seen to carry
_LARGEST_PRODUCE = 0xFFFF  # key 0: the int32 of key and version is the version alone


class PendingReply:
    """A reply that isn't known yet, in its place among a connection's replies. What comes behind it waits; requests are served meanwhile."""

    __slots__ = ("connection", "reply")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.reply: bytes | None = None

    def __len__(self) -> int:
        return 0 if self.reply is None else len(self.reply)

    def known(self, reply: bytes) -> None:
        """From any thread, once."""
        self.reply = reply
        connection = self.connection
        if not connection.is_woken:
            connection.is_woken = True
            network = connection.network
            network.call(connection.go_on, network)


class Connection:
    __slots__ = (
        "active_s",
        "buffer",
        "client_software",
        "closed",
        "end",
        "events",
        "expiry",
        "fd",
        "is_paused",
        "is_placed",
        "is_woken",
        "kind",
        "large_since_s",
        "listener",
        "muted",
        "network",
        "node",
        "on_close",
        "out",
        "peer",
        "pending",
        "produced",
        "reserved",
        "route_size",
        "routes",
        "socket",
        "start",
        "view",
        "waiting",
    )

    def __init__(self, network: NetworkThread, listener: Listener, accepted: socket.socket, peer: str) -> None:
        self.network = network
        self.listener = listener
        self.node: Node = network.node
        self.socket = accepted
        self.fd = accepted.fileno()
        self.peer = peer
        self.buffer = bytearray(_FIRST_BUFFER)
        self.view = memoryview(self.buffer)
        self.start = self.end = 0  # the unread part of the buffer
        self.reserved = 0  # bytes of the node's request memory that the buffer has
        self.large_since_s = 0.0  # since when a large request has been arriving; 0: none is
        self.out: list[bytes | tuple[LogFile, int, int] | PendingReply] = []  # a tuple: file, position, size of a log segment
        self.pending: deque[RouteCommit | RequestCommit] = deque()  # replies to Produce that wait for other replicas, some of them settled
        self.expiry: Timer | None = None  # when the first of them has waited too long
        self.is_woken = False
        self.muted = False  # a request is being processed
        self.is_paused = False  # there are frames left to serve once the replies so far are taken
        self.events = READ
        self.closed = False
        self.on_close: Callable[[], object] | None = None
        self.active_s = time.monotonic()
        self.client_software = ("unknown", "unknown")
        self.waiting: Fetch | None = None  # parked: a reply waits for data
        # Produce's shortcut: see handlers/produce.py
        self.routes: dict[bytes, Route] = {}
        self.route_size = 0
        self.kind = SMALL  # which thread is best for it: `Network.thread_for`
        self.is_placed = False
        self.produced: list[tuple[int, Route, int, WriteGroup]] = []

    def on_event(self, mask: int) -> None:
        if mask & WRITE:
            self.active_s = time.monotonic()  # it takes what it was sent
            if not (self.flush() and self.resume()):
                return
            if self.kind and not self.is_placed:
                self.network.unsettled[self] = None  # a large reply is taken at last: now it can move
        if mask & READ and self.events & READ:
            self.receive()
        elif mask & ~(READ | WRITE):  # hung up or broken while nothing is awaited
            self.close()

    def receive(self) -> None:
        """Read once, and serve what is whole then. Not twice a turn: batches that were taken in lie in the buffer until their group is written at its end.

        It wouldn't pay either: the kernel would then send for the client, in this process' time, what the client would have sent itself.
        """
        if self.muted or self.is_paused:
            self.watch(self.events & ~READ)  # what else the client sends stays in its socket
            return
        view = self._room()
        if view is None:
            self.watch(self.events & ~READ)  # until `room_again`
            return
        try:
            received = self.socket.recv_into(view)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not received:
            self.close()
            return
        self.end += received
        self.active_s = time.monotonic()
        if not self.large_since_s or received == len(view):  # else a large frame isn't whole yet
            self.process()

    def _room(self) -> memoryview | None:
        """The free end of the buffer, after moving or growing it for the frame that is arriving; None when there is no memory for that now."""
        start, end, capacity = self.start, self.end, len(self.buffer)
        pending = end - start
        if not pending:
            self.start = self.end = 0
            return self.view
        needed = _SIZE.unpack_from(self.view, start)[0] + 4 if pending >= 4 else _SPARE
        if needed > capacity and pending * 2 > capacity:
            size = min(needed + _SPARE, max(capacity * (4 if capacity < _LARGE_BUFFER else 2), KEEP_BUFFER))
            if size > KEEP_BUFFER and not self.node.network.memory.take(self, size):
                return None
            grown = bytearray(size)
            grown[:pending] = self.view[start:end]
            self.buffer, self.view = grown, memoryview(grown)
            self.start, self.end = 0, pending
        elif start and (start + needed > capacity or capacity - end < _SPARE):
            self.view[:pending] = self.view[start:end]
            self.start, self.end = 0, pending
        if needed > KEEP_BUFFER and not self.large_since_s:
            self.large_since_s = time.monotonic()
        if needed > KEEP_BUFFER:  # a large frame is read to its end and no further: what follows then needs no move
            return self.view[self.end : max(self.start + needed, self.end + 1)]
        return self.view[self.end :]

    def process(self) -> None:
        """Serve whole frames until the buffer has none, or one must be waited for, or replies pile up."""
        try:
            self._process()
        except Exception as error:  # a bug of ours costs its client the connection, nobody else anything
            self.node.on_network_error(error)
            self.close()

    def _process(self) -> None:
        view, end = self.view, self.end
        largest = self.node.config.network.request_max_bytes
        while not self.muted:
            start = self.start
            pending = end - start
            if pending < 12:
                if pending >= 4 and not 8 <= _SIZE.unpack_from(view, start)[0] <= largest:
                    self.close()
                break
            size, key_version, correlation_id = _START.unpack_from(view, start)
            if pending < size + 4:
                if size > largest:
                    self.close()
                break
            if not 8 <= size <= largest:
                self.close()
                break
            self.start = start + 4 + size
            if size > KEEP_BUFFER - 4:
                self.large_since_s = 0.0
            if (
                0 <= key_version <= _LARGEST_PRODUCE
                and self.route_size
                and self.network.produce_shortcut(self, start, size, key_version, correlation_id)
            ):
                continue
            self.network.write_groups()  # order: what came before is on disk before anything else is looked at
            self.network.router.dispatch(self, view[start + 4 : start + 4 + size])
            if size > KEEP_BUFFER:
                self.kind = LARGE_REQUESTS
            if self.closed:
                return
            out = self.out
            if out and (len(out) > _MOST_REPLIES or len(out[-1]) > _LARGE_REPLY) and not self.muted:
                self.is_paused = True
                break
        if self.reserved and self.node.network.memory.is_awaited(self):
            self.shrink()
        if self.out:
            self.network.unsettled[self] = None

    def refuse(self) -> None:
        """End the connection over a request that can't be served; earlier requests are answered."""
        self.correct()
        if self.out:
            self.flush()
        if not self.closed:
            self.close()

    def correct(self) -> None:
        """Groups are written: answers that were made on the assumption that this works are replaced where it didn't."""
        for index, route, correlation_id, group in self.produced:
            if group.error is not None:
                self.out[index] = route.refusal(correlation_id, group.error)
        self.produced.clear()

    def go_on(self, network: NetworkThread) -> None:
        """Replies that were waited for have become known: they are sent when this wake-up's work is done. `network`: where this runs."""
        if self.network is not network:  # it moved meanwhile
            self.network.call(self.go_on, self.network)
            return
        self.is_woken = False
        if not self.closed:
            self.network.unsettled[self] = None

    def deliver(self, call: Call, response: Message | EncodedResponse) -> None:
        """The reply to a request that was waited for."""
        if self.closed:
            return
        try:
            self.out.append(encode_response(call.api, call.version, call.correlation_id, response))
        except Exception as error:
            self.node.on_network_error(error)
            self.close()
            return
        self.unmute()

    def unmute(self) -> None:
        """A reply is in `out`: send it soon, and go on with the next request."""
        self.muted = False
        self.network.unsettled[self] = None
        self.resume()

    def resume(self) -> bool:
        """Go on after a reply was taken. False if the connection ended."""
        if self.muted or self.closed:
            return not self.closed
        self.is_paused = False
        self.watch(self.events | READ)
        if self.end - self.start >= 4:
            self.process()
        return not self.closed

    def flush(self) -> bool:
        """Send what is in `out`, up to a reply that isn't known yet; True unless the client has to take something first."""
        if self.closed:
            return False
        out = self.out
        done, count = 0, len(out)
        if self.pending:
            count = self._known()
        try:
            if count > 1 and self._gather(count):
                out[:count] = [b"".join(out[:count])]  # type: ignore[arg-type]
                count = 1
            while done < count:
                item = out[done]
                assert not isinstance(item, PendingReply)
                if isinstance(item, tuple):
                    file, position, size = item
                    sent = os.sendfile(self.fd, file.fileno(), position, size)
                    if not sent:  # the file is shorter than the log says: its disk failed
                        self.close()
                        return False
                    if sent < size:
                        out[done] = (file, position + sent, size - sent)
                        raise BlockingIOError  # full: sent again at once, the client would be woken for little
                else:
                    sent = self.socket.send(item, socket.MSG_MORE if done + 1 < count else 0)
                    if sent < len(item):
                        out[done] = item[sent:]
                        continue
                done += 1
        except BlockingIOError:
            del out[:done]
            self.watch(WRITE)
            return False
        except OSError:
            self.close()
            return False
        del out[:count]
        if self.events & WRITE:
            self.watch(READ)
        return True

    def forget_expiry(self) -> None:
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None

    def _gather(self, count: int) -> bool:
        """Whether the first `count` pieces of `out` are bytes now: short ones of files are read, long ones stay. Raises OSError."""
        out, gathered = self.out, True
        for index in range(count):
            item = out[index]
            if type(item) is tuple:
                file, position, size = item
                if size > _SHORT_SLICE:
                    gathered = False
                    continue
                data = os.pread(file.fileno(), size, position)
                if len(data) < size:
                    raise OSError(f"{file.path} is shorter than the log says: its disk failed")
                out[index] = data
        return gathered

    def _known(self) -> int:
        """How many replies are known before the first that isn't."""
        out, pending = self.out, self.pending
        while pending and pending[0].slot.reply is not None:  # settled isn't enough: another thread makes the reply after that
            pending.popleft()
        for index, item in enumerate(out):
            if isinstance(item, PendingReply):
                if item.reply is None:
                    return index
                out[index] = item.reply
        return len(out)

    def watch(self, events: int) -> None:
        if events != self.events and not self.closed:
            self.events = events
            self.network.modify(self.fd, events)

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        if self.produced:  # what the shortcut took in is in groups with others' batches
            self.network.write_groups()
            self.produced.clear()
        self.out.clear()
        self.pending.clear()
        self.forget_expiry()
        if self.waiting is not None:
            self.waiting.drop()
        self.node.network.memory.give_back(self)
        self.network.forget(self)
        self.socket.close()
        if self.on_close is not None:
            self.on_close()

    def is_slow(self, since_s: float) -> bool:
        """Whether a large request has been arriving since then, or replies aren't taken."""
        return 0 < self.large_since_s < since_s or (bool(self.out) and self.active_s < since_s)

    def shrink(self) -> None:
        """Give back a large buffer that isn't in use; a request that is being served keeps what it needs of it."""
        if self.start == self.end and len(self.buffer) > KEEP_BUFFER:
            self.buffer = bytearray(_FIRST_BUFFER)
            self.view = memoryview(self.buffer)
            self.start = self.end = 0
            self.node.network.memory.give_back(self)
