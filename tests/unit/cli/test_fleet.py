"""Several nodes on one machine: their places and files, and `barnabas up --nodes`, `status`, `restart`, `down` with real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.cli.fleet import Fleet, Place, format_members, plan
from barnabas.cli.home import Home, HomeError
from barnabas.cli.main import main
from barnabas.storage.meta_properties import read_meta_properties
from tests.nodes import hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCRIPTS = Path(sys.executable).parent
PATIENCE_S = 60.0


def roles(places: list[Place]) -> list[str]:
    return ["+".join(["broker"] * place.is_broker + ["controller"] * place.is_controller) for place in places]


@pytest.mark.parametrize(
    ("brokers", "kind", "expected"),
    [
        (1, "combined", ["broker+controller"]),
        (2, "combined", ["broker+controller", "broker"]),
        (3, "combined", ["broker+controller"] * 3),
        (5, "combined", ["broker+controller"] * 3 + ["broker"] * 2),
        (1, "separate", ["broker", "controller"]),
        (3, "separate", ["broker"] * 3 + ["controller"] * 3),
    ],
)
def test_roles(brokers: int, kind: str, expected: list[str]) -> None:
    assert roles(plan(brokers, kind, None)) == expected


def test_places() -> None:
    places = plan(4, "separate", None)
    assert [place.node_id for place in places] == [1, 2, 3, 4, 5, 6, 7]
    assert [place.rack for place in places] == ["a", "b", "c", "a", "", "", ""]
    ports = [port for place in places for port in (place.port, place.controller_port)]
    assert len(set(ports)) == len(ports)


def test_files(tmp_path: Path) -> None:
    fleet = Fleet(str(tmp_path))
    assert not fleet.exists()
    members = fleet.create(3, "combined", None)
    assert fleet.exists()
    second = members[1]
    expected = {
        "process.roles": "broker,controller",
        "node.id": "2",
        "broker.rack": "b",
        "default.replication.factor": "3",
        "min.insync.replicas": "2",
        "offsets.topic.replication.factor": "3",
        "controller.quorum.bootstrap.servers": ",".join(f"127.0.0.1:{member.controller_port}" for member in members),
    }
    assert {key: second.settings[key] for key in expected} == expected
    text = (tmp_path / "node-2" / "server.properties").read_text()
    assert "\\" not in text
    assert "One node" not in text


def test_formatting(tmp_path: Path) -> None:
    members = Fleet(str(tmp_path)).create(3, "combined", None)
    cluster_id = format_members(members)
    assert cluster_id is not None
    found = [read_meta_properties(os.path.join(member.home.directory, "log")) for member in members]
    assert [(each.cluster_id, each.node_id) for each in found if each] == [(cluster_id, 1), (cluster_id, 2), (cluster_id, 3)]
    assert format_members(members) is None
    (tmp_path / "node-3" / "log" / "meta.properties").unlink()
    with pytest.raises(HomeError, match=r"Node 3 isn't formatted.*kafka-storage format -t CLUSTER_ID -c \S+ --no-initial-controllers"):
        format_members(members)


def test_one_node_stays_one_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Home(str(tmp_path)).create(19092, 19093)
    assert main(["up", "--nodes", "3", "--dir", str(tmp_path)]) == 1
    assert "holds a cluster of one node" in capsys.readouterr().err


def test_numbers_of_nodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in ("0", "31", "x"):
        with pytest.raises(SystemExit):
            main(["up", "--nodes", number, "--dir", str(tmp_path)])
        assert "isn't a number from 1 to 30" in capsys.readouterr().err


def test_nothing_to_restart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restart", "--dir", str(tmp_path)]) == 3
    assert "No node runs" in capsys.readouterr().out


# --- with real nodes


def barnabas(directory: Path, *words: str, status: int = 0) -> str:
    done = subprocess.run([SCRIPTS / "barnabas", *words, "--dir", str(directory)], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def outcome(directory: Path, *words: str, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(barnabas(directory, *words, "--json", status=status))
    return found


def status_when(directory: Path, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What `status` says once all is well and this holds: a node may answer late, or hear of something late."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        done = subprocess.run([SCRIPTS / "barnabas", "status", "--json", "--dir", str(directory)], capture_output=True, text=True, timeout=120)
        if done.returncode == 0:
            seen: dict[str, Any] = json.loads(done.stdout)
            if holds(seen):
                return seen
        assert time.monotonic() < deadline, done.stdout + done.stderr


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for file in tmp_path.glob("node-*/node.pid"):
        pid = Home(str(file.parent)).pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.node
def test_the_life_of_three(directory: Path) -> None:
    for member in Fleet(str(directory)).create(3, "combined", None):
        with open(member.home.properties_path, "a") as file:
            file.write("broker.session.timeout.ms=30000\n")  # one that hangs, and others on a busy machine, aren't fenced meanwhile
    first = outcome(directory, "up", "--nodes", "3")
    assert set(first["proof"]) == {"batch_s", "stop_s", "batch_without_s", "back_s"}
    bootstrap = first["bootstrap"]
    made = [str(SCRIPTS / "kafka-topics"), "--bootstrap-server", bootstrap, "--create", "--topic", "kept", "--partitions", "6"]
    assert subprocess.run(made, capture_output=True, timeout=60).returncode == 0

    seen = status_when(directory, lambda seen: seen.get("partitions") == 6)
    assert [node["state"] for node in seen["nodes"]] == ["serves"] * 3
    assert [node["rack"] for node in seen["nodes"]] == ["a", "b", "c"]
    assert [node["replicas"] for node in seen["nodes"]] == [6, 6, 6]
    assert sum(node["leads"] for node in seen["nodes"]) == seen["partitions"] == 6
    assert seen["under_replicated"] == []
    assert set(seen["quorum"]["voters"]) == {"1", "2", "3"}

    pids = {node["node_id"]: node["pid"] for node in seen["nodes"]}
    restarted = outcome(directory, "restart")["restarted"]
    assert sorted(restarted) == [1, 2, 3]
    assert restarted[-1] == seen["quorum"]["leader_id"]
    again = status_when(directory, lambda seen: [node["leads"] for node in seen["nodes"]] == [2, 2, 2])
    assert all(node["pid"] != pids[node["node_id"]] for node in again["nodes"])

    hung = next(node for node in again["nodes"] if node["node_id"] != again["quorum"]["leader_id"])
    hold(hung["pid"])
    try:
        assert [node["state"] for node in outcome(directory, "status", status=1)["nodes"] if node["pid"] == hung["pid"]] == ["doesn't answer"]
        assert f"node {hung['node_id']} runs and doesn't answer" in barnabas(directory, "restart", status=1)
    finally:
        os.kill(hung["pid"], signal.SIGCONT)
    status_when(directory, lambda seen: True)

    killed = next(node for node in again["nodes"] if node["node_id"] != again["quorum"]["leader_id"])
    os.kill(killed["pid"], signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while len(outcome(directory, "status", status=1).get("under_replicated", [])) < 6:
        assert time.monotonic() < deadline
    said = barnabas(directory, "status", status=1)
    assert f"Node {killed['node_id']} died; nobody restarted it." in said
    assert "not all is well" in said
    assert f"Node {killed['node_id']} doesn't run" in barnabas(directory, "restart", status=1)
    assert f"Node {killed['node_id']} had died." in barnabas(directory, "up")
    assert "run already" in barnabas(directory, "up")

    assert sorted(outcome(directory, "down")["nodes"]) == [1, 2, 3]
    assert barnabas(directory, "status", status=3).startswith("stopped")
