"""The same as the short test of this name, longer, from a seed of the day: a failure names it. And bytes that are nothing at all."""

from __future__ import annotations

import socket
import struct
import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.apis import BROKER, CONTROLLER
from tests.soak.sizes import INPUTS
from tests.system.hostile import MOST_RESIDENT, fuzz, resident_bytes
from tests.system.requests import create_topics, put, records

if TYPE_CHECKING:
    from tests.conftest import NodeFactory

from tests.differential.transcript import Client

QUICK = {"group.min.session.timeout.ms": "1"}
_AT_A_TIME = 50


@pytest.mark.node
@pytest.mark.slow
@pytest.mark.parametrize(
    ("damaged", "listener", "share"), [(False, BROKER, 0.4), (True, BROKER, 0.4), (False, CONTROLLER, 0.1)], ids=["whole", "damaged", "controller"]
)
def test_long_fuzz(barnabas_nodes: NodeFactory, damaged: bool, listener: int, share: float) -> None:
    seed, count = time.time_ns(), int(INPUTS * share)
    fuzz(barnabas_nodes(QUICK), seed=seed, count=count, damaged=damaged, listener=listener)
    print(f"{count} requests, seed {seed}")


@pytest.mark.node
@pytest.mark.slow
def test_raw_bytes(barnabas_nodes: NodeFactory) -> None:
    """Any bytes, behind a size that fits them or not; the rest of a connection is whatever comes."""
    node, seed, count = barnabas_nodes(QUICK), time.time_ns(), int(INPUTS * 0.1)
    random = Random(seed)
    create_topics(node.port, "t")
    for _ in range(count // _AT_A_TIME):
        made = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(_AT_A_TIME)]
        for one in made:
            body = random.randbytes(random.choice((0, 1, 3, 8, 12, 40, 200, 5000)))
            if random.random() < 0.7:
                body = struct.pack(">hhih", random.randrange(-1, 95), random.randrange(-1, 20), 0, random.choice((-1, 0, 2))) + body
            size = len(body) if random.random() < 0.8 else random.choice((-(2**31), -1, 0, 7, len(body) + 1, 100 << 20, 2**31 - 1))
            one.sendall(struct.pack(">i", size) + body)
        for one in made:
            one.close()
    assert "Traceback" not in node.tail(1 << 20), f"seed {seed}"
    client = Client(node.port)
    assert put(client, "t", 0, records(b"sound")).error_code == 0, f"seed {seed}"
    client.close()
    assert resident_bytes(node) < MOST_RESIDENT
    assert node.stop() == 0
    print(f"{count} connections with raw bytes, seed {seed}")
