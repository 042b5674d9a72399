"""Real nodes as processes, of either engine, behind one interface.

Owns: the properties file of a combined node, formatting, starting, waiting until it serves, stopping, killing. Doesn't own: pytest fixtures (conftest.py).
A node is a directory and a properties file; `Node(ENGINE, properties_file)` runs an engine on it, so the other engine can be run on the same two afterwards.
"""

from __future__ import annotations

import atexit
import base64
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import uuid
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.apache import release

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(sys.executable).parent
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0
HELD_PORTS = 256
_held: deque[socket.socket] = deque()


class Engine(NamedTuple):
    """How one of the two engines is formatted and started."""

    name: str
    format_command: Callable[[Path, str, Sequence[str]], list[str]]  # properties file, cluster id, how the first controllers are named
    start_command: Callable[[Path], list[str]]  # properties file


def _apache_start(properties: Path) -> list[str]:
    return release.java_command("kafka.Kafka", [str(properties)], release.QUICK_SERVER_FLAGS)


def _shipped_apache_start(properties: Path) -> list[str]:
    return release.java_command("kafka.Kafka", [str(properties)], release.SERVER_FLAGS)


def _format(properties: Path, cluster_id: str, quorum: Sequence[str]) -> list[str]:
    return [str(SCRIPTS / "kafka-storage"), "format", "-t", cluster_id, "-c", str(properties), *quorum]


def _barnabas_start(properties: Path) -> list[str]:
    return [str(SCRIPTS / "kafka-server-start"), str(properties)]


# Either is formatted by our kafka-storage, in half the time of Apache's, which test_format.py compares it with.
APACHE = Engine("apache", _format, _apache_start)
SHIPPED_APACHE = APACHE._replace(start_command=_shipped_apache_start)
"""With the JVM settings of kafka-server-start.sh: what is measured."""
BARNABAS = Engine("barnabas", _format, _barnabas_start)


# Apache Kafka's controller remembers a killed node's session: the node isn't registered again before it has ended, 9 s by default.
SHORT_SESSION = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
# One that isn't killed isn't fenced on a machine that stands still either: its leader epochs would tell of it.
LONG_SESSION = {"broker.session.timeout.ms": "60000"}


class NodeFailed(RuntimeError):
    """A node ended, or didn't serve in time; the message ends with the tail of its log."""


def free_port() -> int:
    """A port of the loopback interface that nobody else is given: a bound socket keeps it, as barnabas.testing's do, while it is among the last HELD_PORTS."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    _held.append(holder)
    if len(_held) > HELD_PORTS:
        _held.popleft().close()
    return int(holder.getsockname()[1])


@atexit.register
def _let_go() -> None:
    for holder in _held:
        holder.close()


def hold(pid: int) -> None:
    """SIGSTOP, until every thread has stopped: one of them takes the signal, and on a busy machine the others go on until it gets its turn."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while not all(is_stopped(thread) for thread in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < deadline, f"Process {pid} hasn't stopped after {STOP_TIMEOUT_S} s."
        time.sleep(0.001)


def is_stopped(path: Path) -> bool:
    """Whether the process or thread whose directory in /proc this is doesn't run: by the state behind its name in brackets, or because it ended."""
    try:
        return (path / "stat").read_text().rpartition(") ")[2][0] == "T"
    except (FileNotFoundError, ProcessLookupError):
        return True


def random_uuid_text() -> str:
    """A cluster id as `kafka-storage random-uuid` prints it: never with a leading dash, which options parsers trip over."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not text.startswith("-"):
            return text


def combined_properties(directory: Path, overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """An ordinary combined node on free loopback ports with one log directory below `directory`."""
    broker, controller = free_port(), free_port()
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(directory / "log"),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
    }
    properties.update(overrides or {})
    return properties


def write_properties(path: Path, properties: Mapping[str, str]) -> Path:
    path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    return path


def lists_broker(host: str, port: int, timeout_s: float = 1.0) -> bool:
    """Whether a Metadata request (version 1, no topics) is answered with at least one broker: fenced ones aren't listed."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as s:
            s.sendall(struct.pack(">ihhihi", 14, 3, 1, 7, -1, 0))
            reply = b""
            while len(reply) < 12:
                more = s.recv(4096)
                if not more:
                    return False
                reply += more
            return bool(struct.unpack_from(">i", reply, 8)[0] > 0)
    except OSError:
        return False


