"""Every command row that names a Kafka tool, run by our tool on one real node, all in this process: taken with its effect, or refused with what to type now."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from barnabas.cli.kafka.console import MODULES
from tests.nodes import START_TIMEOUT_S, STOP_TIMEOUT_S, combined_properties, hold, is_stopped, lists_broker, random_uuid_text, write_properties
from tests.seeds import commands, rows
from tests.seeds.commands import Place, run

if TYPE_CHECKING:
    from tests.conftest import NodeFactory
    from tests.nodes import Node
    from tests.seeds.commands import Outcome
    from tests.seeds.rows import Row

STARTS = "kafka-server-start"
WALKED = [row for row in commands.walked() if row.id not in rows.bound()]
MET = [row.id for row in WALKED if row.id not in rows.waiting() and commands.tool_of(row) != STARTS]
pytestmark = [pytest.mark.node, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture
def place(barnabas_node: Node, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    row = rows.rows()[request.node.callspec.params["row_id"]]
    how = commands.expected().get(row.id, {}).get("file")
    properties = combined_properties(tmp_path)
    if how:
        servers = properties.pop("controller.quorum.bootstrap.servers")
        properties["controller.quorum.voters"] = f"1@{servers}"
    if how == "disks":
        properties["log.dirs"] = ",".join(str(tmp_path / f"{n}") for n in (1, 2, 3))
    file = write_properties(tmp_path / "server.properties", properties)
    return Place(barnabas_node.bootstrap, str(file), random_uuid_text(), barnabas_node.pid)


@pytest.mark.parametrize("row_id", MET)
def test_row(row_id: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    found = failures(rows.rows()[row_id], place, monkeypatch)
    assert not found, "\n".join(found)


def failures(row: Row, place: Place, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a row asks for and doesn't get."""
    wanted = commands.expected().get(row.id, {})
    found = commands.prepare(row, place)
    if wanted.get("held"):
        monkeypatch.setenv("SIGNAL", "CONT")
        hold(place.pid)
    done = run(row["run"], place)
    if wanted.get("held") and is_stopped(Path(f"/proc/{place.pid}")):
        os.kill(place.pid, signal.SIGCONT)
        found.append("the node wasn't signalled")
    found += refused(done, wanted) if row["verdict"] == "refuse" else accepted(done, wanted)
    if "again" in wanted:
        again = run(row["run"], place)
        if not again.status or not re.search(wanted["again"], again.complaint + again.output):
            found.append(f"again: {again}")
    return found + commands.together(wanted.get("after", ()), place)


def refused(done: Outcome, wanted: dict[str, Any]) -> list[str]:
    found = [] if done.status else ["not refused"]
    return found + unsaid(done, wanted)


def unsaid(done: Outcome, wanted: dict[str, Any]) -> list[str]:
    text = done.complaint + done.output
    return [f"doesn't say {word}: {text}" for word in wanted["says"] if not re.search(word, text)]


def accepted(done: Outcome, wanted: dict[str, Any]) -> list[str]:
    found = [f"status {done.status}"] if done.status != wanted.get("status", 0) else []
    if "says" in wanted:
        found += unsaid(done, wanted)
    elif done.complaint.strip() != wanted.get("beside", ""):
        found.append(f"complains: {done.complaint}")
    patterns = wanted.get("output", ["."])
    if not patterns and done.output.strip():
        found.append(f"unexpected: {done.output}")
    rest = done.output
    for pattern in patterns:
        match = re.search(pattern, rest)
        if match is None:
            return [*found, f"no {pattern} in: {rest}"]
        rest = rest[match.end() :]
    return found


@pytest.mark.parametrize("row", [row for row in WALKED if commands.tool_of(row) == STARTS], ids=lambda row: row.id)
def test_start(row: Row, barnabas_nodes: NodeFactory) -> None:
    """In the foreground: the process becomes the node, which serves until a SIGTERM and ends in order."""
    node = barnabas_nodes(start=False)
    script = row["run"].removeprefix("exec ").split()[0]
    process = subprocess.Popen([Path(sys.executable).with_name(script), node.properties_file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not lists_broker("127.0.0.1", node.port):
            if process.poll() is not None or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        served = process.poll() is None and time.monotonic() < deadline
    finally:
        process.terminate()
        output = process.communicate(timeout=STOP_TIMEOUT_S)[0]
    assert served, output
    assert process.returncode == 0, output


@pytest.mark.parametrize("tool", sorted({tool for row in WALKED if row.id in MET and (tool := commands.tool_of(row)) in MODULES}))
def test_names(tool: str) -> None:
    """Scripts are there with and without `.sh`, since the documents write both."""
    scripts = tomllib.loads((rows.HERE.parents[1] / "pyproject.toml").read_text())["project"]["scripts"]
    assert {tool, f"{tool}.sh"} <= set(scripts)
