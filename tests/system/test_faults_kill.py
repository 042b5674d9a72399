"""Kill -9 while producers without ids write and groups commit: what was acknowledged before it is there after it. The idempotent ones: test_crash.py."""

from __future__ import annotations

import contextlib
import threading
import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.find_coordinator import FindCoordinatorRequest
from barnabas.wire.messages.offset_commit import OffsetCommitRequest
from barnabas.wire.messages.offset_fetch import OffsetFetchRequest
from tests.differential.transcript import Client, Closed
from tests.system.requests import create_topics, put, read_all, records

if TYPE_CHECKING:
    from tests.conftest import NodeFactory
    from tests.nodes import Node

KILLS = 4
GROUPS = 3
LOADING = {Error.NOT_COORDINATOR, Error.COORDINATOR_LOAD_IN_PROGRESS, Error.COORDINATOR_NOT_AVAILABLE}
_LOST = (Closed, OSError)


class Witness:
    """One thread that writes one partition and one that commits for each group, over kills; what they know for sure."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.stop = threading.Event()
        self.written: list[tuple[int, bytes]] = []
        self.committed = [-1] * GROUPS
        self.tried = [-1] * GROUPS
        self.errors: set[int] = set()
        self.threads = [threading.Thread(target=self.write), *(threading.Thread(target=self.commit, args=(group,)) for group in range(GROUPS))]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(10)

    def check(self) -> None:
        """What was acknowledged is there, nothing twice, and groups are where they last committed."""
        assert not self.errors
        for group in range(GROUPS):
            assert self.committed[group] <= self.fetched(group) <= self.tried[group]
        with contextlib.closing(Client(self.node.port)) as client:
            found = read_all(client, "t", 0)
        assert list(found) == list(range(len(found)))
        assert all(found[offset] == value for offset, value in self.written)
        assert len(set(found.values())) == len(found), "something is there twice"
        assert "Traceback" not in self.node.tail(1 << 20)

    def write(self) -> None:
        number = 0
        for client in self.clients():
            with contextlib.suppress(*_LOST):
                while not self.stop.is_set():
                    value = b"%d" % number
                    number += 1
                    row = put(client, "t", 0, records(value))
                    if row.error_code:
                        self.errors.add(row.error_code)
                    else:
                        self.written.append((row.base_offset, value))

    def commit(self, group: int) -> None:
        for client in self.clients():
            with contextlib.suppress(*_LOST):
                while not self.stop.is_set():
                    self.tried[group] += 1
                    place = OffsetCommitRequest.Topic.Partition(partition_index=0, committed_offset=self.tried[group], committed_metadata="")
                    request = OffsetCommitRequest(group_id=f"g{group}", topics=[OffsetCommitRequest.Topic(name="t", partitions=[place])])
                    error = client.call(request, 5).topics[0].partitions[0].error_code
                    if not error:
                        self.committed[group] = self.tried[group]
                    elif error not in LOADING:
                        self.errors.add(error)

    def clients(self):  # type: ignore[no-untyped-def]
        """A client, and another whenever the node has come back."""
        while not self.stop.is_set():
            try:
                client = Client(self.node.port)
            except OSError:
                time.sleep(0.01)
                continue
            with contextlib.closing(client):
                yield client

    def fetched(self, group: int) -> int:
        request = OffsetFetchRequest(group_id=f"g{group}", topics=[OffsetFetchRequest.Topic(name="t", partition_indexes=[0])])
        deadline = time.monotonic() + 10
        with contextlib.closing(Client(self.node.port)) as client:
            while time.monotonic() < deadline:
                response = client.call(request, 5)
                if not response.error_code:
                    found: int = response.topics[0].partitions[0].committed_offset
                    return found
                assert response.error_code in LOADING
                time.sleep(0.01)
        raise TimeoutError("the group isn't loaded")


@pytest.mark.node
def test_kill_with_groups(barnabas_nodes: NodeFactory) -> None:
    node = barnabas_nodes()
    create_topics(node.port, "t")
    with contextlib.closing(Client(node.port)) as client:
        client.call(FindCoordinatorRequest(key_type=0, coordinator_keys=["g0"]), 4)
    witness, random = Witness(node), Random(5)
    witness.start()
    try:
        for _ in range(KILLS):
            before = min(witness.committed)
            while min(witness.committed) < before + 50:
                assert all(thread.is_alive() for thread in witness.threads)
                time.sleep(0.01)
            time.sleep(random.random() * 0.05)
            node.kill()
            node.start()
    finally:
        witness.end()
    witness.check()
