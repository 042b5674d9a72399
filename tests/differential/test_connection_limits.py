"""Limits of connections, played to both nodes: who is answered, who waits, who is closed, and which limits a running node takes. KIP-402, KIP-612, W12."""

from __future__ import annotations

import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.metadata import MetadataRequest
from tests.cluster.proxy import inode
from tests.differential.transcript import Client, settle_by
from tests.nodes import free_port
from tests.system.requests import frame
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import NodeFactory
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

NO_TOPICS = frame(MetadataRequest(topics=[]), 12)
WAITS_S = 0.5
SOON_S = 6.0
RATE = 2


class Play:
    """Connections to one node by the addresses 127.0.0.N, and what became of them."""

    def __init__(self, node: Node, ports: dict[str, int]) -> None:
        self.ports = {"PLAINTEXT": node.port, **ports}
        self.admin = Client(node.port)
        self.open: list[socket.socket] = []

    def connect(self, listener: str, address: int = 3) -> socket.socket:
        one = socket.create_connection(("127.0.0.1", self.ports[listener]), timeout=SOON_S, source_address=(f"127.0.0.{address}", 0))
        self.open.append(one)
        with contextlib.suppress(ConnectionError):
            one.sendall(NO_TOPICS)
        return one

    def gets_in(self, listener: str, address: int) -> str:
        """What becomes of a connection in the place of one that is gone, once the node has noticed."""
        deadline = time.monotonic() + SOON_S
        while (found := self.becomes(self.connect(listener, address))) == "closed" and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def close_all(self) -> None:
        """Until the node has closed its ends, too."""
        ends = []
        for one in self.open:
            with contextlib.suppress(OSError):  # it was reset
                ends.append((one.getpeername(), one.getsockname()))
            one.close()
        self.open.clear()
        wait_until(lambda: all(inode(*end) in ("", "0") for end in ends))

    def becomes(self, one: socket.socket, *, waits: bool = False) -> str:
        """answered, closed, or waits: for half a second if that is what is expected, else for as long as a slow machine may take."""
        one.settimeout(WAITS_S if waits else SOON_S)
        try:
            return "answered" if one.recv(1 << 16) else "closed"
        except TimeoutError:
            return "waits"
        except ConnectionError:
            return "closed"

    def asks_again(self, one: socket.socket) -> str:
        with contextlib.suppress(ConnectionError):
            one.sendall(NO_TOPICS)
        return self.becomes(one)

    def alter(self, broker: str = "", **values: str | None) -> tuple[int, str]:
        """Set (None: delete) dynamic configs, `__` standing for the dot."""
        configs = [
            IncrementalAlterConfigsRequest.AlterConfigsResource.AlterableConfig(
                name=name.replace("__", "."), config_operation=0 if value is not None else 1, value=value
            )
            for name, value in values.items()
        ]
        resource = IncrementalAlterConfigsRequest.AlterConfigsResource(resource_type=4, resource_name=broker, configs=configs)
        row = self.admin.call(IncrementalAlterConfigsRequest(resources=[resource]), 1).responses[0]
        if not row.error_code:
            settle_by(self.admin)
        return row.error_code, row.error_message or ""


@pytest.fixture
def plays(apache_nodes: NodeFactory, barnabas_nodes: NodeFactory) -> Iterator[list[Play]]:
    found = []
    for make in (apache_nodes, barnabas_nodes):
        ports = {name: free_port() for name in ("CLIENT", "RATED")}
        broker, controller = free_port(), free_port()
        listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in {"PLAINTEXT": broker, "CONTROLLER": controller, **ports}.items())
        node = make(
            {
                "listeners": listeners,
                "advertised.listeners": listeners,
                "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
                "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", *ports)),
                "max.connections.per.ip.overrides": "127.0.0.2:2",
                "listener.name.rated.max.connection.creation.rate": str(RATE),
            }
        )
        found.append(Play(node, ports))
    yield found
    for play in found:
        for one in (play.admin, *play.open):
            one.close()


def test_limits(plays: list[Play]) -> None:
    waits = 0
    with ThreadPoolExecutor(2) as pool:
        for part in (_addresses, _listener, _total, _refused, _rate):
            # Connections that Apache Kafka's node opens to itself meanwhile count among all: one more or less, and another one waits or goes.
            for _ in range(3 if part is _total else 1):
                apache, barnabas = pool.map(lambda play, part=part: list(part(play)), plays)  # type: ignore[misc]
                if barnabas == apache:
                    break
            assert barnabas == apache
            waits += sum("waits" in what for what in apache)
    assert waits, "nothing ever waited"


