"""For as long as told: clients that send a byte now and then, never read what they asked for, or stop in the middle of large requests.
An honest client beside them is served all the while, and what the node keeps of theirs is bounded."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.messages.metadata import MetadataRequest
from tests.differential.transcript import Client
from tests.soak.sizes import SECONDS
from tests.system.hostile import resident_bytes
from tests.system.requests import create_topics, frame, produce, put, read_all, records

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import NodeFactory

MB = 1 << 20
EACH = 60
PATIENCE_S = 10.0
ALL_TOPICS = frame(MetadataRequest(topics=None), 12)


class Fleet:
    """Connections of one kind; those that end are replaced."""

    def __init__(self, port: int, act: Callable[[socket.socket, int], None]) -> None:
        self.port = port
        self.act = act
        self.turns = Counter[int]()
        self.sockets = [self.connect() for _ in range(EACH)]
        self.replaced = 0

    def connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port))
        made.setblocking(False)
        return made

    def turn(self) -> None:
        for index, one in enumerate(self.sockets):
            try:
                with contextlib.suppress(BlockingIOError):
                    self.act(one, self.turns[index])
                self.turns[index] += 1
            except OSError:
                one.close()
                self.sockets[index] = self.connect()
                self.turns[index] = 0
                self.replaced += 1

    def close(self) -> None:
        for one in self.sockets:
            one.close()


@pytest.mark.node
@pytest.mark.slow
def test_slow_clients(barnabas_nodes: NodeFactory) -> None:
    limit = 8 * MB
    node = barnabas_nodes({"socket.request.max.bytes": str(4 * MB), "queued.max.request.bytes": str(limit), "message.max.bytes": str(3 * MB)})
    create_topics(node.port, "t", *(f"topic-{number}" for number in range(50)), partitions=10)
    half = struct.pack(">i", 4 * MB) + bytes(3 * MB)
    sound = frame(produce("t", 1, records(b"x" * 20)), 9)
    fleets = [
        Fleet(node.port, lambda one, turn: _nothing(one.send(sound[turn % len(sound) :][:1]))),  # a byte at a time; whole requests, in the end
        Fleet(node.port, lambda one, turn: _nothing(one.send(ALL_TOPICS * 100))),  # never reads
        Fleet(node.port, lambda one, turn: _nothing(one.send(half if turn < 3 else half[-1:]))),  # halves of large requests, then a trickle
    ]
    until, served, slowest, most = time.monotonic() + SECONDS, 0, 0.0, 0
    values: list[bytes] = []
    try:
        while time.monotonic() < until:
            for fleet in fleets:
                fleet.turn()
            began = time.monotonic()
            client = Client(node.port)
            client.socket.settimeout(PATIENCE_S)
            value = b"%d" % served
            assert put(client, "t", 0, records(value)).error_code == 0
            client.close()
            values.append(value)
            served += 1
            slowest = max(slowest, time.monotonic() - began)
            most = max(most, resident_bytes(node))
            time.sleep(0.05)
    finally:
        for fleet in fleets:
            fleet.close()
    print(f"{served} honest requests, the slowest in {slowest:.3f} s; {[fleet.replaced for fleet in fleets]} connections closed on slow ones")
    print(f"{sum(sum(fleet.turns.values()) for fleet in fleets)} turns of {3 * EACH} slow clients; at most {most // MB} MB resident")
    assert most < 200 * MB
    assert "Traceback" not in node.tail(MB)
    client = Client(node.port)
    assert list(read_all(client, "t", 0).values()) == values
    client.close()
    assert node.stop() == 0


def _nothing(_: object) -> None: ...
