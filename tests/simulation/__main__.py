"""`make simulate`: the quorum's simulated clusters and whole clusters in turns, with new seeds, until it is interrupted or MINUTES are over.

SEEDS=17 or SEEDS=0-999: these of the quorum only; CLUSTERS=...: these whole clusters only. WITHOUT and UNTIL are what a shrunk failure says.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from random import SystemRandom
from typing import Any

from .cluster.cluster import FAULTS_MS, Failure, shrink
from .cluster.cluster import simulate as simulate_cluster
from .quorum.cluster import simulate as simulate_quorum
from .quorum.invariants import Violation

Run = tuple[str, Callable[[int], Any], int]


def numbers(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def runs(options: argparse.Namespace) -> Iterable[Run]:
    whole = partial(simulate_cluster, without={int(number) for number in options.without.split(",") if number}, until_ms=options.until)
    if options.seeds or options.clusters:
        quorums = [("quorum", simulate_quorum, seed) for seed in numbers(options.seeds)] if options.seeds else []
        return [*quorums, *(("cluster", whole, seed) for seed in numbers(options.clusters))] if options.clusters else quorums
    first = SystemRandom().randrange(1 << 40) * 1_000_000
    return (run for seed in count(first) for run in (("quorum", simulate_quorum, seed), ("cluster", whole, seed)))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make simulate")
    parser.add_argument("--seeds", default="")
    parser.add_argument("--clusters", default="")
    parser.add_argument("--without", default="")
    parser.add_argument("--until", type=int, default=FAULTS_MS)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    options = parser.parse_args(arguments)
    began_s, done, simulated_ms, steps, failures = time.monotonic(), {"quorum": 0, "cluster": 0}, 0, 0, 0
    try:
        for kind, simulate, seed in runs(options):
            if time.monotonic() - began_s > 60 * options.minutes:
                break
            done[kind] += 1
            try:
                cluster = simulate(seed)
            except Violation as violation:
                failures += 1
                shrunk = shrink(violation) if isinstance(violation, Failure) else violation
                print(f"{kind} {seed}: {shrunk}", flush=True)
            else:
                simulated_ms += cluster.now_ms
                steps += cluster.steps
    except KeyboardInterrupt:
        pass
    took_s = time.monotonic() - began_s
    runs_done = f"{done['quorum']} quorums and {done['cluster']} clusters"
    print(f"{runs_done}, {simulated_ms / 3_600_000:.2f} simulated hours, {steps} steps in {took_s:.0f} s: {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
