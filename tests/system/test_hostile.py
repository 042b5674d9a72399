"""Clients that mean harm, or are broken, on raw sockets: what they do costs them their connection, the others nothing. W8-W12, W15."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import struct
import time
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.messages.api_versions import ApiVersionsRequest
from barnabas.wire.messages.join_group import JoinGroupRequest
from barnabas.wire.messages.metadata import MetadataRequest
from tests.conftest import SUBJECT, factory
from tests.differential.transcript import Client, Closed
from tests.nodes import free_port
from tests.system.hostile import is_asleep, resident_bytes
from tests.system.requests import create_topics, fetch, frame, produce, put, read_all, records
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import NodeFactory
    from tests.nodes import Node

    Connect = Callable[[Node], Client]

pytestmark = pytest.mark.node

ALL_TOPICS = frame(MetadataRequest(topics=None), 12)
NO_TOPICS = frame(MetadataRequest(topics=[]), 12)


def descriptors(node: Node) -> int:
    return len(os.listdir(f"/proc/{node.pid}/fd"))


def open_sockets(node: Node) -> int:
    found = 0
    for name in os.listdir(f"/proc/{node.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(f"/proc/{node.pid}/fd/{name}").startswith("socket:")
    return found


def silent(node: Node) -> None:
    """The node raised nothing, and serves."""
    assert "Traceback" not in node.tail(1 << 20)
    client = Client(node.port)
    assert client.call(MetadataRequest(topics=[]), 12).brokers
    client.close()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients that are closed when the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda node: stack.enter_context(contextlib.closing(Client(node.port)))


@contextlib.contextmanager
def connections(node: Node, count: int) -> Iterator[list[socket.socket]]:
    made = [socket.create_connection(("127.0.0.1", node.port), timeout=10) for _ in range(count)]
    try:
        yield made
    finally:
        for one in made:
            one.close()


@pytest.fixture(scope="module")
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """For all who need no settings; each has topics and groups of its own."""
    for make in factory(SUBJECT, request):
        yield make()


def test_shortcut_with_a_broken_length(node: Node, connect: Connect) -> None:
    """A producer's second request starts as its first did, and goes on as none should."""
    create_topics(node.port, "shortcut")
    data = records(b"x")
    sound = frame(produce("shortcut", 0, data), 9)
    place = sound.index(data) - 1
    for broken in (b"\xff" * 6, b"\x00", b"\x01", b"\x80" * 4, b"\xff\xff\xff\xff\x0f"):
        client = connect(node)
        client.send(sound)
        client.read_frame()
        damaged = sound[4:place] + broken + sound[place + 1 :]
        client.send(struct.pack(">i", len(damaged)) + damaged)
        with contextlib.suppress(Closed):
            client.read_frame()
        client.close()
    silent(node)
    client = connect(node)
    assert all(value == b"x" for value in read_all(client, "shortcut", 0).values())


def test_one_byte_at_a_time(node: Node, connect: Connect) -> None:
    create_topics(node.port, "bytes")
    client = connect(node)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in frame(produce("bytes", 0, records(b"a", b"b")), 9, 5) + frame(MetadataRequest(topics=[]), 12, 6):
        client.send(bytes((byte,)))
    assert [client.read_frame()[:4] for _ in range(2)] == [b"\0\0\0\5", b"\0\0\0\6"]
    assert read_all(client, "bytes", 0) == {0: b"a", 1: b"b"}


def test_claims_are_not_allocated(node: Node) -> None:
    before = resident_bytes(node)
    with connections(node, 100) as claiming:
        for one in claiming:
            one.sendall(struct.pack(">i", 100 << 20) + b"x" * 100)
        silent(node)
        assert resident_bytes(node) - before < 8 << 20


