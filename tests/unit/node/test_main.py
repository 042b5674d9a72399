"""The node's process: any of its threads may take a signal."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.nodes import Node

pytestmark = pytest.mark.node


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_another_thread_takes_stops_the_node(barnabas_nodes: Callable[[], Node], number: signal.Signals) -> None:
    node = barnabas_nodes()
    assert node.process is not None
    threads = sorted(int(entry.name) for entry in Path(f"/proc/{node.pid}/task").iterdir() if int(entry.name) != node.pid)
    assert threads
    os.kill(threads[0], number)  # Linux gives it to that thread first; the oldest stay as long as the node
    assert node.process.wait(30) == 0
    assert "shut down completed" in node.tail()


def test_a_node_that_just_goes_on_again_stops(barnabas_nodes: Callable[[], Node]) -> None:
    node = barnabas_nodes()
    for _ in range(20):
        os.kill(node.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, node.pid, os.WSTOPPED | os.WNOWAIT)
        os.kill(node.pid, signal.SIGCONT)
    os.kill(node.pid, signal.SIGTERM)
    assert node.stop(30) == 0
