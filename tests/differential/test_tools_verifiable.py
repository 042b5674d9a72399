"""kafka-verifiable-producer and kafka-verifiable-consumer beside Apache Kafka's own: the same events in the same order, the same end.

Apache's say goodbye in shutdown hooks: each of those that begin has a JVM of its own. The order of the fields behind an event's name is Java's whim.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.apache import release
from tests.differential.tools import CLASSES, Outcome, by_both, in_this_process

if TYPE_CHECKING:
    from tests.nodes import Node

pytestmark = pytest.mark.apache
PRODUCER, CONSUMER = "kafka-verifiable-producer", "kafka-verifiable-consumer"
TIMEOUT_S = 60


class Told(NamedTuple):
    status: int
    events: list[dict[str, Any]]


def _commands(tool: str, *arguments: str) -> list[list[str]]:
    """Apache's and ours."""
    return [release.java_command(CLASSES[tool], arguments), [sys.executable, "-m", "barnabas.cli.kafka", tool, *arguments]]


def _event(line: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(line)
    assert list(event)[:2] == ["timestamp", "name"], line
    assert isinstance(event.pop("timestamp"), int)
    assert isinstance(event.pop("avg_throughput", 0.0), float)
    return event


def _told(command: list[str], until: str, count: int) -> Told:
    """What the tool tells; once it has told of the event `until` so often, SIGTERM ends it."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        events = []
        try:
            for line in process.stdout:
                events.append(_event(line))
                if events[-1]["name"] == until:
                    count -= 1
                    if count == 0:
                        process.send_signal(signal.SIGTERM)
            return Told(process.wait(TIMEOUT_S), events)
        finally:
            process.kill()


def _by_both(tool: str, *arguments: str, until: str = "", count: int = 1) -> tuple[Told, Told]:
    """`%` in an argument is a name of each tool's own, and the same one in what they tell."""

    def told(letter: str, command: list[str]) -> Told:
        found = _told([word.replace("%", letter) for word in command], until, count)
        text = json.dumps(found.events)
        for word in arguments:
            text = text.replace(f'"{word.replace("%", letter)}"', f'"{word}"') if "%" in word else text
        return found._replace(events=json.loads(text))

    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(told, "ab", _commands(tool, *arguments))
    return theirs, ours


@pytest.fixture(scope="module")
def topic(node: Node) -> str:
    """Both topics `NAMEa` and `NAMEb` stand, with one partition."""
    name = f"verifiable-{uuid.uuid4().hex[:6]}"
    for letter in "ab":
        words = ("--create", "--topic", f"{name}{letter}", "--partitions", "1")
        assert in_this_process("kafka-topics", "--bootstrap-server", node.bootstrap, *words).status == 0
    return name


def test_a_topics_life(node: Node, topic: str) -> None:
    """Filled to the end, filled until SIGTERM, read to a number, read until SIGTERM."""
    server = ("--bootstrap-server", node.bootstrap)
    theirs, ours = _by_both(PRODUCER, *server, "--topic", f"{topic}%", "--max-messages", "1200", "--repeating-keys", "7", "--value-prefix", "3")
    assert ours == theirs
    assert ours.events[-1] == {"name": "tool_data", "sent": 1200, "acked": 1200, "target_throughput": -1}
    theirs, ours = _by_both(PRODUCER, *server, "--topic", f"{topic}%", "--throughput", "2", "--acks", "1", until="producer_send_success", count=2)
    assert (ours.status, _names(ours)) == (theirs.status, _names(theirs))
    assert ours.status == 128 + signal.SIGTERM
    theirs, ours = _by_both(CONSUMER, *server, "--topic", f"{topic}%", "--group-id", topic, "--max-messages", "700", "--verbose")
    assert _merged(ours) == _merged(theirs)
    theirs, ours = _by_both(CONSUMER, *server, "--topic", f"{topic}%", "--group-id", f"{topic}-to-the-end", until="offsets_committed", count=3)
    assert (ours.status, set(_names(ours))) == (theirs.status, set(_names(theirs)))
    assert _names(ours)[-3:] == _names(theirs)[-3:] == ["shutdown_requested", "partitions_revoked", "shutdown_complete"]


def _names(told: Told) -> list[str]:
    """Kinds of events in their order, repetitions apart."""
    names = [event["name"] for event in told.events]
    return [name for position, name in enumerate(names) if names[position - 1 : position] != [name]]


def _merged(told: Told) -> Told:
    """How many polls it took is the network's; what was read, and that each poll was committed, isn't."""
    records = [event for event in told.events if event["name"] == "record_data"]
    consumed = [(p["minOffset"], p["maxOffset"] + 1) for e in told.events if e["name"] == "records_consumed" for p in e["partitions"]]
    committed = [p["offset"] for event in told.events if event["name"] == "offsets_committed" for p in event["offsets"]]
    assert [end for _, end in consumed] == committed
    assert [start for start, _ in consumed] == [0, *committed[:-1]]
    others = [event for event in told.events if event["name"] not in ("record_data", "records_consumed", "offsets_committed")]
    return Told(told.status, [*others, *records, {"end": committed[-1]}])


REFUSED = [
    (PRODUCER, ""),
    (PRODUCER, "--topic t"),
    (PRODUCER, "--bootstrap-server h:1 --topic t --acks 2"),
    (PRODUCER, "--bootstrap-server h:1 --topic t --producer.config a --command-config b"),
    (PRODUCER, "--bootstrap-server no.such.host.invalid:1 --topic t"),
    (CONSUMER, ""),
    (CONSUMER, "--bootstrap-server h:1 --topic t"),
    (CONSUMER, "--bootstrap-server h:1 --topic t --group-id g --group-protocol foo"),
]


@pytest.mark.parametrize(("tool", "line"), REFUSED)
def test_refused(tool: str, line: str) -> None:
    theirs, ours = map(_said, by_both(tool, *line.split()))
    assert ours == theirs


def _said(outcome: Outcome) -> tuple[int, str, list[str]]:
    """Status, the usage if it is told of, the complaint without log lines."""
    return outcome.status, outcome.output.partition("\n\n")[0], [line for line in outcome.complaints if not line.startswith("WARN ")]
