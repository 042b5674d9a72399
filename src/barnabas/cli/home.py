"""One node's home on this machine, and the node in it: `barnabas up` makes it, `down` and `status` find it.

A home is a directory: `server.properties` (an ordinary one, yours to edit), `log/` (the log directory, in which nothing of ours is ever put),
`node.pid`, `node.out`.
Knows files, ports and processes; says nothing to anybody.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

from .kafka.server_start import NODE_MODULE, node_command
from .processes import command_line, is_ending

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST = "127.0.0.1"
BROKER_PORT = 9092
CONTROLLER_PORT = 9093
STOP_TIMEOUT_S = 90.0
POLL_S = 0.01


class HomeError(RuntimeError):
    """What keeps a node from starting or stopping, and what to do about it."""


class Home:
    """Paths, settings and process of one home."""

    def __init__(self, directory: str) -> None:
        self.directory = os.path.abspath(directory)
        self.properties_path = os.path.join(self.directory, "server.properties")
        self.pid_path = os.path.join(self.directory, "node.pid")
        self.output_path = os.path.join(self.directory, "node.out")
        self.default_log_dir = os.path.join(self.directory, "log")

    # Settings

    def exists(self) -> bool:
        return os.path.exists(self.properties_path)

    def settings(self) -> dict[str, str]:
        """What server.properties says. Raises HomeError."""
        from barnabas.storage.properties_file import PropertiesError, read_properties

        try:
            return {entry.key: entry.value.strip() for entry in read_properties(self.properties_path)}
        except (OSError, PropertiesError) as error:
            raise HomeError(f"{self.properties_path} can't be read: {error}") from error

    def create(self, port: int, controller_port: int, overrides: Mapping[str, str] | None = None) -> None:
        """The directory and its server.properties: a combined node for one machine, with these values in place of or beside the usual ones."""
        os.makedirs(self.directory, exist_ok=True)
        with open(self.properties_path, "xb") as file:
            file.write(self._text(port, controller_port, overrides))

    def rewrite(self, port: int, controller_port: int) -> None:
        """server.properties with these ports, in place of what is there."""
        temporary = self.properties_path + ".new"
        with open(temporary, "wb") as file:
            file.write(self._text(port, controller_port))
        os.replace(temporary, self.properties_path)

    def is_as_written(self, port: int, controller_port: int) -> bool:
        """Whether nobody has edited server.properties since it was written with these ports."""
        with open(self.properties_path, "rb") as file:
            return file.read() == self._text(port, controller_port)

    def _text(self, port: int, controller_port: int, overrides: Mapping[str, str] | None = None) -> bytes:
        left = dict(overrides or {})
        several = left.get("default.replication.factor", "1") != "1"
        lines = []
        for line in _properties_lines(port, controller_port, self.default_log_dir):
            key = line.partition("=")[0]
            if key in left:
                line = _property(key, left.pop(key))
            if not (several and line == _ONE_NODE):
                lines.append(line)
        lines += [_property(key, value) for key, value in left.items()]
        return _ascii("".join(f"{line}\n" for line in lines))

    @staticmethod
    def address(settings: Mapping[str, str]) -> tuple[str, int]:
        """Host and port of the first listener for clients. Raises HomeError."""
        controllers = {name.strip() for name in settings.get("controller.listener.names", "").split(",")}
        for listener in settings.get("advertised.listeners", settings.get("listeners", "")).split(","):
            name, _, address = listener.strip().partition("://")
            host, _, port = address.rpartition(":")
            if name not in controllers and port.isdecimal():
                return host or HOST, int(port)
        raise HomeError("server.properties names no listener for clients: give it listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093")

    @staticmethod
    def controller_port(settings: Mapping[str, str]) -> int | None:
        controllers = {name.strip() for name in settings.get("controller.listener.names", "").split(",")}
        for listener in settings.get("listeners", "").split(","):
            name, _, address = listener.strip().partition("://")
            port = address.rpartition(":")[2]
            if name in controllers and port.isdecimal():
                return int(port)
        return None

    def log_dirs(self, settings: Mapping[str, str]) -> list[str]:
        listed = settings.get("log.dirs") or settings.get("log.dir") or self.default_log_dir
        return [os.path.join(self.directory, path.strip()) for path in listed.split(",")]

    def is_formatted(self, settings: Mapping[str, str]) -> bool:
        return any(os.path.exists(os.path.join(path, "meta.properties")) for path in self.log_dirs(settings))

    # The process

    def pid(self) -> int | None:
        """The node's process, if it runs: the number in node.pid counts only while that process is this home's node, or is just ending."""
        try:
            with open(self.pid_path, encoding="ascii") as file:
                pid = int(file.read(32))
        except (OSError, ValueError):
            return None
        words = command_line(pid)
        return pid if (NODE_MODULE in words and self.properties_path in words) or (not words and is_ending(pid)) else None

    def start(self) -> subprocess.Popen[bytes]:
        """The node as a process of its own session, its output appended to node.out."""
        with open(self.output_path, "ab") as output:
            process = subprocess.Popen(
                node_command(self.properties_path), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.directory, start_new_session=True
            )
        temporary = self.pid_path + ".new"
        with open(temporary, "w", encoding="ascii") as file:
            file.write(f"{process.pid}\n")
        os.replace(temporary, self.pid_path)
        return process

    def stop(self, pid: int) -> float:
        """SIGTERM, then waits for the end; returns the seconds it took. Raises HomeError."""
        began = time.monotonic()
        try:
            os.kill(pid, signal.SIGTERM)
        except PermissionError:
            raise HomeError(f"Process {pid} belongs to another user: run this as that user.") from None
        except ProcessLookupError:
            pass
        while self.pid() == pid:
            if time.monotonic() - began > STOP_TIMEOUT_S:
                raise HomeError(
                    f"Process {pid} still runs {STOP_TIMEOUT_S:.0f} s after SIGTERM. See {self.output_path}; `kill -9 {pid}` ends it, and the next start recovers."
                )
            time.sleep(POLL_S)
        self.forget_process()
        return time.monotonic() - began

    def forget_process(self) -> None:
        """Of a process that is gone."""
        if self.pid() is None and os.path.exists(self.pid_path):
            os.remove(self.pid_path)

    def output_tail(self, lines: int = 15) -> str:
        try:
            with open(self.output_path, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
                return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
        except OSError:
            return ""


def _ascii(text: str) -> bytes:
    """As Java reads a properties file: any other character as \\uXXXX."""
    units = memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    return b"".join(b"%c" % unit if unit < 0x7F else b"\\u%04x" % unit for unit in units)


_ONE_NODE = "# One node: one replica of everything."


def _property(key: str, value: str) -> str:
    """A line of a properties file; what would be read otherwise is escaped."""
    from barnabas.storage.properties_file import format_properties

    plain = value.isascii() and value.isprintable() and "\\" not in value and not value.startswith(" ")
    return f"{key}={value}" if plain else format_properties([(key, value)]).rstrip("\n")


def _properties_lines(port: int, controller_port: int, log_dir: str) -> list[str]:
    return [
        "# An ordinary server.properties of Apache Kafka 4.3: either engine starts on it. Written once by `barnabas up`; yours to edit.",
        "process.roles=broker,controller",
        "node.id=1",
        f"listeners=PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        f"advertised.listeners=PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "controller.listener.names=CONTROLLER",
        "inter.broker.listener.name=PLAINTEXT",
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        f"controller.quorum.bootstrap.servers={HOST}:{controller_port}",
        "log.dirs=" + log_dir.replace("\\", "\\\\"),
        _ONE_NODE,
        "default.replication.factor=1",
        "offsets.topic.replication.factor=1",
        "transaction.state.log.replication.factor=1",
        "transaction.state.log.min.isr=1",
        "share.coordinator.state.topic.replication.factor=1",
        "share.coordinator.state.topic.min.isr=1",
        "# Nobody to wait for when the first consumer of a group comes.",
        "group.initial.rebalance.delay.ms=0",
    ]


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port(wanted: int, avoid: int = 0) -> int:
    """`wanted` if it is free, else another one."""
    if wanted != avoid and is_free(wanted):
        return wanted
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        if port != avoid:
            return port
