"""A node for tests: ports that nobody else gets, a directory that goes with it, and what one does to a node in a test: restart, kill, pause.

Owns the node's life. Doesn't own: its home directory's contents and start (`cli.home`, `cli.up`), what dead sessions left (`leftovers`), fixtures (`plugin`).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import weakref
from typing import TYPE_CHECKING

from barnabas.cli.home import HOST, Home, HomeError
from barnabas.cli.up import format_home, wait_until_serving

from . import leftovers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

STOP_TIMEOUT_S = 60.0
MEMORY = "/dev/shm"
MEMORY_NEEDED_BYTES = 1 << 30  # a container's default of 64 MiB is soon full
# One node of a test: one partition of each internal topic is made faster than fifty.
TEST_PROPERTIES = {
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
}


class NodeFailed(RuntimeError):
    """The node didn't start, didn't stop, or ended by itself; the message ends with what it printed last."""


class Node:
    """One Kafka node. `with Node({"num.partitions": "3"}) as node:` starts it, and leaves nothing behind."""

    def __init__(self, properties: Mapping[str, object] | None = None) -> None:
        """A formatted node that isn't started yet. `properties` go into its server.properties in place of the usual values. Raises NodeFailed."""
        leftovers.remove()
        folder = tempfile.mkdtemp(prefix=leftovers.PREFIX, dir=_parent())
        self._home = Home(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._ended_on_purpose = True
        reserved = _reserve_ports(2)
        self._finish = weakref.finalize(self, _discard, self._home, [*reserved, leftovers.claim(folder)], os.getpid())
        overrides = TEST_PROPERTIES | {key: _text(value) for key, value in (properties or {}).items()}
        try:
            self._home.create(reserved[0].getsockname()[1], reserved[1].getsockname()[1], overrides)
            format_home(self._home)
            self._host, self._port = Home.address(self._home.settings())
        except HomeError as error:
            self._finish()
            raise NodeFailed(str(error)) from None

    # What a client needs

    @property
    def bootstrap(self) -> str:
        """For `bootstrap.servers`: the same all the node's life, over restarts too."""
        return f"{self._host}:{self._port}"

    @property
    def host(self) -> str:
        return self._host

    @property
    def port(self) -> int:
        return self._port

    # What a test wants to see

    @property
    def pid(self) -> int:
        """Of the running process. Raises NodeFailed if there is none."""
        if self._process is None or self._process.poll() is not None:
            raise NodeFailed(f"The node isn't running.\n{self.output()}")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def properties_path(self) -> str:
        """Its server.properties; edits take effect at the next start."""
        return self._home.properties_path

    @property
    def log_dir(self) -> str:
        """The first of its log directories."""
        return self._home.log_dirs(self._home.settings())[0]

    def output(self, lines: int = 40) -> str:
        """The end of what it printed."""
        return self._home.output_tail(lines)

    # What a test does to it

    def start(self) -> Self:
        """Returns once the node serves. Does nothing to one that runs. Raises NodeFailed."""
        if self.running:
            return self
        if not self._finish.alive:
            raise NodeFailed("This node was closed, its directory is gone: make another one.")
        self._process = self._home.start()
        self._ended_on_purpose = False
        try:
            wait_until_serving(self._home, self._process, self._host, self._port, time.monotonic())
        except HomeError as error:
            self.kill()
            raise NodeFailed(str(error)) from None
        return self

    def stop(self) -> None:
        """SIGTERM: a clean stop. The data stays. Raises NodeFailed."""
        if self._process is None:
            return
        self.resume()
        self._process.terminate()
        self._ended_on_purpose = True
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NodeFailed(f"The node didn't stop within {STOP_TIMEOUT_S:.0f} s and was killed.\n{self.output()}") from None

    def kill(self) -> None:
        """SIGKILL: no clean stop, as if the process had crashed. The data stays, and the next start recovers it."""
        if self._process is not None:
            self._process.kill()
            self._ended_on_purpose = True
            self._process.wait()

    def restart(self) -> Self:
        """A clean stop and a start, on the same port with the same data."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay and nothing is answered any more, until `resume`."""
        pid = self.pid
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)  # until every thread has stopped

    def resume(self) -> None:
        if self.running:
            os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Ends the node and removes its data. Raises NodeFailed if it had ended by itself."""
        ended = self._process is not None and not self.running and not self._ended_on_purpose
        report = self.output() if ended else ""
        self.kill()
        self._finish()
        if ended and self._process is not None:
            self._ended_on_purpose = True
            raise NodeFailed(f"The node ended by itself with status {self._process.returncode}.\n{report}")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Node {self.bootstrap}{'' if self.running else ', not running'}>"


def _parent() -> str | None:
    """Where data that won't be kept goes: memory, if there is enough; else the usual place for temporary files."""
    try:
        room = os.statvfs(MEMORY)
    except OSError:
        return None
    enough = room.f_bavail * room.f_frsize >= MEMORY_NEEDED_BYTES
    return MEMORY if enough and os.access(MEMORY, os.W_OK | os.X_OK) else None


def _text(value: object) -> str:
    """A value as server.properties has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reserve_ports(count: int) -> list[socket.socket]:
    """Free ports of the loopback interface, held as long as these sockets are open.

    A bound socket that doesn't listen keeps a port from being given to anybody who asks for a free one, and with SO_REUSEADDR on both sides
    the node can still bind and listen on it by its number, again after every restart.
    """
    held = []
    for _ in range(count):
        holder = socket.socket()
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, 0))
        held.append(holder)
    return held


def _discard(home: Home, held: list[socket.socket | leftovers.Claim], owner: int) -> None:
    """The end of a node: by `close`, or when it is forgotten, or when the process that made it ends. A forked child is none of those."""
    if os.getpid() != owner:
        return
    leftovers.end_process(home)
    shutil.rmtree(home.directory, ignore_errors=True)
    for thing in held:
        thing.close()
