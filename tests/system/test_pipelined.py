"""Requests that come faster than they are served: each is written as it was sent."""

from __future__ import annotations

import random
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.differential.transcript import Client
from tests.system.requests import create_topics, frame, produce, put, read_all, records

if TYPE_CHECKING:
    from tests.nodes import Node

pytestmark = pytest.mark.node

COUNT, SIZES = 3000, (10, 200, 900, 3000)


def test_small_requests_behind_a_large_one(barnabas_node: Node) -> None:
    """The large one makes the connection's buffer large: many small ones come at once then, the last of them in part, and the rest in the same turn."""
    create_topics(barnabas_node.port, "pipelined")
    chooser = random.Random(1)
    values = [b"%d:" % number + bytes([number % 251]) * chooser.choice(SIZES) for number in range(COUNT)]
    with closing(Client(barnabas_node.port)) as client:
        put(client, "pipelined", 0, records(bytes(300_000)))
        client.socket.settimeout(30)
        sent = b"".join(frame(produce("pipelined", 0, records(value), acks=1), 9, number) for number, value in enumerate(values))
        sender = threading.Thread(target=client.socket.sendall, args=(sent,))
        sender.start()
        for _ in values:
            client.read_frame()
        sender.join()
        assert list(read_all(client, "pipelined", 0).values())[1:] == values
