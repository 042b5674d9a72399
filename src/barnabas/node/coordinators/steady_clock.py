"""Wall-clock time that doesn't jump under a coordinator: sessions must not end because somebody set the clock.

The time is the wall clock as it was at the start plus what the monotonic clock says has passed. When both have drifted apart by more
than a second the coordinator is told the difference, and moves its deadlines along.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST_DRIFT_MS = 1000


class SteadyClock:
    """`on_set(by_ms)` is called when the wall clock has been set, before the new time is used."""

    __slots__ = ("_ahead_ms", "_on_set")

    def __init__(self, on_set: Callable[[int], None]) -> None:
        self._on_set = on_set
        self._ahead_ms = _ahead_ms()

    def now_ms(self) -> int:
        monotonic_ns = time.monotonic_ns()
        drift_ms = (time.time_ns() - monotonic_ns) // 1_000_000 - self._ahead_ms
        if not -LARGEST_DRIFT_MS <= drift_ms <= LARGEST_DRIFT_MS:
            self._ahead_ms += drift_ms
            self._on_set(drift_ms)
        return monotonic_ns // 1_000_000 + self._ahead_ms


def _ahead_ms() -> int:
    return (time.time_ns() - time.monotonic_ns()) // 1_000_000
