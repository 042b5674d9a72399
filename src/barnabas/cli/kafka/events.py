"""What the verifiable tools say: one JSON object a line, stamped, in Kafka's names; and how a signal ends them.

Owns the lines' layout and the exit status behind a signal. Doesn't own which events there are.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def say(name: str, **more: Any) -> None:
    """The event is out when this returns: whoever follows the output sees it at once."""
    print(_encode({"timestamp": int(time.time() * 1000), "name": name, **more}), flush=True)


def say_all(events: list[dict[str, Any]]) -> None:
    """Many events of one moment, each with its name."""
    now_ms = int(time.time() * 1000)
    sys.stdout.write("".join([f"{_encode({'timestamp': now_ms, **event})}\n" for event in events]))
    sys.stdout.flush()


class Ending:
    """SIGINT and SIGTERM call `stop`, once; the status is then what a shell shows of a process that they ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stop: Callable[[], object]) -> None:
        import signal

        self.status = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end, number, stop)

    def _end(self, number: int, stop: Callable[[], object]) -> None:
        if not self.status:
            self.status = 128 + number
            stop()
