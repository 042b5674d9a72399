"""`make bench-scale`: one node with many topics, groups and connections, beside Apache Kafka; medians, written to bench/SCALE.md.

Usage: python -m bench.scale [--rounds 3] [--directory /dev/shm] [--output bench/SCALE.md]

Each round gives each engine a fresh directory and takes it through its whole life: 5,000 partitions made, asked for, left idle, stopped, killed; then groups and
connections. What is made counts as made when its files are there.
"""

from __future__ import annotations

import argparse
import datetime
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from bench import build_load
from bench.engines import ENGINES, Server
from bench.figures import Row
from bench.run import Samples, machine, say, table, touch_memory
from tests.apache.release import ReleaseMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

INITIAL_DELAY_MS = 500
IDLE_SECONDS = 15
ROWS = (
    Row("create_topics", "create 1,000 topics of one partition", "ms", 1, 0.33, more_is_better=False),
    Row("create_partitions", "create a topic of 4,000 partitions beside them", "ms", 1, 0.33, more_is_better=False),
    Row("metadata", "Metadata for all topics, 5,000 partitions", "ms", 1, 0.33, more_is_better=False, decimals=2),
    Row("idle_cpu", "CPU of the idle node with 5,000 partitions", "ms a s", 1, 0.33, more_is_better=False, decimals=1),
    Row("resident", "resident memory with 5,000 partitions", "MB", 1, 0.33, more_is_better=False),
    Row("restart", "start with 5,000 partitions after a clean stop", "ms", 1, 0.33, more_is_better=False),
    Row("restart_killed", "start with 5,000 partitions after kill -9", "ms", 1, 0.33, more_is_better=False),
    Row("join", "500 consumers join one group, beyond its initial delays", "ms", 1, 0.33, more_is_better=False),
    Row("join_cpu", "the server's CPU for it", "ms", 1, 0.33, more_is_better=False),
    Row("commit", "2,000 groups commit, 64 connections", "k/s", 1, 3, decimals=1),
    Row("connections", "2,000 connections produce, one 100-byte record a request", "k/s", 1, 3, decimals=1),
)


def a_life(server: Server) -> dict[str, float]:
    """One round of one engine."""
    got: dict[str, float] = {}
    server.start()
    server.create_topic("bench")
    got["create_topics"] = _create(server, [NewTopic(f"small-{n}", 1, 1) for n in range(1000)], 1008)
    got["create_partitions"] = _create(server, [NewTopic("wide", 4000, 1)], 5008)
    got["metadata"] = server.scale("metadata", "--count", 100, "--warmup", 20)["ms"]
    time.sleep(5)
    before = server.cpu_seconds()
    time.sleep(IDLE_SECONDS)
    got["idle_cpu"] = (server.cpu_seconds() - before) / IDLE_SECONDS * 1000
    got["resident"] = server.resident_mb()
    server.stop()
    got["restart"] = server.start() * 1000
    time.sleep(2)
    server.node.kill()
    got["restart_killed"] = server.start() * 1000
    joins = [server.scale("join", "--members", 500, "--group", f"g{n}") for n in range(3)][1:]  # the first one makes __consumer_offsets
    got["join"] = min(join["seconds"] for join in joins) * 1000 - 2 * INITIAL_DELAY_MS
    got["join_cpu"] = min(join["server_cpu_seconds"] for join in joins) * 1000
    got["commit"] = server.scale("commit", "--groups", 2000, "--connections", 64, "--warmup", 20_000, "--count", 50_000)["commits_per_s"] / 1000
    shape = ("--topic", "bench", "--connections", 2000, "--record", 100)
    got["connections"] = server.load("produce", *shape, "--warmup", 50_000, "--count", 150_000)["requests_per_s"] / 1000
    server.stop()
    return got


def _create(server: Server, topics: Sequence[NewTopic], directories: int) -> float:
    """Milliseconds until all their directories are there."""
    start = time.monotonic()
    server.create_topics(topics)
    while sum(entry.name[-1].isdigit() for entry in server.node.log_dir.iterdir()) < directories + 1:  # and the metadata log's
        if time.monotonic() > start + 120:
            raise RuntimeError(f"{server.name}: {directories} partitions aren't there after two minutes")
        time.sleep(0.005)
    return (time.monotonic() - start) * 1000


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", default="/dev/shm" if Path("/dev/shm").is_dir() else None)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "SCALE.md")
    options = parser.parse_args(arguments)
    build_load.scale()
    directory = Path(tempfile.mkdtemp(prefix="barnabas-bench-", dir=options.directory))
    samples: Samples = {engine.name: {} for engine in ENGINES}
    try:
        for number in range(options.rounds):
            for engine in ENGINES:
                touch_memory()
                server = Server(engine, directory / str(number), {"group.initial.rebalance.delay.ms": str(INITIAL_DELAY_MS)})
                try:
                    for key, value in a_life(server).items():
                        samples[engine.name].setdefault(key, []).append(value)
                finally:
                    server.remove()
                say(f"round {number + 1}, {engine.name}: " + ", ".join(f"{key} {values[-1]:.1f}" for key, values in samples[engine.name].items()))
        described = machine(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    command = " ".join(["python -m bench.scale", *arguments])
    text = "\n".join(
        [
            "# One node at scale, beside Apache Kafka 4.3.1",
            "",
            f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}; {options.rounds} rounds, medians (ranges).",
            *described,
            "",
            "One combined node, loopback, plaintext, a fresh directory each round. Load from `bench/scale.c` and `bench/load.c`.",
            "The starts are from exec to the first Metadata reply that lists the broker.",
            f"The group's initial delay is {INITIAL_DELAY_MS} ms, which both wait twice. Ratio: Barnabas / Apache.",
            "",
            *table(samples, ROWS),
            "",
        ]
    )
    print(text)
    options.output.write_text(text)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (build_load.CannotBuild, ReleaseMissing) as missing:
        sys.exit(f"bench: {missing}")
