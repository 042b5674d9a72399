"""`make bench-perf-tools`: the performance tools beside Apache Kafka's, on one node of either engine. What is slow here is the tool, not the node.

Usage: python -m bench.perf_tools [--rounds 3] [--directory /dev/shm]

The tools take turns; a round of one takes a second or two. Medians, and the CPU that the tool's own process took, which other work on the machine changes less.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests import nodes
from tests.apache import release

PARTITIONS = "6"
LOADS = ((100, 1_500_000), (1024, 200_000))
PRODUCER, CONSUMER = "kafka-producer-perf-test", "kafka-consumer-perf-test"
CLASSES = {PRODUCER: "org.apache.kafka.tools.ProducerPerformance", CONSUMER: "org.apache.kafka.tools.ConsumerPerformance"}
JVM_FLAGS = ("-Xmx512M", "-server", "-XX:+UseG1GC")
"""What kafka-producer-perf-test.sh gives its JVM."""
OURS = (sys.executable, "-m", "barnabas.cli.kafka")


class Figure(NamedTuple):
    records_s: float
    mb_s: float
    cpu_s: float


def command(who: str, tool: str) -> list[str]:
    return release.java_command(CLASSES[tool], flags=JVM_FLAGS) if who == "apache" else [*OURS, tool]


def run(words: list[str]) -> tuple[str, float]:
    """The last line, and the CPU seconds of the process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout.splitlines()[-1], after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def produce(who: str, bootstrap: str, topic: str, size: int, count: int) -> Figure:
    load = ("--topic", topic, "--num-records", str(count), "--record-size", str(size), "--throughput", "-1", "--command-property", "acks=all")
    line, cpu_s = run([*command(who, PRODUCER), "--bootstrap-server", bootstrap, *load])
    found = re.search(r"([\d.]+) records/sec \(([\d.]+) MB/sec", line)
    assert found, line
    return Figure(float(found[1]), float(found[2]), cpu_s)


def consume(who: str, bootstrap: str, topic: str, count: int) -> Figure:
    """Rates while it fetches, the wait for the group apart."""
    line, cpu_s = run([*command(who, CONSUMER), "--bootstrap-server", bootstrap, "--topic", topic, "--num-records", str(count), "--hide-header"])
    cells = line.split(", ")
    return Figure(float(cells[9]), float(cells[8]), cpu_s)


def rounds(node: nodes.Node, count: int) -> dict[tuple[str, int, str], list[Figure]]:
    found: dict[tuple[str, int, str], list[Figure]] = {}
    for number in range(count):
        for size, records in LOADS:
            for who in ("apache", "barnabas"):
                topic = f"{who}-{size}-{number}"
                _topics(node, "--create", "--topic", topic, "--partitions", PARTITIONS)
                found.setdefault(("produce", size, who), []).append(produce(who, node.bootstrap, topic, size, records))
                found.setdefault(("consume", size, who), []).append(consume(who, node.bootstrap, topic, records))
                _topics(node, "--delete", "--topic", topic)
    return found


def _topics(node: nodes.Node, *words: str) -> None:
    subprocess.run([*OURS, "kafka-topics", "--bootstrap-server", node.bootstrap, *words], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, default=Path("/dev/shm"))
    given = parser.parse_args()
    print("| node | load | records | Apache's tool | ours | CPU s, Apache's tool | ours |\n|---|---|---|---|---|---|---|")
    for engine in (nodes.BARNABAS, nodes.SHIPPED_APACHE):
        folder = Path(tempfile.mkdtemp(prefix="bench-tools-", dir=given.directory))
        node = nodes.new_node(engine, folder).start()
        try:
            found = rounds(node, given.rounds)
        finally:
            node.kill()
            shutil.rmtree(folder, ignore_errors=True)
        for kind, size, _ in [key for key in found if key[2] == "apache"]:
            cells = []
            for who in ("apache", "barnabas"):
                records_s, mb_s, cpu_s = (statistics.median(column) for column in zip(*found[kind, size, who], strict=True))
                cells.append((f"{records_s / 1000:,.0f} k/s, {mb_s:,.0f} MB/s", f"{cpu_s:.1f}"))
            print(f"| {engine.name} | {kind} | {size} B | {cells[0][0]} | {cells[1][0]} | {cells[0][1]} | {cells[1][1]} |", flush=True)


if __name__ == "__main__":
    main()
