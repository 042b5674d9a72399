"""Requests that come faster than they are served: each is written as it was sent."""

from __future__ import annotations

import random
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest
from barnabas.wire.messages.heartbeat import HeartbeatRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from tests.differential.transcript import Client
from tests.system.requests import create_topics, frame, produce, put, read_all, records
from tests.system.waiting import wait_until

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


def test_a_groups_requests_among_others(barnabas_node: Node) -> None:
    """Commits, heartbeats and records in one go on one connection: it changes threads meanwhile, and answers come in order all the same."""
    create_topics(barnabas_node.port, "mixed")
    topic = OffsetCommitRequest.Topic
    with closing(Client(barnabas_node.port)) as client:
        client.socket.settimeout(30)
        wait_until(lambda: client.call(FindCoordinatorRequest(key="mixed"), 3).error_code == 0)
        wait_until(lambda: client.call(OffsetFetchRequest(group_id="mixed"), 5).error_code == 0)
    with closing(Client(barnabas_node.port)) as client:
        client.socket.settimeout(30)
        requests = []
        for number in range(0, 300, 3):
            offsets = topic(name="mixed", partitions=[topic.Partition(partition_index=0, committed_offset=number)])
            requests += [
                frame(OffsetCommitRequest(group_id="mixed", topics=[offsets]), 8, number),
                frame(produce("mixed", 0, records(b"%d" % number), acks=1), 9, number + 1),
                frame(HeartbeatRequest(group_id="nobody", generation_id=1, member_id="m"), 4, number + 2),
            ]
        sender = threading.Thread(target=client.socket.sendall, args=(b"".join(requests),))
        sender.start()
        assert [int.from_bytes(client.read_frame()[:4], "big") for _ in requests] == list(range(300))
        sender.join()
        assert len(read_all(client, "mixed", 0)) == 100
        group = OffsetFetchRequest.Group(group_id="mixed", topics=None)
        (fetched,) = client.call(OffsetFetchRequest(groups=[group]), 8).groups
        assert fetched.topics[0].partitions[0].committed_offset == 297
