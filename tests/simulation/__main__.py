"""`make simulate`: the quorum's simulated clusters and whole clusters in turns, with new seeds, until it is interrupted or MINUTES are over.

SEEDS=17 or SEEDS=0-999: these of the quorum only; CLUSTERS=...: these whole clusters only. WITHOUT and UNTIL are what a shrunk failure says.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from itertools import count
from random import SystemRandom
from typing import Any, NamedTuple

from .cluster.cluster import simulate as simulate_cluster
from .failures import Failure, shrink
from .quorum.cluster import simulate as simulate_quorum


class Kind(NamedTuple):
    name: str
    simulate: Callable[..., Any]
    """From seed, misfortunes left out, and until when there are any."""


QUORUM, CLUSTER = Kind("quorum", simulate_quorum), Kind("cluster", simulate_cluster)


def numbers(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def runs(options: argparse.Namespace) -> Iterable[tuple[Kind, int]]:
    if options.seeds or options.clusters:
        asked = ((QUORUM, options.seeds), (CLUSTER, options.clusters))
        return ((kind, seed) for kind, text in asked if text for seed in numbers(text))
    first = SystemRandom().randrange(1 << 40) * 1_000_000
    return ((kind, seed) for seed in count(first) for kind in (QUORUM, CLUSTER))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make simulate")
    parser.add_argument("--seeds", default="")
    parser.add_argument("--clusters", default="")
    parser.add_argument("--without", default="")
    parser.add_argument("--until", type=int)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    options = parser.parse_args(arguments)
    story: dict[str, Any] = {"without": {int(number) for number in options.without.split(",") if number}}
    if options.until is not None:
        story["until_ms"] = options.until
    began_s, done, simulated_ms, steps, failures = time.monotonic(), {"quorum": 0, "cluster": 0}, 0, 0, 0
    try:
        for kind, seed in runs(options):
            if time.monotonic() - began_s > 60 * options.minutes:
                break
            done[kind.name] += 1
            try:
                cluster = kind.simulate(seed, **story)
            except Failure as failure:
                failures += 1
                print(f"{kind.name} {seed}: {shrink(failure, kind.simulate)}", flush=True)
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
