"""A network with faults between the nodes of a cluster: they advertise the proxy's addresses, one each, and it passes on what comes there.

Owns: listening for every node, finding out which node a connection comes from (by the process that owns its socket), and what happens along a link, from
a node to a node: delay, a narrow pipe, stalls as a lossy network makes them, silence one way or both, cut connections, refused ones.
Doesn't own: hosts that vanish (namespaces.py).
Node 0 is whoever isn't a node: clients. Silence keeps bytes and delivers them once it ends, as TCP does; a connection that is opened meanwhile is
accepted and silent.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.cluster.cluster import Member
    from tests.nodes import Engine

CLIENT = 0
_CHUNK, _QUEUED = 65536, 64
_RESET = struct.pack("ii", 1, 0)


class Fault(NamedTuple):
    """What a link does to bytes that go along it."""

    delay_s: float = 0.0
    bytes_per_s: float = 0.0  # 0: as fast as they come
    stall_share: float = 0.0  # of the chunks; each waits for `stall_s` more, as after a lost packet, and what is behind it too
    stall_s: float = 0.25
    silent: bool = False


SOUND = Fault()
Link = tuple[int, int]  # from the node whose bytes they are, to the node that is given them


class Proxy:
    """Give it to a Cluster as its network. All methods may be called from any thread."""

    def __init__(self, seed: int = 1) -> None:
        self.prefix = ""  # the cluster's
        self.faults: dict[Link, Fault] = {}
        self.refusing: set[int] = set()
        self._random = Random(seed)
        self._members: Mapping[int, Member] = {}
        self._pairs: dict[Link, set[_Pair]] = {}
        self._servers: dict[tuple[int, int], asyncio.Server] = {}
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    # What a cluster asks of its network

    def advertised(self, node_id: int) -> str:
        return f"{self.prefix}.{100 + node_id}"

    def inside(self, node_id: int, engine: Engine) -> Engine:
        return engine

    def serve(self, members: Mapping[int, Member], ports: Mapping[int, Iterable[int]]) -> None:
        self._members = members
        for node_id, listed in ports.items():
            for port in listed:
                self._do(self._listen(node_id, port))

    def close(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # Faults

    def set(self, fault: Fault, links: Iterable[Link]) -> None:
        async def change() -> None:
            self.faults.update(dict.fromkeys(links, fault))
            self._changed.set()
            self._changed = asyncio.Event()

        self._do(change())

    def heal(self) -> None:
        """No faults, and everybody is listened for again."""

        async def change() -> None:
            self.faults.clear()
            self._changed.set()
            self._changed = asyncio.Event()
            for node_id, port in [key for key in self._servers if key[0] in self.refusing]:
                await self._listen(node_id, port)
            self.refusing.clear()

        self._do(change())

    def links(self, *node_ids: int, clients: bool = False) -> list[Link]:
        """Both ways between these nodes and all others, and among themselves."""
        everyone = [*self._members, *([CLIENT] if clients else [])]
        return [(one, two) for one in everyone for two in everyone if one != two and (one in node_ids or two in node_ids)]

    def isolate(self, node_id: int, *, clients: bool = True) -> None:
        """Silence between this node and everybody."""
        self.set(Fault(silent=True), self.links(node_id, clients=clients))

    def cut(self, links: Iterable[Link]) -> None:
        """Resets the connections that are open along these links; new ones may be opened."""
        wanted = set(links)

        async def change() -> None:
            for (source, target), pairs in self._pairs.items():
                if (source, target) in wanted or (target, source) in wanted:
                    for pair in list(pairs):
                        pair.reset()

        self._do(change())

    def refuse(self, node_id: int) -> None:
        """Connections to this node are refused, as if its process were gone; open ones stay."""

        async def change() -> None:
            self.refusing.add(node_id)
            for key, server in self._servers.items():
                if key[0] == node_id:
                    server.close()

        self._do(change())

    # Inside

    def _do(self, change: object) -> None:
        asyncio.run_coroutine_threadsafe(change, self._loop).result(30)  # type: ignore[arg-type]

    async def _listen(self, node_id: int, port: int) -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.CancelledError):  # the end of the proxy
                await self._pass(node_id, port, reader, writer)

        self._servers[node_id, port] = await asyncio.start_server(accept, self.advertised(node_id), port, backlog=1024, reuse_address=True)

    async def _pass(self, target: int, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        processes = {n: m.process.pid for n, m in self._members.items() if m.process is not None}
        source = owner_of(writer.get_extra_info("peername"), writer.get_extra_info("sockname"), processes)
        try:
            onward = await asyncio.open_connection(f"{self.prefix}.{target}", port)
        except OSError:
            _reset(writer)
            return
        except asyncio.CancelledError:
            _reset(writer)
            raise
        pair = _Pair(writer, onward[1])
        pairs = self._pairs.setdefault((source, target), set())
        pairs.add(pair)
        await asyncio.gather(self._pump(reader, onward[1], (source, target)), self._pump(onward[0], writer, (target, source)))
        pairs.discard(pair)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link) -> None:
        """One direction of a connection, to its end."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUED)
        delivering = asyncio.create_task(self._deliver(queue, writer, link))
        free_at = 0.0
        try:
            while data := await reader.read(_CHUNK):
                fault, now = self.faults.get(link, SOUND), self._loop.time()
                due = max(now, free_at)
                if fault.bytes_per_s:
                    due += len(data) / fault.bytes_per_s
                if fault.stall_share and self._random.random() < fault.stall_share:
                    due += fault.stall_s
                free_at = due
                await queue.put((due + fault.delay_s, data))
        except OSError:
            _reset(writer)
        await queue.put((0.0, b""))
        await delivering

    async def _deliver(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, link: Link) -> None:
        sound = True
        while True:
            due, data = await queue.get()
            if (wait_s := due - self._loop.time()) > 0:
                await asyncio.sleep(wait_s)
            while self.faults.get(link, SOUND).silent:
                await self._changed.wait()
            if not data:
                break
            if sound:
                try:
                    writer.write(data)
                    await writer.drain()
                except OSError:
                    sound = False
        writer.close()

    async def _end(self) -> None:
        self.faults.clear()
        self._changed.set()
        for server in self._servers.values():
            server.close()
        for pairs in self._pairs.values():
            for pair in list(pairs):
                pair.reset()
        for _ in range(3):
            await asyncio.sleep(0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=5)
        for _ in range(3):
            await asyncio.sleep(0)  # transports close their sockets a moment after they are told to


