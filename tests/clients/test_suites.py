"""The fast part of `make suites`: kafka-python's own tests without those that take longest; and that the lists of every suite mean something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients import suites

if TYPE_CHECKING:
    from pathlib import Path


SLOW = (  # they wait by the clock, and other tests see what they see
    "test_heartbeat_thread",
    "test_delete_records",
    "test_describe_group_exists",
    "test_kafka_consumer__blocking",
    "test_delete_groups",
    "test_consumer_topics",
    "test_kafka_consumer_offsets_for_times_errors",
    "test_idempotent_producer_max_in_flight",
)


@pytest.mark.parametrize("name", suites.NAMES)
def test_lists(name: str) -> None:
    suite = suites.load(name)
    assert len(suite.apache) == len(set(suite.apache)) > 50
    assert "passed" in (suites.HERE / name / "FINDINGS.md").read_text()


@pytest.mark.node
@pytest.mark.apache
def test_kafka_python(tmp_path: Path) -> None:
    suite = suites.load("kafka-python")
    cases = [case for case in suite.apache if case not in suite.waiting and not case.split("::")[1].startswith(SLOW)]
    assert len(cases) > 35
    outcome = suites.run(suite, cases, tmp_path)
    assert outcome.unexpected == []


def test_a_case_that_nobody_knows_isnt_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    (folder / "apache.txt").write_text("# what passes\none\ntwo\n")
    (folder / "server.properties").write_text("")
    monkeypatch.setattr(suites, "HERE", tmp_path)
    (folder / "waiting.txt").write_text("one  share groups\n")
    assert suites.load("some").waiting == {"one": "share groups"}
    (folder / "waiting.txt").write_text("three  share groups\n")
    with pytest.raises(ValueError, match=r"three isn't in apache\.txt"):
        suites.load("some")
    (folder / "waiting.txt").write_text("one  better weather\n")
    with pytest.raises(ValueError, match="better weather"):
        suites.load("some")
