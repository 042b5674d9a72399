"""Command rows as our tools run them: the row's own words, with the address, the file and the id of this test's node put in.

Owns: what of a command line belongs to the documents' machines and what stands in its place; running a tool in this process. What must come out of a row
stands in expected.yaml.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple

from barnabas.cli.kafka import console
from tests.seeds.rows import HERE, Row, of, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_ADDRESS = re.compile(r"(?<![\w./=])(?:kafka(?:-node-\d|-broker-\d[\w.]*|\d)?|\$broker|localhost):90\d\d\b")
_FILE = re.compile(r"\S*/config/(?:kraft/)?server\.properties|\"?\$KAFKA_CONFIG\"?")
_ID = re.compile(r"\"?\$(?:KAFKA_)?CLUSTER_ID\"?|<CLUSTER_ID>")
_TOOL = re.compile(r"^(?:exec |watch )?(?:bin/)?((?:kafka|connect|zookeeper)-[a-z-]+)(?:\.sh)?(?= |$)")
TOOLS_OF_OTHERS = {"kcat", "Burrow", "Cruise Control", "Kafka Manager", "kafka-server-start-production.sh", "kafka-rolling-restart.sh"}


class Outcome(NamedTuple):
    status: int
    output: str
    complaint: str


class Place(NamedTuple):
    """What of this test stands where the documents name their own machines."""

    bootstrap: str
    properties_file: str
    cluster_id: str
    pid: int
    """The node's."""


def tool_of(row: Row) -> str | None:
    """The Kafka tool that a row calls, without `.sh`; None when it calls another program."""
    found = _TOOL.match(row["run"])
    return found[1] if found and row["tool"] not in TOOLS_OF_OTHERS else None


def walked() -> list[Row]:
    """The rows that this walker answers for: Kafka's tools, to be taken or refused."""
    return [row for row in of("commands") if row["verdict"] in ("accept", "refuse") and tool_of(row)]


def expected() -> dict[str, dict[str, Any]]:
    """Row id -> what to do before, and what must come out."""
    return dict(read(HERE / "expected.yaml")["commands"])


def words(text: str, place: Place) -> list[str]:
    """A command line of the documents as the arguments of ours, the tool's name first."""
    for pattern, ours in ((_FILE, place.properties_file), (_ID, place.cluster_id), (_ADDRESS, place.bootstrap)):
        text = pattern.sub(lambda _, ours=ours: ours, text)  # type: ignore[misc]
    tool = _TOOL.match(text)
    assert tool, f"no tool in {text}"
    return [tool[1], *shlex.split(text[tool.end() :])]


def run(line: str, place: Place, stdin: str = "") -> Outcome:
    """One command line, and the programs of the host behind its pipe."""
    ours, *pipes = line.split(" | ")
    name, *arguments = words(ours, place)
    outcome = _in_this_process(name, arguments, stdin)
    for pipe in pipes:
        done = subprocess.run(shlex.split(pipe), input=outcome.output, capture_output=True, text=True, timeout=60)
        outcome = outcome._replace(output=done.stdout)
    return outcome


def prepare(row: Row, place: Place, changed: Callable[[str], str] = str) -> list[str]:
    """What is done before a row, each line perhaps changed; what failed of it."""
    return together(expected().get(row.id, {}).get("before", ()), place, changed)


def together(lines: Iterable[str | list[str]], place: Place, changed: Callable[[str], str] = str) -> list[str]:
    """Lines around a row, some with what they read; each must succeed."""
    found = []
    for line in lines:
        text, stdin = (line, "") if isinstance(line, str) else line
        done = run(changed(text), place, stdin)
        if done.status:
            found.append(f"{text}: {done}")
    return found


def _in_this_process(name: str, arguments: list[str], stdin: str) -> Outcome:
    with _streams(stdin) as (out, err):
        try:
            status = console.run(name, arguments)
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
    return Outcome(status, out.getvalue().decode(), err.getvalue().decode())


@contextlib.contextmanager
def _streams(stdin: str) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """The standard streams: what is written goes to memory, what is read is the descriptor itself, since our producer reads that."""
    out, err = io.BytesIO(), io.BytesIO()
    streams = sys.stdout, sys.stderr
    descriptor = os.dup(0)
    with tempfile.TemporaryFile() as file:
        file.write(stdin.encode())
        file.seek(0)
        os.dup2(file.fileno(), 0)
    ours = sys.stdout, sys.stderr = io.TextIOWrapper(out), io.TextIOWrapper(err)
    try:
        yield out, err
    finally:
        sys.stdout, sys.stderr = streams
        os.dup2(descriptor, 0)
        os.close(descriptor)
        for stream in ours:
            stream.flush()
            stream.detach()  # or `out` would be closed with it