class _Pair:
    """The two connections that one became."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near, self.far = near, far

    def reset(self) -> None:
        _reset(self.near)
        _reset(self.far)


def _reset(writer: asyncio.StreamWriter) -> None:
    found = writer.get_extra_info("socket")
    if found is not None and found.fileno() >= 0:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


def owner_of(local: tuple[str, int], remote: tuple[str, int], processes: Mapping[int, int]) -> int:
    """The node whose process has the socket that connects these addresses; CLIENT if none has."""
    wanted = f"socket:[{inode(local, remote)}]"
    for node_id, pid in processes.items():
        if wanted in _descriptors(pid):
            return node_id
    return CLIENT


def _descriptors(pid: int) -> set[str]:
    """What a process has open; nothing of one that is gone."""
    found = set()
    with suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found.add(os.readlink(f"/proc/{pid}/fd/{number}"))
    return found


def inode(local: tuple[str, int], remote: tuple[str, int]) -> str:
    """Of the socket that connects these addresses; empty or 0 if no process has it. Other connections, ended ones too, may have the same local port."""
    wanted = list(zip(_written(local), _written(remote), strict=True))
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as rows:
            for row in rows:
                fields = row.split()
                if (fields[1], fields[2]) in wanted:
                    return fields[9]
    return ""


def _written(address: tuple[str, int]) -> tuple[str, str]:
    """As the kernel's tables have it: of a socket for IPv4, and of one for both."""
    host, port = address
    word = socket.inet_aton(host)[::-1].hex().upper()
    return f"{word}:{port:04X}", f"0000000000000000FFFF0000{word}:{port:04X}"