def _addresses(play: Play) -> Iterator[tuple[object, ...]]:
    first, second, third = (play.connect("CLIENT", 2) for _ in range(3))
    yield "per address", play.becomes(first), play.becomes(second), play.becomes(third)
    first.close()
    yield "after one went", play.gets_in("CLIENT", 2)
    second.close()
    yield "set", play.alter(max__connections__per__ip="1")
    yield "by default", play.becomes(play.connect("CLIENT", 3)), play.becomes(play.connect("CLIENT", 3)), play.becomes(play.connect("PLAINTEXT", 3))
    yield "set", play.alter(max__connections__per__ip=None, max__connections__per__ip__overrides="127.0.0.2:0,localhost:1")
    yield "overridden", play.becomes(play.connect("CLIENT", 2)), play.becomes(play.connect("CLIENT", 3))
    yield "a host's name", play.becomes(play.connect("CLIENT", 1))
    yield "set", play.alter(max__connections__per__ip__overrides=None)
    yield from _all_gone(play)


def _all_gone(play: Play) -> Iterator[tuple[object, ...]]:
    play.close_all()
    yield ("all are gone",)


def _listener(play: Play) -> Iterator[tuple[object, ...]]:
    yield "set", play.alter(listener__name__client__max__connections="2")
    first, second, third = (play.connect("CLIENT") for _ in range(3))
    yield "per listener", play.becomes(first), play.becomes(second), play.becomes(third, waits=True)
    yield "other listeners", play.becomes(play.connect("PLAINTEXT"))
    first.close()
    yield "its turn", play.becomes(third)
    fourth = play.connect("CLIENT")
    yield "next", play.becomes(fourth, waits=True)
    yield "set", play.alter(listener__name__client__max__connections="3")
    yield "raised", play.becomes(fourth)
    yield "set", play.alter(listener__name__client__max__connections="1")
    yield "lowered", play.asks_again(second), play.asks_again(fourth)
    yield "set", play.alter(listener__name__client__max__connections=None)
    yield from _all_gone(play)


def _total(play: Play) -> Iterator[tuple[object, ...]]:
    others = [play.connect("PLAINTEXT") for _ in range(6)]  # a node's own connections to its controller are subject to the limit too
    yield "others", [play.becomes(one) for one in others]
    yield "set", play.alter(max__connections="10")
    first, second, third, fourth = (play.connect("CLIENT") for _ in range(4))
    yield "with the admin's", *(play.becomes(one) for one in (first, second, third)), play.becomes(fourth, waits=True)
    yield "used", play.asks_again(first), play.asks_again(third)
    brokers = play.connect("PLAINTEXT")
    yield "the brokers' own listener", play.becomes(brokers)
    # Which one goes is for each of Apache's network threads to say, of its own connections.
    yield "makes room", sorted(play.asks_again(one) for one in (first, second, third)), play.becomes(fourth, waits=True)
    yield "set", play.alter(max__connections="8")
    yield "lowered", [play.becomes(one) for one in (first, second, third)], play.becomes(fourth, waits=True), play.asks_again(brokers)
    yield "the listener's share of it", play.becomes(play.connect("PLAINTEXT"), waits=True)
    yield "set", play.alter(max__connections=None)
    yield "as many as you like", play.becomes(fourth), play.becomes(play.connect("CLIENT")), play.becomes(play.open[-2])
    yield from _all_gone(play)


def _refused(play: Play) -> Iterator[tuple[object, ...]]:
    for name in (
        "max.connections",
        "listener.name.client.max.connections",
        "max.connection.creation.rate",
        "listener.name.client.max.connection.creation.rate",
        "max.connections.per.ip",
    ):
        for value in ("0", "-1", "many"):
            answer = play.alter(**{name.replace(".", "__"): value})
            yield name, value, answer
            if not answer[0]:
                play.alter(**{name.replace(".", "__"): None})
    for name in ("connections.max.idle.ms", "queued.max.requests", "socket.request.max.bytes", "listener.name.client.connections.max.idle.ms"):
        yield name, play.alter(**{name.replace(".", "__"): "1000000"})


def _rate(play: Play) -> Iterator[tuple[object, ...]]:
    answers, waited = [], False
    for _ in range(RATE * 10 + 3):
        began = time.monotonic()
        answers.append(play.becomes(play.connect("RATED")))
        waited = waited or time.monotonic() - began > 0.5 / RATE
    yield "rate", answers, waited  # which of them was the first to wait, a busy machine decides
    yield "other listeners", play.becomes(play.connect("CLIENT"))
    yield "set", play.alter(listener__name__rated__max__connection__creation__rate="1000")
    began = time.monotonic()
    yield "raised", [play.becomes(play.connect("RATED")) for _ in range(16)], time.monotonic() - began > 16 / RATE
    yield "set", play.alter(max__connection__creation__rate="1")
    yield "all together", tuple(play.becomes(play.connect(name)) for name in ("CLIENT", "CLIENT", "PLAINTEXT"))
    yield "set", play.alter(max__connection__creation__rate=None, listener__name__rated__max__connection__creation__rate=None)
