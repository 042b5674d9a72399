"""kafka-run-class: classes of the release run their tools, others are refused as Java refuses them, with what to type instead."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from barnabas.cli.kafka.run_class import GONE, SCRIPTS
from tests.apache import release
from tests.differential.tools import CLASSES, in_this_process
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.apache


def _ours(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "barnabas.cli.kafka", "kafka-run-class", *arguments], capture_output=True, text=True, timeout=60)


def test_classes_are_the_releases(apache_libs: Path) -> None:
    """Every class that we know is in the release's jars, under the name of the script that the release has for it; none of those that are gone is."""
    files = {name for jar in sorted(apache_libs.glob("kafka*-4.3.1.jar")) for name in ZipFile(jar).namelist()}
    assert {name for name in SCRIPTS if f"{name.replace('.', '/')}.class" not in files} == set()
    assert {name for name in GONE if f"{name.replace('.', '/')}.class" in files} == set()
    assert {SCRIPTS[name]: name for name in CLASSES.values()} == CLASSES


def test_a_class_runs_its_tool() -> None:
    for words in (("--help",), ("--list",), ("--list", "--zookeeper", "localhost:2181")):
        assert in_this_process("kafka-run-class", "org.apache.kafka.tools.TopicCommand", *words) == in_this_process("kafka-topics", *words)
    assert _ours("-loggc", "-name", "x", "org.apache.kafka.tools.GetOffsetShell", "--version").stdout == "4.3.1\n"


@pytest.mark.parametrize(
    "name, now",
    [
        ("kafka.tools.GetOffsetShell", "kafka-get-offsets.sh --bootstrap-server"),
        ("kafka.tools.JmxTool", "kafka-jmx.sh (class org.apache.kafka.tools.JmxTool)"),
        ("kafka.tools.DumpLogSegments", "kafka-dump-log.sh"),
        ("kafka.admin.ConsumerGroupCommand", "kafka-consumer-groups.sh"),
        ("kafka.tools.ConsumerOffsetChecker", "kafka-consumer-groups.sh --describe"),
        ("com.example.Main", "one of kafka-"),
    ],
)
def test_classes_that_are_not_there(name: str, now: str) -> None:
    ours = in_this_process("kafka-run-class", name, "--broker-list", "localhost:9092")
    complaint = f"Error: Could not find or load main class {name}"
    assert (ours.status, ours.output, ours.complaints) == (1, "", (complaint,))
    said = _ours(name, "--broker-list", "localhost:9092").stderr
    assert f"Instead of {name} (" in said
    assert f"): {now}" in said or now in said
    assert "Instead of --broker-list (gone in 4.0): --bootstrap-server HOST:PORT" in said


def test_java_says_the_same() -> None:
    theirs = subprocess.run(release.java_command("kafka.tools.GetOffsetShell"), capture_output=True, text=True, timeout=60)
    ours = _ours("kafka.tools.GetOffsetShell")
    assert ours.returncode == theirs.returncode
    assert ours.stderr.splitlines()[:2] == theirs.stderr.splitlines()


def test_a_class_of_the_release_that_is_not_here() -> None:
    done = _ours("org.apache.kafka.tools.JmxTool", "--one-time")
    assert done.returncode == 1
    assert "has no JMX port" in done.stderr


def test_without_a_class() -> None:
    done = _ours()
    assert (done.returncode, done.stdout) == (1, "USAGE: kafka-run-class.sh [-daemon] [-name servicename] [-loggc] classname [opts]\n")


def test_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_DIR", str(tmp_path))
    assert _ours("-name", "offsets", "-daemon", "org.apache.kafka.tools.GetOffsetShell", "--version").returncode == 0
    out = tmp_path / "offsets.out"
    wait_until(lambda: out.exists() and out.read_text() == "4.3.1\n")
