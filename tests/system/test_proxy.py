"""The network with faults that clusters are tested in does what it says: between two processes that echo, one of which also talks to the other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.cluster.cluster import hold_addresses
from tests.cluster.proxy import CLIENT, Fault, Proxy, owner_of
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.node  # processes that stand for nodes
PORT = 19095
# Echoes lines; a line "ask HOST" is answered with what the other one echoes.
ECHO = """
import socket, sys, threading
def serve(connection):
    lines = connection.makefile("rb")
    while line := read(lines):
        if line.startswith(b"ask "):
            with socket.create_connection((line.split()[1].decode(), int(sys.argv[2]))) as other:
                other.sendall(b"asked\\n")
                line = b"it says " + other.makefile("rb").readline()
        connection.sendall(line)
def read(lines):
    try:
        return lines.readline()
    except ConnectionResetError:
        return b""
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


class Echo:
    """Stands where a proxy expects a node: a process at an address."""

    def __init__(self, address: str) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", ECHO, address, str(PORT)])


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    held, prefix = hold_addresses()
    proxy = Proxy()
    proxy.prefix = prefix
    members = {n: Echo(f"{prefix}.{n}") for n in (1, 2)}
    proxy.serve(members, {1: [PORT], 2: [PORT]})  # type: ignore[arg-type]
    for n in members:
        wait_until(lambda n=n: _answers(f"{prefix}.{n}"))
    try:
        yield proxy
    finally:
        proxy.close()
        for member in members.values():
            member.process.kill()
            member.process.wait()
        held.close()


def _answers(host: str) -> bool:
    try:
        socket.create_connection((host, PORT)).close()
    except OSError:
        return False
    return True


class Talk:
    """A connection of a client to a node, through the proxy, until the client ends it."""

    def __init__(self, proxy: Proxy, node_id: int, timeout_s: float = 10) -> None:
        self.socket = socket.create_connection((proxy.advertised(node_id), PORT), timeout=timeout_s)
        self.lines = self.socket.makefile("rb")

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self.lines.close()
        self.socket.close()

    def say(self, line: bytes) -> bytes:
        self.socket.sendall(line + b"\n")
        return self.lines.readline().rstrip(b"\n")


def test_sound(proxy: Proxy) -> None:
    with Talk(proxy, 1) as talk:
        assert talk.say(b"one") == b"one"
        assert talk.say(b"ask " + proxy.advertised(2).encode()) == b"it says asked"
        assert talk.say(b"x" * 3_000_000) == b"x" * 3_000_000


def test_delay(proxy: Proxy) -> None:
    with Talk(proxy, 1) as talk:
        proxy.set(Fault(delay_s=0.2), proxy.links(1, clients=True))
        began = time.monotonic()
        assert talk.say(b"one") == b"one"
        assert time.monotonic() - began >= 0.4


def test_narrow(proxy: Proxy) -> None:
    with Talk(proxy, 1) as talk:
        proxy.set(Fault(bytes_per_s=200_000), [(0, 1)])
        began = time.monotonic()
        assert len(talk.say(b"x" * 100_000)) == 100_000
        assert time.monotonic() - began >= 0.45


def test_silence_of_one_link(proxy: Proxy) -> None:
    """Node 1 doesn't hear node 2 any more, and clients talk to both; what was said meanwhile arrives in the end."""
    proxy.set(Fault(silent=True), [(2, 1)])
    question = b"ask " + proxy.advertised(2).encode()
    with Talk(proxy, 1, timeout_s=0.5) as impatient, Talk(proxy, 2) as other, Talk(proxy, 1) as patient:
        assert other.say(b"two") == b"two"
        with pytest.raises(TimeoutError):
            impatient.say(question)
        patient.socket.sendall(question + b"\n")
        proxy.heal()
        assert patient.lines.readline() == b"it says asked\n"


def test_cut(proxy: Proxy) -> None:
    with Talk(proxy, 1) as talk:
        assert talk.say(b"one") == b"one"
        proxy.cut(proxy.links(1, clients=True))
        with pytest.raises(ConnectionResetError):
            talk.say(b"two")
    with Talk(proxy, 1) as talk:
        assert talk.say(b"three") == b"three"


def test_refused(proxy: Proxy) -> None:
    """Who is connected stays so."""
    with Talk(proxy, 1) as talk:
        assert talk.say(b"one") == b"one"
        proxy.refuse(1)
        with pytest.raises(ConnectionRefusedError):
            Talk(proxy, 1)
        assert talk.say(b"two") == b"two"
    proxy.heal()
    with Talk(proxy, 1) as talk:
        assert talk.say(b"three") == b"three"


def test_whose_a_connection_is() -> None:
    """The local port doesn't tell: a connection that has ended keeps it for a minute, and another may have it meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as before, socket.create_server(("127.0.0.1", 0)) as now:
        with _from(("127.0.0.1", 0), before) as ended:
            local = ended.getsockname()
            accepted = before.accept()[0]
        accepted.close()
        with _from(local, now):
            assert owner_of(local, now.getsockname(), {7: os.getpid()}) == 7
            assert owner_of(local, before.getsockname(), {7: os.getpid()}) == CLIENT


def _from(local: tuple[str, int], server: socket.socket) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    connection.bind(local)
    connection.connect(server.getsockname())
    return connection