def test_replies_in_order_of_all_kinds(node: Node, connect: Connect) -> None:
    """Produce by the shortcut, fetches that wait, group requests and metadata in one segment (W11)."""
    create_topics(node.port, "ordered", "none-yet")
    join = JoinGroupRequest(group_id="ordered", session_timeout_ms=10_000, rebalance_timeout_ms=10_000, protocol_type="consumer")
    join.protocols = [JoinGroupRequest.Protocol(name="range", metadata=b"")]
    data = records(b"x" * 100)
    requests = []
    for turn in range(40):
        requests += [(produce("ordered", 0, data), 9)] * 3 + [(fetch("ordered", 0, turn), 12), (join, 2), (MetadataRequest(topics=None), 12)]
        if turn % 10 == 0:
            requests.append((fetch("none-yet", 0, 0, wait_ms=30), 12))
        if turn % 7 == 0:
            requests.append((produce("ordered", 0, records(b"y" * 40_000)), 9))  # a large one: the connection moves to another thread
        requests.append((ApiVersionsRequest(), 0))
    client = connect(node)
    client.socket.settimeout(20)
    client.send(b"".join(frame(request, version, correlation) for correlation, (request, version) in enumerate(requests)))
    assert [struct.unpack_from(">i", client.read_frame())[0] for _ in requests] == list(range(len(requests)))
    assert sorted(read_all(client, "ordered", 0)) == list(range(40 * 3 + 6))
    silent(node)


def test_who_never_reads_is_not_waited_for(barnabas_nodes: NodeFactory) -> None:
    """Small requests with large replies, thousands in one buffer, none of the replies read: few are kept."""
    node = barnabas_nodes()
    create_topics(node.port, "t", *(f"topic-{number}" for number in range(50)), partitions=10)
    with connections(node, 2) as (small, large):
        large.sendall(
            frame(produce("t", 1, records(b"x" * 900_000)), 9) + frame(fetch("t", 1, 1, wait_ms=300), 12)
        )  # a large buffer, and time to fill it
        before = resident_bytes(node)
        for one in (small, large):
            one.setblocking(False)
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            for one in (small, large):
                with contextlib.suppress(BlockingIOError):
                    one.send(ALL_TOPICS * 5000)
            time.sleep(0.01)
        began = time.monotonic()
        silent(node)
        assert time.monotonic() - began < 5
        assert resident_bytes(node) - before < 16 << 20


def test_waiters_of_gone_clients(node: Node, connect: Connect) -> None:
    """Clients that close, or reset, in the middle of a fetch or a join leave nothing behind."""
    create_topics(node.port, "gone")
    before = descriptors(node)
    join = JoinGroupRequest(group_id="gone", session_timeout_ms=6_000, rebalance_timeout_ms=300, protocol_type="consumer")
    join.protocols = [JoinGroupRequest.Protocol(name="range", metadata=b"")]
    with connections(node, 60) as waiting:
        for number, one in enumerate(waiting):
            one.sendall(frame(join, 2) if number % 3 == 0 else frame(fetch("gone", 0, 0, wait_ms=400), 12))
            if number % 2:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.1)
    client = connect(node)
    assert put(client, "gone", 0, records(b"x")).error_code == 0
    client.close()
    wait_until(lambda: descriptors(node) <= before + 8)  # __consumer_offsets has four logs
    silent(node)


def test_two_thousand_idle_connections(barnabas_nodes: NodeFactory, connect: Connect) -> None:
    node = barnabas_nodes()
    create_topics(node.port, "t")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip("too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    time.sleep(2)  # what a node imports in its first second isn't the connections'
    wait_until(lambda: is_asleep(node))
    before = resident_bytes(node)
    with connections(node, 2000) as idle:
        began = time.monotonic()
        for one in idle:
            one.sendall(NO_TOPICS)
        for one in idle:
            assert one.recv(4096)
        assert time.monotonic() - began < 5
        assert resident_bytes(node) - before < 2000 / 5000 * 40 * (1 << 20)
        for one in idle:
            one.sendall(frame(fetch("t", 0, 0, wait_ms=30_000), 12))
        client = connect(node)
        began = time.monotonic()
        assert put(client, "t", 0, records(b"x")).error_code == 0
        for one in idle:
            assert one.recv(4096)
        assert time.monotonic() - began < 5
    wait_until(lambda: descriptors(node) < 100)
    silent(node)


def test_descriptors_run_out(barnabas_nodes: NodeFactory, connect: Connect) -> None:
    """Clients don't get the last descriptors: logs need them."""
    node = barnabas_nodes(start=False)
    node.engine = node.engine._replace(start_command=lambda properties: ["prlimit", "--nofile=256:256", *SUBJECT.start_command(properties)])
    node.start()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096) if hard > 0 else 4096), hard))
    create_topics(node.port, "t")
    client = connect(node)
    with connections(node, 300):
        time.sleep(0.3)
        assert put(client, "t", 0, records(b"x")).error_code == 0
        assert descriptors(node) < 256
    wait_until(lambda: descriptors(node) < 100)
    create_topics(node.port, "t2", partitions=10)
    assert put(client, "t2", 9, records(b"x")).error_code == 0
    assert node.tail().count("Cannot accept") == 1, "told once, not ten times a second"
    assert node.stop() == 0


