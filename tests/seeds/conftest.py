"""The catalogue's counts at the end of a run that has its tests in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.seeds import counts

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("the documents' rows")
    for line in counts.table():
        terminalreporter.line(line)
