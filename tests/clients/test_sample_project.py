"""The sample project in examples/ as its authors run it: its own pytest, with nothing of ours but the installed plugin."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from barnabas.testing import leftovers

SAMPLE = Path(__file__).parents[2] / "examples" / "pytest-confluent"

pytestmark = pytest.mark.node


def run(*arguments: str, cwd: Path = SAMPLE) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "PYTHONPATH"))}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240)


def test_it_passes() -> None:
    before = set(Path("/dev/shm").glob(f"{leftovers.PREFIX}*"))
    done = run("-q", "-rP")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed" in done.stdout
    assert re.search(r"a node serves after \d\.\d+ s at best", done.stdout)
    assert not [path for path in set(Path("/dev/shm").glob(f"{leftovers.PREFIX}*")) - before if is_orphaned(path)]


def is_orphaned(folder: Path) -> bool:
    """Whether a node's directory is there and nobody's: those of other sessions come and go."""
    try:
        with (folder / leftovers.OWNER).open() as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def test_a_failure_shows_what_the_nodes_printed(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nkafka_properties =\n    num.partitions=7\n    log.retention.hours = 2\n")
    (tmp_path / "test_it.py").write_text(
        """
import os, signal, time, pytest

def test_properties(kafka_properties):
    assert kafka_properties == {"num.partitions": "7", "log.retention.hours": "2"}

@pytest.mark.kafka_properties({"num.partitions": 8})
class TestMarkers:
    @pytest.mark.kafka_properties({"log.retention.hours": 3})
    def test_nearest(self, kafka_nodes):
        text = open(kafka_nodes({"node.id": 5}, start=False).properties_path).read()
        assert all(f"\\n{line}\\n" in text for line in ("num.partitions=8", "log.retention.hours=3", "node.id=5"))

def test_fails(kafka_node):
    while "Kafka Server started" not in kafka_node.output():
        time.sleep(0.01)
    assert kafka_node.port == 1

@pytest.mark.kafka_properties({"num.partitions": "many"})
def test_refused(kafka_node):
    pass

def test_ends_by_itself(kafka_node):
    pid = kafka_node.pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
"""
    )
    done = run("-q", "--strict-markers", cwd=tmp_path)
    assert "2 passed" not in done.stdout
    assert "3 passed, 1 failed" in done.stdout or "1 failed, 3 passed" in done.stdout, done.stdout
    assert "2 errors" in done.stdout
    assert re.search(r"Kafka node 127\.0\.0\.1:\d+ -+\n.*Kafka Server started", done.stdout)
    assert "num.partitions" in done.stdout
    assert "The node ended by itself with status -9." in done.stdout