def test_limits_of_connections(barnabas_nodes: NodeFactory) -> None:
    """W12: over max.connections.per.ip, or an override of it, closed after the accept."""
    node = barnabas_nodes({"max.connections.per.ip": "3", "max.connections.per.ip.overrides": "127.0.0.2:1", "connections.max.idle.ms": "1000"})

    def served(count: int, source: str) -> int:
        found = 0
        made = [socket.create_connection(("127.0.0.1", node.port), timeout=5, source_address=(source, 0)) for _ in range(count)]
        for one in made:
            with contextlib.suppress(ConnectionError):
                one.sendall(NO_TOPICS)
                found += bool(one.recv(4096))
        for one in made:
            one.close()
        return found

    wait_until(lambda: served(5, "127.0.0.2") == 1)
    wait_until(lambda: served(5, "127.0.0.1") == 3)
    wait_until(lambda: served(3, "127.0.0.1") == 3)  # those that ended are counted out
    wait_until(lambda: open_sockets(node) == 2)
    began = time.monotonic()
    with connections(node, 1) as (idle,):
        assert idle.recv(1) == b""
        assert 0.9 < time.monotonic() - began < 10


def test_listeners_share_the_places(barnabas_nodes: NodeFactory) -> None:
    """Clients wait on two listeners for places that max.connections leaves free: those of one listener don't get them all."""
    ports = {name: free_port() for name in ("PLAINTEXT", "CONTROLLER", "ONE", "TWO")}
    listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())
    node = barnabas_nodes(
        {
            "listeners": listeners,
            "advertised.listeners": listeners,
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{ports['CONTROLLER']}",
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in ports),
            "max.connections": "2",
        }
    )
    wait_until(lambda: open_sockets(node) == 4)  # the listeners
    with contextlib.ExitStack() as stack:

        def connect(name: str) -> socket.socket:
            one = stack.enter_context(socket.create_connection(("127.0.0.1", ports[name]), timeout=10))
            one.sendall(NO_TOPICS)
            return one

        served = [connect("ONE") for _ in range(2)]
        assert all(one.recv(4096) for one in served)
        waiting = {connect(name): name for name in ("ONE", "TWO") * 8}
        turns = []
        for _ in range(6):
            served.pop(0).close()
            answered = select.select(list(waiting), [], [], 10)[0]
            turns.append(waiting.pop(answered[0]))
            served.append(answered[0])
        assert {"ONE", "TWO"} == set(turns)
        assert min(turns.count(name) for name in ("ONE", "TWO")) >= 2
        next(iter(waiting)).close()  # who gives up while it waits takes no place for long
        served.pop(0).close()
        wait_until(lambda: select.select(list(waiting)[1:], [], [], 0)[0])
    silent(node)


def test_who_never_reads_is_idle(barnabas_nodes: NodeFactory) -> None:
    node = barnabas_nodes({"connections.max.idle.ms": "2000"})
    create_topics(node.port, *(f"topic-{number}" for number in range(50)), partitions=10)
    wait_until(lambda: open_sockets(node) == 2)  # the listeners
    with connections(node, 1) as (one,):
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                one.send(ALL_TOPICS * 1000)
        ends = select.poll()
        ends.register(one, 0)
        assert ends.poll(25_000), "the node hangs up"
        wait_until(lambda: open_sockets(node) == 2)
    silent(node)


def test_unregistered_while_it_runs(barnabas_nodes: NodeFactory, connect: Connect) -> None:
    """A node that was unregistered has nobody to hand its partitions to: it stops at once all the same."""
    from barnabas.wire.messages.unregister_broker import UnregisterBrokerRequest

    node = barnabas_nodes()
    client = connect(node)
    assert client.call(UnregisterBrokerRequest(broker_id=1), 0).error_code == 0
    began = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - began < 5
    node.start()
    silent(node)
