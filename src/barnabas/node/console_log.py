"""What a node says about itself: lines on standard output, in the form that operators of Kafka know. The logging module would cost a tenth of the start."""

from __future__ import annotations

import sys
import time

TRACE, DEBUG, INFO, WARN, ERROR, FATAL, OFF = 5, 10, 20, 30, 40, 50, 60
NAMES = {TRACE: "TRACE", DEBUG: "DEBUG", INFO: "INFO", WARN: "WARN", ERROR: "ERROR", FATAL: "FATAL", OFF: "OFF"}


class ConsoleLog:
    """`[2026-01-31 12:00:00,123] INFO text (node 1)`; lines below `level` aren't written."""

    __slots__ = ("level", "name")

    def __init__(self, name: str, level: int = INFO) -> None:
        self.name = name
        self.level = level

    def write(self, level: int, text: str) -> None:
        if level < self.level:
            return
        now = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        try:
            sys.stdout.write(f"[{stamp},{int(now % 1 * 1000):03d}] {NAMES[level]} {text} ({self.name})\n")
            sys.stdout.flush()
        except (OSError, ValueError):  # nobody reads any more: no reason to stop
            self.level = OFF
