"""Which fetcher follows for a partition, while their number changes: one at most, whatever the threads' turns."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from barnabas.node.config.node_config import read_node_config
from barnabas.node.console_log import ConsoleLog
from barnabas.node.network import Network
from barnabas.node.partition import Partition
from barnabas.node.replication.fetchers import Fetchers
from barnabas.node.router import Router
from barnabas.node.server import Node
from barnabas.storage.log_config import LogConfig
from barnabas.wire.records.validation import AppendRules
from tests.logs import Replica
from tests.nodes import combined_properties, write_properties

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from barnabas.node.loop import Loop

LEADER, INDEX = 2, 3  # with one, two and four fetchers the partition is the first's, the second's, the fourth's
WAIT_S = 30


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    config = read_node_config(str(write_properties(tmp_path / "server.properties", combined_properties(tmp_path))))
    made = Node(config, "c", lambda status: None, ConsoleLog("x"))
    made.network = Network(made, Router())
    made.fetchers = Fetchers(made)
    made.network.start()
    made.fetchers.start()
    yield made
    made.network.stop()


@pytest.fixture
def partition(tmp_path: Path) -> Partition:
    (tmp_path / "t-3").mkdir()
    replica = Replica(tmp_path / "t-3", LogConfig(segment_bytes=1 << 20))
    made = Partition("t", INDEX, bytes(16), replica.log, replica.producers, replica.epochs, AppendRules(), bytes(16), lambda partition, error: None)
    made.follow(5)
    return made


class Held:
    """A loop that gets nothing done until it is let go."""

    def __init__(self, loop: Loop) -> None:
        self._go = threading.Event()
        loop.call(self._go.wait, WAIT_S)

    def let_go(self) -> None:
        self._go.set()


def drain(loop: Loop) -> None:
    """Until it has done what it was told before."""
    done = threading.Event()
    loop.call(done.set)
    assert done.wait(WAIT_S)


def fetchers(node: Node, count: int) -> None:
    node.config = node.static_config.reconfigured({"num.replica.fetchers": str(count)}, {})
    node.fetchers.reconfigured()


def who_follows(node: Node, partition: Partition) -> list[int]:
    """The numbers of the fetchers that have it."""
    found = node.fetchers._fetchers.items()
    return [number for (_, number), (_, fetcher) in found if (partition.topic_id, partition.index) in fetcher._followed]


def test_twice_while_the_first_is_busy(node: Node, partition: Partition) -> None:
    first, second = node.network.threads[:2]
    node.fetchers.follow(partition, LEADER, 5)
    drain(first)
    assert who_follows(node, partition) == [0]
    held = Held(first)
    fetchers(node, 2)
    fetchers(node, 4)
    drain(second)
    drain(second)  # what the first turn handed on
    assert who_follows(node, partition) == [0], "nobody has it before the first fetcher has let it go"
    held.let_go()
    drain(first)
    drain(second)
    assert who_follows(node, partition) == [3]


def test_back_while_the_first_is_busy(node: Node, partition: Partition) -> None:
    first, second = node.network.threads[:2]
    node.fetchers.follow(partition, LEADER, 5)
    held = Held(first)
    fetchers(node, 2)
    fetchers(node, 1)
    drain(second)
    held.let_go()
    drain(first)
    drain(first)
    assert who_follows(node, partition) == [0]


def test_a_leader_that_changes_meanwhile(node: Node, partition: Partition) -> None:
    """Whoever had it to hand over hands nothing over any more."""
    first, second = node.network.threads[:2]
    node.fetchers.follow(partition, LEADER, 5)
    drain(first)
    held = Held(first)
    fetchers(node, 2)
    node.fetchers.leave(partition)
    held.let_go()
    drain(first)
    drain(second)
    assert who_follows(node, partition) == []
    node.fetchers.follow(partition, LEADER, 6)
    drain(second)
    assert who_follows(node, partition) == [1]