class Node:
    """One engine on one properties file; started and stopped as often as one likes."""

    def __init__(self, engine: Engine, properties_file: Path) -> None:
        self.engine = engine
        self.properties_file = properties_file
        lines = (line.split("=", 1) for line in properties_file.read_text().splitlines() if "=" in line and not line.startswith("#"))
        self.properties: dict[str, str] = {key.strip(): value.strip() for key, value in lines}
        self.output = properties_file.with_suffix(f".{engine.name}.out")
        self.process: subprocess.Popen[bytes] | None = None

    def address(self, listener: str = "PLAINTEXT") -> tuple[str, int]:
        """Where it listens."""
        found = next(entry for entry in self.properties["listeners"].split(",") if entry.startswith(f"{listener}://"))
        host, _, port = found.partition("://")[2].rpartition(":")
        return host or "127.0.0.1", int(port)

    @property
    def port(self) -> int:
        return self.address()[1]

    @property
    def bootstrap(self) -> str:
        host, port = self.address()
        return f"{host}:{port}"

    @property
    def log_dir(self) -> Path:
        return Path(self.properties["log.dirs"].split(",")[0])

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def format(self, cluster_id: str | None = None, quorum: Sequence[str] = ("--standalone",)) -> Node:
        command = self.engine.format_command(self.properties_file, cluster_id or random_uuid_text(), quorum)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise NodeFailed(f"{self.engine.name} format ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return self

    def start(self) -> Node:
        """Starts the process and returns when it lists itself as a broker."""
        self.spawn()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not lists_broker(*self.address()):
            if self.process is not None and self.process.poll() is not None:
                raise NodeFailed(f"{self.engine.name} ended with {self.process.returncode} while starting:\n{self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise NodeFailed(f"{self.engine.name} didn't list itself within {START_TIMEOUT_S:.0f} s:\n{self.tail()}")
            time.sleep(0.01)
        return self

    def spawn(self) -> subprocess.Popen[bytes]:
        """Starts the process without waiting for it."""
        assert self.process is None or self.process.poll() is not None, "already running"
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        with open(self.output, "ab") as out:
            self.process = subprocess.Popen(
                self.engine.start_command(self.properties_file),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.properties_file.parent,
                env=environment,
            )
        return self.process

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """SIGTERM, then waits for the end: a clean stop. Returns the exit status."""
        return self._end(signal.SIGTERM, timeout_s)

    def kill(self) -> int:
        """SIGKILL, then waits for the end."""
        return self._end(signal.SIGKILL, 30)

    def _end(self, number: signal.Signals, timeout_s: float) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(30)
                raise NodeFailed(f"{self.engine.name} didn't stop within {timeout_s:.0f} s:\n{self.tail()}") from None
        status = self.process.returncode
        self.process = None
        return status

    def tail(self, bytes_count: int = 6000) -> str:
        """The end of what the node printed."""
        try:
            return self.output.read_bytes()[-bytes_count:].decode(errors="replace")
        except FileNotFoundError:
            return "(no output)"

    def on(self, engine: Engine) -> Node:
        """The other engine on the same directory and properties; this one must have ended."""
        assert not self.running(), "still running"
        return Node(engine, self.properties_file)


def new_node(engine: Engine, directory: Path, overrides: Mapping[str, str] | None = None) -> Node:
    """A formatted, not yet started node of `engine` in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    return Node(engine, write_properties(directory / "server.properties", combined_properties(directory, overrides))).format()
