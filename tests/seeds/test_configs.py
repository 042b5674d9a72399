"""Every configuration row of nodes and topics: against the tables of keys, against server.properties as a node reads it, and by kafka-configs on a running node.
Those of producers and consumers that our tools act by: against the tables, and by the tools.

A row that waits is tried too, and must not be met: whoever brings its capability takes it out of waiting.yaml.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from barnabas.core.configs.definitions.broker import update_mode
from tests.conftest import SUBJECT, factory
from tests.seeds import configs, rows
from tests.seeds.commands import Outcome, Place, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.seeds.rows import Row

WALKED = [row for row in configs.walked() if row.id not in rows.bound()]
MET = [row for row in WALKED if row.id not in rows.waiting()]
TOPIC = [row for row in MET if row["scope"] == "topic"]
CLIENTS = [row for row in MET if row["scope"] in ("producer", "consumer")]
BROKER = [row for row in MET if row["scope"] == "broker" and row["verdict"] == "accept" and configs.definition(row)]
# A node reads keys and certificates when these are set; their rows' live half comes with what they wait for.
READS_FILES = re.compile(r"^(ssl|sasl)\.|listener")
KEPT = {"min.insync.replicas": "cannot be removed while ELR is enabled"}
pytestmark = [pytest.mark.node, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A node of its own, since its settings are changed."""
    for make in factory(SUBJECT, request):
        node = make()
        place = Place(node.bootstrap, str(node.properties_file), "", node.pid)
        assert run("kafka-topics --bootstrap-server kafka1:9092 --create --topic configured", place).status == 0
        yield place


def by_id(row: Row) -> str:
    return row.id


@pytest.mark.parametrize("row", MET, ids=by_id)
def test_row(row: Row) -> None:
    found = configs.unmet(row)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("row", [row for row in WALKED if row.id in rows.waiting()], ids=by_id)
def test_waiting_row(row: Row) -> None:
    assert configs.unmet(row), f"{row.id} is met: take it out of waiting.yaml"


def alter(place: Place, entity: str, change: str) -> Outcome:
    return run(f"kafka-configs --bootstrap-server kafka1:9092 --entity-type {entity} --alter {change}", place)


def described(place: Place, entity: str) -> str:
    return run(f"kafka-configs --bootstrap-server kafka1:9092 --entity-type {entity} --describe", place).output


@pytest.mark.parametrize("row", TOPIC, ids=by_id)
def test_topic_by_the_tool(row: Row, place: Place) -> None:
    """Each of the documents' values is taken and shown; what 4.3.1 refuses is refused, and what to type instead is said."""
    topic, key = "topics --entity-name configured", row["key"]
    wanted = configs.words(row)
    for value in configs.values(row):
        done = alter(place, topic, f"--add-config {key}={value}")
        if row["verdict"] == "refuse" or (key, value) == ("compression.type", "none"):
            assert done.status == 1
            assert [word for word in wanted if not re.search(word, done.complaint + done.output)] == [], done
        else:
            assert (done.status, done.complaint) == (0, "")
            assert f"  {key}={value} sensitive=false" in described(place, topic)
            assert alter(place, topic, f"--delete-config {key}").status == 0
            assert f"  {key}=" not in described(place, topic)


@pytest.mark.parametrize("row", [row for row in BROKER if not READS_FILES.search(row["key"])], ids=by_id)
def test_broker_by_the_tool(row: Row, place: Place) -> None:
    """What may change while the cluster runs does, with the documents' values; the rest is refused by name."""
    for value in configs.values(row):
        key, entity = row["key"], "brokers --entity-default"
        done = alter(place, entity, f"--add-config {key}=[{value}]")
        if update_mode(key) == "read-only":
            assert done.status == 1
            assert re.search(rf"Cannot update these configs dynamically: \S*{re.escape(key)}", done.complaint + done.output), done
            continue
        if "greater than double the current value" in done.complaint:  # threads may double at once, no more
            value = str(2 * int(row["default"]))
            done = alter(place, entity, f"--add-config {key}={value}")
        assert (done.status, done.complaint) == (0, ""), done
        assert f"  {key}={value} sensitive=false" in described(place, entity)
        removed = alter(place, entity, f"--delete-config {key}")
        if key in KEPT:
            assert KEPT[key] in removed.complaint
        else:
            assert removed.status == 0, removed
            assert f"  {key}=" not in described(place, entity)


@pytest.fixture(scope="module")
def written(place: Place) -> str:
    """A topic with a record in it."""
    assert run("kafka-console-producer --bootstrap-server kafka1:9092 --topic written", place, "a record\n").status == 0
    return "written"


@pytest.mark.parametrize("row", CLIENTS, ids=by_id)
def test_client_by_the_tool(row: Row, place: Place, written: str) -> None:
    """With each of the documents' values a record goes in, or comes out to a group of its own."""
    for value in configs.values(row):
        setting = f"--bootstrap-server kafka1:9092 --command-property {row['key']}={value}"
        if row["scope"] == "producer":
            offsets = f"kafka-get-offsets --bootstrap-server kafka1:9092 --topic {row.id}"
            before = run(offsets, place).output
            assert run(f"kafka-console-producer {setting} --topic {row.id}", place, "a record\n") == Outcome(0, "", "")
            assert run(offsets, place).output != before
        else:
            begin = "" if row["key"] == "auto.offset.reset" else "--from-beginning"
            group = "" if row["key"] == "group.id" else f"--group {row.id}-{value}"
            done = run(f"kafka-console-consumer {setting} {begin} {group} --topic {written} --max-messages 1 --timeout-ms 30000", place)
            assert (done.status, done.output) == (0, "a record\n"), done
