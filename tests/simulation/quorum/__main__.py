"""`make simulate SEEDS=...`: one seed (17), a range (0-999), or nothing: new seeds until it is interrupted."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import count
from random import SystemRandom

from .cluster import simulate
from .invariants import Violation


def seeds(text: str) -> Iterator[int]:
    if not text:
        return count(SystemRandom().randrange(1 << 40) * 1_000_000)
    first, _, last = text.partition("-")
    return iter(range(int(first), int(last or first) + 1))


def main(text: str) -> int:
    began_s, runs, simulated_ms, steps, failures = time.monotonic(), 0, 0, 0, 0
    try:
        for seed in seeds(text):
            runs += 1
            try:
                cluster = simulate(seed)
            except Violation as violation:
                failures += 1
                print(f"seed {seed}: {violation}", flush=True)
            else:
                simulated_ms += cluster.now_ms
                steps += cluster.steps
    except KeyboardInterrupt:
        pass
    took_s = time.monotonic() - began_s
    print(f"{runs} clusters, {simulated_ms / 3_600_000:.2f} simulated hours, {steps} steps in {took_s:.0f} s: {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
