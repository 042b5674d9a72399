"""What a load came to: counts, rates, latencies and their percentiles, printed as Apache's ProducerPerformance prints them.

Owns the arithmetic and the lines. A batch is recorded at once; latencies are whole milliseconds, counted, so that percentiles see every record.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MB = 1024.0 * 1024.0
PERCENTILES = (0.5, 0.95, 0.99, 0.999)


class Stats:
    """Of a whole run, and of the window since the last line about it."""

    def __init__(self, interval_ms: int, *, steady: bool = False) -> None:
        self._interval_ms = interval_ms
        self._steady = steady
        self.silent = False
        """Nothing is said but the total."""
        self._start_s = self._window_s = time.monotonic()
        self.count = self.bytes = 0
        self._latency_sum = 0
        self._latencies: dict[int, int] = {}
        self._window_count = self._window_bytes = self._window_sum = self._window_max = 0

    def record(self, births: Sequence[tuple[int, int]], payload_bytes: int, now_ms: int) -> None:
        """A batch was acknowledged: (when, how many) of its records."""
        latencies = self._latencies
        for born_ms, count in births:
            latency_ms = now_ms - born_ms
            latencies[latency_ms] = latencies.get(latency_ms, 0) + count
            self.count += count
            self._window_count += count
            self._latency_sum += latency_ms * count
            self._window_sum += latency_ms * count
            if latency_ms > self._window_max:
                self._window_max = latency_ms
        self.bytes += payload_bytes
        self._window_bytes += payload_bytes
        if (time.monotonic() - self._window_s) * 1000 >= self._interval_ms:
            self._report()

    def _report(self) -> None:
        if self._steady and self.count == self._window_count:
            print("In steady state.")
        if not self.silent:
            rate, mb = self._rates(self._window_count, self._window_bytes, self._window_s)
            average = self._window_sum / self._window_count
            print(
                f"{self._window_count} records sent, {rate:.1f} records/sec ({mb:.2f} MB/sec), {average:.1f} ms avg latency, "
                f"{float(self._window_max):.1f} ms max latency.",
                flush=True,
            )
        self._window_s = time.monotonic()
        self._window_count = self._window_bytes = self._window_sum = self._window_max = 0

    @staticmethod
    def _rates(count: int, size: int, since_s: float) -> tuple[float, float]:
        elapsed_s = max(time.monotonic() - since_s, 0.001)
        return count / elapsed_s, size / elapsed_s / MB

    def percentiles(self) -> list[int]:
        """The latency of the record at each place of the sorted ones; 0 if there are none."""
        wanted = [int(part * self.count) for part in PERCENTILES]
        found: list[int] = []
        seen = 0
        for latency_ms in sorted(self._latencies):
            seen += self._latencies[latency_ms]
            while len(found) < len(wanted) and wanted[len(found)] < seen:
                found.append(latency_ms)
        return found or [0] * len(wanted)

    def print_total(self) -> None:
        rate, mb = self._rates(self.count, self.bytes, self._start_s)
        average = f"{self._latency_sum / self.count:.2f}" if self.count else "NaN"
        p50, p95, p99, p999 = self.percentiles()
        print(
            f"{self.count}{' steady state' if self._steady else ''} records sent, {rate:f} records/sec ({mb:.2f} MB/sec), {average} ms avg latency, "
            f"{float(max(self._latencies, default=0)):.2f} ms max latency, {p50} ms 50th, {p95} ms 95th, {p99} ms 99th, {p999} ms 99.9th.",
            flush=True,
        )


def print_metrics(metrics: Mapping[str, float | str]) -> None:
    """A table by name, as Apache's tools lay it out."""
    width = max(map(len, metrics))
    print(f"\n{'Metric Name':<{width}}   Value")
    for name in sorted(metrics):
        value = metrics[name]
        shown = f"{value:.3f}" if isinstance(value, float) and value == value else "NaN" if isinstance(value, float) else value
        print(f"{name:<{width}} : {shown}")
