"""Every command row of a tool that is here, by Apache Kafka's tool and by ours against the same node: same output, same complaints, same exit status.

Rows that one node must refuse, since they name three brokers, are compared too. kafka-storage is compared in test_format.py; kafka-server-start and
kafka-server-stop are scripts around a process; what our tools say instead of words that are gone is compared with nothing.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import pytest

from barnabas.cli.kafka.console import MODULES
from tests.conftest import SUBJECT, factory
from tests.differential.tools import CLASSES, Outcome, by_both_alike, by_each
from tests.seeds import commands, rows
from tests.seeds.commands import Place, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.seeds.rows import Row

LEFT_OUT = {"kafka-storage", "kafka-server-start", "kafka-server-stop", "kafka-run-class", "kafka-metadata", "kafka-metadata-migration"}
TOOLS = {tool for tool in CLASSES if tool in MODULES} - LEFT_OUT
COMPARED = [row for row in commands.walked() if commands.tool_of(row) in TOOLS]
# What a row makes can be made once only: each tool gets a topic of its own instead.
MADE = re.compile(r"(?<=--topic )[a-z-]+")
# The metadata log goes on between one tool's question and the other's.
MOVES = re.compile(r"(?<=HighWatermark: )( +)\d+|^(?:\tat |\t\.\.\. \d+ more|Caused by: ).*\n", re.MULTILINE)
"""What differs from one moment to the next, and Java's stack traces."""
pytestmark = [pytest.mark.apache, pytest.mark.node, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    for make in factory(SUBJECT, request):
        node = make()
        yield Place(node.bootstrap, str(node.properties_file), "", node.pid)


def by_both_tools(row: Row, place: Place) -> tuple[Outcome, Outcome]:
    line = row["run"].split(" | ")[0]
    changes = "--create" in line or "--partitions" in line
    if changes:
        line = MADE.sub(r"%-\g<0>", line)
    name, *arguments = words(line, place)
    if not changes:
        commands.prepare(row, place)
        return by_both_alike(name, *arguments, shown=unmoved)
    for own in (r"a-\g<0>", r"b-\g<0>"):
        commands.prepare(row, place, partial(MADE.sub, own))
    return by_each(name, *arguments)


@pytest.mark.parametrize("row", COMPARED, ids=lambda row: row.id)
def test_row(row: Row, place: Place) -> None:
    theirs, ours = by_both_tools(row, place)
    assert unmoved(ours) == unmoved(theirs)


def unmoved(outcome: Outcome) -> Outcome:
    return outcome._replace(output=MOVES.sub("", outcome.output))


def test_what_is_left_out() -> None:
    left = {commands.tool_of(row) for row in commands.walked() if row not in COMPARED and row.id not in rows.waiting()}
    assert left == LEFT_OUT
