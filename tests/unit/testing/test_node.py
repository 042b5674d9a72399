"""A node for tests: what it promises to those who use it without pytest."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from barnabas.cli.processes import command_line
from barnabas.testing import Node, NodeFailed, leftovers
from tests.nodes import lists_broker

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.node
DEADLINE_S = 30.0


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while command_line(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.01)


def test_it_serves_on_its_port_and_leaves_nothing() -> None:
    with Node({"num.partitions": 3, "auto.create.topics.enable": False}) as node:
        assert lists_broker(node.host, node.port)
        properties = Path(node.properties_path)
        assert properties.read_text().splitlines()[-2:] == ["num.partitions=3", "auto.create.topics.enable=false"]
        pid, folder = node.pid, properties.parent
        assert (Path(node.log_dir) / "meta.properties").exists()
    assert not command_line(pid)
    assert not folder.exists()
    node.close()
    with pytest.raises(NodeFailed, match="make another"):
        node.start()


def test_it_keeps_port_and_data_over_stops_and_crashes() -> None:
    with Node() as node:
        bootstrap, identity = node.bootstrap, (Path(node.log_dir) / "meta.properties").read_text()
        for end in (node.stop, node.kill):
            pid = node.pid
            end()
            assert not node.running
            assert not lists_broker(node.host, node.port)
            with pytest.raises(NodeFailed, match="isn't running"):
                assert node.pid
            node.start()
            assert node.pid != pid
        assert node.restart().bootstrap == bootstrap
        assert (Path(node.log_dir) / "meta.properties").read_text() == identity
        deadline = time.monotonic() + DEADLINE_S
        while node.output(100).count("Kafka Server started") < 4:  # said a moment after it serves
            assert time.monotonic() < deadline, node.output(100)
            time.sleep(0.01)
        assert [node.output(100).count(words) for words in ("shut down completed", "Kafka Server started")] == [2, 4], node.output(100)


def test_nobody_else_gets_its_port_while_it_is_down() -> None:
    node = Node()
    try:
        ports = set()
        held = []
        for _ in range(2000):
            taker = socket.socket()
            taker.bind(("127.0.0.1", 0))
            held.append(taker)
            ports.add(taker.getsockname()[1])
        assert node.port not in ports
        node.start()
        assert lists_broker(node.host, node.port)
    finally:
        for taker in held:
            taker.close()
        node.close()


def test_a_paused_node_answers_nothing_until_it_goes_on() -> None:
    with Node() as node:
        node.pause()
        assert not lists_broker(node.host, node.port, timeout_s=0.2)
        node.resume()
        assert lists_broker(node.host, node.port, timeout_s=DEADLINE_S)
        node.pause()
        node.stop()


def test_what_it_refuses_is_told() -> None:
    node = Node({"num.partitions": "many"})
    with pytest.raises(NodeFailed, match=r"num\.partitions"):
        node.start()
    node.close()
    with pytest.raises(NodeFailed, match="listeners="):
        Node({"advertised.listeners": "nowhere"})


def test_one_that_ended_by_itself_is_told() -> None:
    node = Node().start()
    os.kill(node.pid, signal.SIGKILL)
    deadline = time.monotonic() + DEADLINE_S
    while node.running:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with pytest.raises(NodeFailed, match="by itself with status -9"):
        node.close()
    assert not Path(node.properties_path).exists()


def test_a_forked_child_doesnt_end_it() -> None:
    with Node() as node:
        child = multiprocessing.get_context("fork").Process(target=node._finish)
        child.start()
        child.join(DEADLINE_S)
        assert child.exitcode == 0
        assert lists_broker(node.host, node.port)


@pytest.fixture
def prefix(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of directories that other sessions, which may begin meanwhile, don't look for."""
    monkeypatch.setattr(leftovers, "PREFIX", f"barnabas-left-{os.getpid()}-")
    yield leftovers.PREFIX
    leftovers.remove(again=True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_session_leaves_is_removed_by_the_next(prefix: str, number: signal.Signals) -> None:
    program = f"from barnabas.testing import Node, leftovers\nleftovers.PREFIX = {prefix!r}\nnode = Node().start()\n"
    program += "print(node.pid, node.properties_path, flush=True)\ninput()\n"
    session = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert session.stdout is not None
    pid, path = session.stdout.readline().split()
    leftovers.remove(again=True)
    assert command_line(int(pid)), "its session lives"
    session.send_signal(number)
    session.communicate(timeout=DEADLINE_S)
    assert command_line(int(pid)), "nobody has removed it yet"
    leftovers.remove(again=True)
    wait_until_gone(int(pid))
    assert not Path(path).exists()


def test_one_that_is_forgotten_ends_with_its_program() -> None:
    program = "from barnabas.testing import Node\nnode = Node().start()\nprint(node.pid, node.properties_path)\n"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60)
    pid, path = done.stdout.split()
    assert done.stderr == ""
    wait_until_gone(int(pid))
    assert not Path(path).exists()


def test_it_needs_no_packages_of_development() -> None:
    """Only what a node needs itself, and pytest where pytest loads the plugin."""
    program = "import sys\nbefore = set(sys.modules)\nimport barnabas.testing.plugin, barnabas.testing.node, barnabas.cli.kafka.storage\n"
    program += "print(*{name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    allowed = {"barnabas", "crc32c", "cramjam", "pytest", "_pytest", "pluggy", "iniconfig", "packaging", "py", "pygments", "typing_extensions"}
    assert set(done.stdout.split()) <= allowed
    light = "import sys, pytest\nimport barnabas.testing.plugin\nprint(*[name for name in sys.modules if name.startswith('barnabas.')])"
    done = subprocess.run([sys.executable, "-c", light], capture_output=True, text=True, timeout=60, check=True)
    assert set(done.stdout.split()) == {"barnabas.testing", "barnabas.testing.plugin"}
