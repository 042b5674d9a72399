"""`barnabas up`, `status`, `down` with a real node; kafka-server-start and kafka-server-stop on the same directory."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.cli.home import Home
from barnabas.cli.up import lists_broker
from tests.nodes import free_port, hold

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.node
SCRIPTS = Path(sys.executable).parent
APACHES = re.compile(r".*-[0-2]|.*-delete|.*checkpoint.*|meta\.properties|\.lock|\.kafka_cleanshutdown")


def barnabas(home: Path, *words: str, status: int = 0) -> str:
    done = subprocess.run([SCRIPTS / "barnabas", *words, "--dir", str(home)], capture_output=True, text=True, timeout=90)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def outcome(home: Path, *words: str, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(barnabas(home, *words, "--json", status=status))
    return found


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    if (tmp_path / "data").exists():
        barnabas(tmp_path / "data", "down")


def kafka(tool: str, *words: str, stdin: str = "") -> str:
    done = subprocess.run([SCRIPTS / tool, *words], input=stdin, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_up_and_down_and_up_again(home: Path) -> None:
    first = outcome(home, "up", "--port", str(free_port()))
    assert (first["created"], first["formatted"]) == (True, True)
    server = ("--bootstrap-server", first["address"])
    kafka("kafka-topics", *server, "--create", "--topic", "kept", "--partitions", "3")
    kafka("kafka-console-producer.sh", *server, "--topic", "kept", stdin="a record\n")
    assert "already runs" in barnabas(home, "up")
    seen = outcome(home, "status")
    assert (seen["serving"], seen["topics"], seen["partitions"], seen["pid"]) == (True, 1, 3, first["pid"])
    assert "serving" in barnabas(home, "status")
    assert sorted(os.listdir(home)) == ["log", "node.out", "node.pid", "server.properties"]
    stopped = outcome(home, "down")
    assert stopped["stopped"]
    assert outcome(home, "status", status=3) == {"running": False, "directory": str(home)}
    assert not (home / "node.pid").exists()
    assert [name for name in os.listdir(home / "log") if not APACHES.fullmatch(name)] == [], "nothing of ours lies in the log directory"
    again = outcome(home, "up")
    assert (again["address"], again["created"], again["formatted"]) == (first["address"], False, False)
    assert kafka("kafka-console-consumer", *server, "--topic", "kept", "--from-beginning", "--max-messages", "1") == "a record\n"


def test_up_waits_for_the_end_of_a_node_that_doesnt_serve(home: Path) -> None:
    first = outcome(home, "up", "--port", str(free_port()))
    hold(first["pid"])
    command = [SCRIPTS / "barnabas", "up", "--json", "--dir", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starting:
        time.sleep(0.5)
        os.kill(first["pid"], signal.SIGKILL)
        again = json.loads(starting.communicate(timeout=60)[0])
    assert (again["address"], again["created"], again["formatted"]) == (first["address"], False, False)
    assert again["pid"] != first["pid"]


def test_a_taken_port_is_said_with_what_to_do(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Something already listens on port {port}" in barnabas(home, "up", "--port", str(port), status=1)
        Home(str(home)).create(port, free_port())
        with (home / "server.properties").open("a") as file:
            file.write("num.partitions=3\n")
        assert "is taken by another process" in barnabas(home, "up", status=1)


def test_an_unedited_home_leaves_a_port_that_is_taken_by_now(home: Path) -> None:
    before = outcome(home, "up", "--port", str(free_port()))["address"]
    kafka("kafka-topics", "--bootstrap-server", before, "--create", "--topic", "kept")
    barnabas(home, "down")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", int(before.rpartition(":")[2])))
        taken.listen()
        after = outcome(home, "up")["address"]
    assert after != before
    assert kafka("kafka-topics", "--bootstrap-server", after, "--list") == "kept\n"


def test_a_node_that_cant_start_says_why(home: Path) -> None:
    made = Home(str(home))
    made.create(free_port(), free_port())
    with open(made.properties_path, "a") as file:
        file.write("broker.session.timeout.ms=nonsense\n")
    assert "broker.session.timeout.ms" in barnabas(home, "up", status=1)


def test_server_start_and_stop(home: Path) -> None:
    """A daemon with its id overridden, found by that id alone."""
    made = Home(str(home))
    made.create(free_port(), free_port())
    kafka("kafka-storage", "format", "--standalone", "-t", "4L6g3nShT-eMCtK-X86ZQw", "-c", made.properties_path)
    environment = {**os.environ, "LOG_DIR": str(home / "logs")}
    start = [SCRIPTS / "kafka-server-start.sh", "-daemon", made.properties_path, "--override", "num.io.threads=3"]
    subprocess.run(start, check=True, timeout=30, env=environment, cwd=home)
    host, port = made.address(made.settings())
    try:
        deadline = time.monotonic() + 30
        while not lists_broker(host, port):
            assert time.monotonic() < deadline, (home / "logs" / "kafkaServer.out").read_text()
            time.sleep(0.02)
        from barnabas.cli.kafka.server_stop import running_nodes

        node = next(node for node in running_nodes() if node.properties == made.properties_path)
        assert (node.node_id, node.settings["num.io.threads"]) == ("1", "3")
        nobody = subprocess.run([SCRIPTS / "kafka-server-stop", "--node-id=424242"], capture_output=True, text=True, timeout=30)
        assert (nobody.returncode, nobody.stdout) == (1, "No kafka server to stop\n")
    finally:
        for node in running_nodes():
            if node.properties == made.properties_path:
                os.kill(node.pid, 15)
    deadline = time.monotonic() + 30
    while any(node.properties == made.properties_path for node in running_nodes()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("tool", ["kafka-server-start", "kafka-server-start.sh"])
def test_server_start_without_a_file(tool: str) -> None:
    done = subprocess.run([SCRIPTS / tool], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stdout.startswith(f"USAGE: {tool} [-daemon] server.properties [--override property=value]*")
    missing = subprocess.run([SCRIPTS / tool, "missing.properties"], capture_output=True, text=True, timeout=30)
    assert (missing.returncode, "missing.properties" in missing.stderr) == (1, True)


@pytest.mark.alone
def test_a_command_answers_at_once() -> None:
    """What a user waits for: the whole process, not the work in it."""
    for _ in range(20):  # a busy machine may hold it up, but not each time
        began = time.monotonic()
        kafka("kafka-topics", "--version")
        if time.monotonic() - began < 0.3:
            return
    pytest.fail("none of 20 took less than 0.3 s")


def test_ctrl_c_sends_what_was_typed_and_ends_at_once(home: Path) -> None:
    server = ("--bootstrap-server", outcome(home, "up", "--port", str(free_port()))["address"])
    kafka("kafka-topics", *server, "--create", "--topic", "typed")
    with subprocess.Popen([SCRIPTS / "kafka-console-producer", *server, "--topic", "typed"], stdin=subprocess.PIPE) as producer:
        assert producer.stdin is not None
        producer.stdin.write(b"typed\n")
        producer.stdin.flush()
        while fcntl.ioctl(producer.stdin, termios.FIONREAD, bytes(4)) != bytes(4):  # until it has read the line
            time.sleep(0.01)
        time.sleep(0.5)
        producer.send_signal(signal.SIGINT)
        assert producer.wait(25) == 130
    with open(home / "lines", "w+b") as file:
        file.write(b"from a file\n")
        file.seek(0)
        subprocess.run([SCRIPTS / "kafka-console-producer", *server, "--topic", "typed"], stdin=file, check=True, timeout=30)
    read = kafka("kafka-console-consumer", *server, "--topic", "typed", "--from-beginning", "--max-messages", "2")
    assert sorted(read.splitlines()) == ["from a file", "typed"]
