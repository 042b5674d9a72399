"""A node's log in files: patterns of log4j as Java lays them out, files rolled by size and by time, a disk that fails."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from barnabas.node.config.log4j import Appender, InvalidLogging
from barnabas.node.console_log import ERROR, INFO, WARN, ConsoleLog
from barnabas.node.log_files import RolledFile, attach, layout_of

if TYPE_CHECKING:
    from pathlib import Path

AT = time.mktime((2026, 1, 31, 23, 59, 58, 0, 0, -1)) + 0.25
HOUR = 3600


@pytest.mark.parametrize(
    "pattern, line",
    [
        ("[%d] %p %m (%c)%n", "[2026-01-31 23:59:58,250] WARN text (node 1)\n"),
        ("%d{ISO8601} %-5p|%7p|%.2p", "2026-01-31T23:59:58,250 WARN |   WARN|RN"),
        ("%d{HH:mm:ss.SSS} %level %msg %% %t", "23:59:58.250 WARN text % MainThread"),
        ("%date{'at' yyyy-MM-dd} %c{1}%n", "at 2026-01-31 node 1\n"),
    ],
)
def test_patterns(pattern: str, line: str) -> None:
    assert layout_of(pattern)(WARN, AT, "text", "node 1") == line


@pytest.mark.parametrize("pattern", ["%X{user} %m", "%d{EEE} %m", "%"])
def test_patterns_without_a_value(pattern: str) -> None:
    with pytest.raises(InvalidLogging):
        layout_of(pattern)


def lines(path: Path) -> str:
    return path.read_text()


def test_rolled_by_size(tmp_path: Path) -> None:
    """Ten bytes a file, two older ones are kept, 1 is the newest; what is there at the start counts."""
    path = tmp_path / "deep" / "server.log"
    appender = Appender(str(path), "%m%n", 10, 2, f"{path}.%i")
    sink = RolledFile(appender, layout_of(appender.pattern))
    for text in ("one", "two", "three", "four", "five"):
        sink(INFO, AT, text, "x")
    found = [lines(path), lines(path.with_name("server.log.1")), lines(path.with_name("server.log.2"))]
    assert found == ["four\nfive\n", "three\n", "one\ntwo\n"]
    sink = RolledFile(appender, layout_of(appender.pattern))
    for text in ("six", "seven", "eight and more than ten"):
        sink(INFO, AT, text, "x")
    assert lines(path) == "eight and more than ten\n"
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["server.log", "server.log.1", "server.log.2"]
    assert lines(path.with_name("server.log.1")) == "six\nseven\n"


def test_rolled_by_time(tmp_path: Path) -> None:
    """The file of an hour that is over is named by that hour, also if another process wrote it."""
    path = tmp_path / "server.log"
    appender = Appender(str(path), "%m%n", rolled_name=f"{path}.%d{{yyyy-MM-dd-HH}}")
    path.write_text("before\n")
    os.utime(path, (AT - HOUR, AT - HOUR))
    sink = RolledFile(appender, layout_of(appender.pattern))
    for text, at in (("first", AT), ("second", AT + 1), ("third", AT + HOUR)):
        sink(INFO, at, text, "x")
    assert lines(path) == "third\n"
    assert lines(tmp_path / "server.log.2026-01-31-22") == "before\n"
    assert lines(tmp_path / "server.log.2026-01-31-23") == "first\nsecond\n"


def test_the_releases_files(tmp_path: Path) -> None:
    """Without a file of one's own: those that Kafka's start script leaves, and the lines in server.log."""
    log = ConsoleLog("node 1")
    attach(log, None, str(tmp_path / "logs"))
    log.write(ERROR, "something about a replica")
    names = sorted(entry.name for entry in (tmp_path / "logs").iterdir())
    assert names == ["controller.log", "kafka-authorizer.log", "kafka-request.log", "log-cleaner.log", "server.log", "state-change.log"]
    assert lines(tmp_path / "logs" / "server.log").endswith("] ERROR something about a replica (node 1)\n")


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "gone" / "server.log"
    appender = Appender(str(path), "%m%n", 5, 1, f"{path}.%i")
    sink = RolledFile(appender, layout_of(appender.pattern))
    sink(INFO, AT, "first", "x")
    path.unlink()
    path.parent.rmdir()
    sink(INFO, AT, "second", "x")
    sink(INFO, AT, "third", "x")
    assert capsys.readouterr().out.count("can't be written any more") == 1
