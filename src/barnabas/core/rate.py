"""How often something happened lately, and how long to wait until that is within a bound: Apache Kafka's sampled rate, which its quotas are measured with.

Pure: the time is passed in. A rate is counted in samples of one window each; with `samples` of 11 and windows of a second it looks back 10 to 11 seconds, and
so allows ten times the bound at once after a quiet time. Source: Rate, SampledStat and QuotaUtils of 4.3.1.
"""

from __future__ import annotations


class _Sample:
    __slots__ = ("count", "last_ms", "start_ms")

    def __init__(self, now_ms: float) -> None:
        self.reset(now_ms)

    def reset(self, now_ms: float) -> None:
        self.count = 0.0
        self.start_ms = self.last_ms = now_ms


class Rate:
    """Occurrences a second over the last `samples` windows of `window_ms`."""

    __slots__ = ("_current", "_kept", "samples", "window_ms")

    def __init__(self, window_ms: int, samples: int) -> None:
        self.window_ms = window_ms
        self.samples = samples
        self._kept: list[_Sample] = []
        self._current = 0

    def record(self, now_ms: float, count: float = 1.0) -> None:
        """`count` occurrences; a negative one takes some back."""
        if not self._kept:
            self._kept.append(_Sample(now_ms))
        sample = self._kept[self._current]
        if now_ms - sample.start_ms >= self.window_ms:
            self._current = (self._current + 1) % (self.samples + 1)  # one more than asked for: the oldest may overlap the time looked at
            if self._current == len(self._kept):
                self._kept.append(_Sample(now_ms))
            sample = self._kept[self._current]
            sample.reset(now_ms)
        sample.count += count
        sample.last_ms = now_ms

    def throttle_ms(self, bound: float, now_ms: float, most_ms: float) -> float:
        """How long nothing may happen until the rate is `bound` again; 0 while it is within, `most_ms` at most."""
        rate, elapsed_ms = self._measure(now_ms)
        if rate <= bound:
            return 0.0
        return min((rate - bound) / bound * elapsed_ms, most_ms) if bound else most_ms

    def per_second(self, now_ms: float) -> float:
        return self._measure(now_ms)[0]

    def _measure(self, now_ms: float) -> tuple[float, float]:
        """The rate, and over how many ms."""
        self._forget(now_ms)
        elapsed_ms = self._elapsed_ms(now_ms)
        return sum([sample.count for sample in self._kept]) / (elapsed_ms / 1000), elapsed_ms

    def _forget(self, now_ms: float) -> None:
        for sample in self._kept:
            if now_ms - sample.last_ms >= self.samples * self.window_ms:
                sample.reset(now_ms)

    def _elapsed_ms(self, now_ms: float) -> float:
        """The time that the samples cover, taken for one window less than asked for at least: a burst isn't a rate."""
        elapsed_ms = now_ms - min((sample.start_ms for sample in self._kept), default=now_ms)
        missing = self.samples - 1 - int(elapsed_ms / self.window_ms)
        return max(elapsed_ms + max(0, missing) * self.window_ms, 1.0)
