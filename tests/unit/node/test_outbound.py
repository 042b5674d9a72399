"""A connection to another node, against real sockets: a node, a listener that closes, a port where nobody listens."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.core.configs.definitions.broker import BROKER
from barnabas.core.configs.values import Values, parse
from barnabas.node.config.sections import Network
from barnabas.node.loop import Loop
from barnabas.node.outbound import Failure, Outbound, SetupLimits
from barnabas.wire.messages.api_versions import ApiVersionsRequest
from barnabas.wire.messages.metadata import MetadataRequest, MetadataResponse
from barnabas.wire.messages.vote import VoteRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests import nodes


@pytest.fixture
def loop() -> Iterator[Loop]:
    errors: list[BaseException] = []
    made = Loop("test", errors.append)
    made.start()
    yield made
    made.stop()
    assert made.join(5)
    assert not errors


def answers(loop: Loop, *ask: Callable[[Callable[[Any], None]], object]) -> list[Any]:
    """What comes back from each of `ask`, called with where the answer goes; in the order in which it came."""
    found: list[Any] = []
    done = threading.Event()

    def take(answer: Any) -> None:
        found.append(answer)
        if len(found) == len(ask):
            done.set()

    for one in ask:
        loop.call(one, take)
    assert done.wait(10)
    return found


def test_connections_that_nobody_sets_up(loop: Loop) -> None:
    """socket.connection.setup.timeout.ms and socket.connection.setup.timeout.max.ms: so long the first one is tried, longer the next ones; one that is
    set up begins anew. Nobody answers here: the listener's queue is full."""
    keys = {"socket.connection.setup.timeout.ms": "200", "socket.connection.setup.timeout.max.ms": "600"}
    limits = setup_limits(keys)
    assert [160 <= limits.next_ms() <= 240 for _ in range(20)] == [True] * 20
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.create_connection(server.getsockname()):
        for least_ms, most_ms in ((320, 480), (480, 720), (480, 720)):
            waiting = Outbound(loop, *server.getsockname(), "tester", limits=limits)
            (failure,) = answers(loop, lambda take, waiting=waiting: waiting.ask(MetadataRequest(topics=[]), take))
            assert "no connection within" in failure.reason
            assert least_ms <= limits.next_ms() <= most_ms
    with socket.create_server(("127.0.0.1", 0)) as server:
        connected = Outbound(loop, *server.getsockname(), "tester", limits=limits)
        server.accept()[0].close()
        answers(loop, lambda take: connected.ask(MetadataRequest(topics=[]), take))
        assert 160 <= limits.next_ms() <= 240


def setup_limits(keys: dict[str, str]) -> SetupLimits:
    network = Network(Values(BROKER, {name: parse(BROKER[name], text) for name, text in keys.items()}), keys)
    return SetupLimits(network.first_setup_timeout_ms, network.most_setup_timeout_ms)


def connect(loop: Loop, host: str, port: int, ended: list[Failure] | None = None) -> Outbound:
    return Outbound(loop, host, port, "tester", (lambda failure: None) if ended is None else ended.append)


@pytest.mark.node
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_answers_come_in_order(loop: Loop, barnabas_node: nodes.Node, name: str) -> None:
    port = int(barnabas_node.bootstrap.rsplit(":", 1)[1])
    outbound = connect(loop, name, port)
    found = answers(
        loop,
        lambda take: outbound.ask(MetadataRequest(topics=[]), take),
        lambda take: outbound.ask(ApiVersionsRequest(client_software_name="a", client_software_version="1"), take),
        lambda take: outbound.ask(MetadataRequest(topics=[]), take, version=4),
        lambda take: outbound.ask_raw(MetadataRequest(topics=[]), lambda answer: take((bytes(answer[0]), answer[1])), version=9),
    )
    assert [type(one).__name__ for one in found] == ["MetadataResponse", "ApiVersionsResponse", "MetadataResponse", "tuple"]
    body, version = found[3]
    assert version == 9
    assert MetadataResponse.decode(body, version).brokers[0].port == port
    loop.call(outbound.close)


@pytest.mark.node
def test_what_the_node_does_not_serve_leaves_the_connection_alone(loop: Loop, barnabas_node: nodes.Node) -> None:
    outbound = connect(loop, "127.0.0.1", int(barnabas_node.bootstrap.rsplit(":", 1)[1]))
    known, failed = [], []
    for answer in answers(loop, lambda take: outbound.ask(VoteRequest(), take), lambda take: outbound.ask(MetadataRequest(topics=[]), take)):
        (failed if isinstance(answer, Failure) else known).append(answer)
    assert len(known) == 1
    assert failed[0].is_unsupported
    loop.call(outbound.close)


def test_nobody_listens(loop: Loop) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ended: list[Failure] = []
        outbound = connect(loop, "127.0.0.1", taken.getsockname()[1], ended)
        (failure,) = answers(loop, lambda take: outbound.ask(MetadataRequest(), take))
        assert isinstance(failure, Failure)  # refused, or closed already since it was refused
        (again,) = answers(loop, lambda take: outbound.ask(MetadataRequest(), take))
        assert isinstance(again, Failure)
        assert [end.is_refused for end in ended] == [True]


def test_the_peer_goes_away_or_talks_nonsense(loop: Loop) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        for says in (b"", b"\0\0\0\2no", b"\0\0\0\4\0\0\0\x63"):
            ended: list[Failure] = []
            outbound = connect(loop, "127.0.0.1", listener.getsockname()[1], ended)
            accepted, _ = listener.accept()
            accepted.recv(100)
            accepted.sendall(says)
            accepted.shutdown(socket.SHUT_WR)
            (failure,) = answers(loop, lambda take, outbound=outbound: outbound.ask(MetadataRequest(), take))
            assert isinstance(failure, Failure)
            assert not failure.is_refused
            assert outbound.is_closed
            accepted.close()


def test_closed_tells_nobody(loop: Loop) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ended: list[Failure] = []
        outbound = connect(loop, "127.0.0.1", listener.getsockname()[1], ended)
        loop.call(outbound.ask, MetadataRequest(), ended.append)
        accepted, _ = listener.accept()
        assert accepted.recv(100)
        done = threading.Event()
        loop.call(outbound.close)
        loop.call(done.set)
        assert done.wait(5)
        assert accepted.recv(1) == b""
        accepted.close()
        assert not ended
