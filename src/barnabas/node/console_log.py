"""What a node says about itself: lines on standard output, in the form that operators of Kafka know, and wherever else `log_files` has them.

The logging module would cost a tenth of the start.
"""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

TRACE, DEBUG, INFO, WARN, ERROR, FATAL, OFF = 5, 10, 20, 30, 40, 50, 60
NAMES = {TRACE: "TRACE", DEBUG: "DEBUG", INFO: "INFO", WARN: "WARN", ERROR: "ERROR", FATAL: "FATAL", OFF: "OFF"}


class ConsoleLog:
    """`[2026-01-31 12:00:00,123] INFO text (node 1)`; lines below `level` aren't written. `sinks` may be others than the console (log_files)."""

    __slots__ = ("level", "name", "sinks")

    def __init__(self, name: str, level: int = INFO) -> None:
        self.name = name
        self.level = level
        self.sinks: tuple[Callable[[int, float, str, str], object], ...] = (to_console,)

    def write(self, level: int, text: str) -> None:
        if level < self.level:
            return
        now = time.time()
        for sink in self.sinks:
            sink(level, now, text, self.name)


def to_console(level: int, now: float, text: str, logger: str, layout: Callable[[int, float, str, str], str] | None = None) -> None:
    try:
        sys.stdout.write((layout or _kafkas)(level, now, text, logger))
        sys.stdout.flush()
    except (OSError, ValueError):  # nobody reads any more: no reason to stop
        pass


def _kafkas(level: int, now: float, text: str, logger: str) -> str:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    return f"[{stamp},{int(now % 1 * 1000):03d}] {NAMES[level]} {text} ({logger})\n"
