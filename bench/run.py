"""`make bench-node`: Barnabas beside Apache Kafka on this machine, engines in turn, medians of several rounds, written to bench/RESULTS.md.

Usage: python -m bench.run [--rounds 5] [--quick] [--only KEY,...] [--engines apache,barnabas] [--directory /dev/shm] [--output bench/RESULTS.md]

Both servers stay up, so that the JVM stays warm; only one is under load at a time. Before each round fresh memory is touched, since a virtual machine's first touch
of a page is slow and uneven; after it the round's topic is deleted. A figure's warm-up is repeated until two runs differ by less than 5 %.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench import build_load
from bench.engines import ENGINES, Server
from bench.figures import FIGURES, IDLE, LOADED, ROWS, START, Figure, Row
from tests.apache.release import ReleaseMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

Samples = dict[str, dict[str, list[float]]]  # engine -> row -> a value a round
WARM_WITHIN = 0.05
WARM_RUNS_AT_MOST = 6
TOUCHED_BYTES = 4_000_000_000


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def measure_start(servers: Sequence[Server], rounds: int, samples: Samples) -> None:
    """Starts on an existing, cleanly stopped directory; the very first start, which creates what is missing, doesn't count. Leaves all running."""
    for server in servers:
        server.start()
        server.stop()
    for last in (round_number == rounds - 1 for round_number in range(rounds)):
        for server in servers:
            samples[server.name].setdefault(START.key, []).append(server.start() * 1000)
            if not last:
                server.stop()
    time.sleep(5)
    for server in servers:
        samples[server.name][IDLE.key] = [server.resident_mb()]


def touch_memory() -> None:
    subprocess.run([build_load.load(), "touch", "--count", str(TOUCHED_BYTES)], check=True)


def warm(server: Server, figure: Figure) -> None:
    """Runs the load, shortened, until it is steady."""
    previous = 0.0
    for _ in range(WARM_RUNS_AT_MOST):
        value = figure.measure(server, 0.4)[figure.rows[0].key]
        if abs(value - previous) <= WARM_WITHIN * value:
            return
        previous = value


def measure(servers: Sequence[Server], figures: Sequence[Figure], rounds: int, samples: Samples, scale: float) -> None:
    for figure in figures:
        for server in servers:
            warm(server, figure)
        for _ in range(rounds):
            for server in servers:
                touch_memory()
                for key, value in figure.measure(server, scale).items():
                    samples[server.name].setdefault(key, []).append(value)
        for row in figure.rows:
            shown = ", ".join(f"{server.name} {statistics.median(samples[server.name][row.key]):.2f}" for server in servers)
            say(f"{row.title}: {shown} {row.unit}")


def machine(directory: Path) -> list[str]:
    """What a reader needs in order to place the figures."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")),
        platform.machine(),
    )
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    java = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr.splitlines()
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(directory)], capture_output=True, text=True).stdout.strip()
    return [
        f"{cpu}, {os.cpu_count()} cores, {memory_gb:.0f} GB, Linux {platform.release()}, data on {kind}",
        f"Python {platform.python_version()}; {java[0] if java else 'no Java'}; Apache Kafka 4.3.1 with 1 GB heap and its G1 flags",
    ]


def spread(values: Sequence[float], row: Row) -> str:
    """The median, and the range that it comes from."""
    median = f"{statistics.median(values):,.{row.decimals}f}"
    return median if len(values) == 1 else f"{median} ({min(values):,.{row.decimals}f} - {max(values):,.{row.decimals}f})"


def table(samples: Samples, rows: Sequence[Row]) -> list[str]:
    lines = ["| figure | unit | Apache | Barnabas | ratio | must | aim | |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        apache, barnabas = (samples.get(name, {}).get(row.key) for name in ("apache", "barnabas"))
        ratio = statistics.median(barnabas) / statistics.median(apache) if apache and barnabas else None
        value = statistics.median(barnabas) if barnabas else None
        figures = [spread(values, row) if values else "-" for values in (apache, barnabas)]
        judged = ["-" if ratio is None else f"{ratio:.2f}x", row.bound(row.must), row.bound(row.aim), row.verdict(ratio, value)]
        lines.append("| " + " | ".join([row.title, row.unit, *figures, *judged]) + " |")
    return lines


def report(samples: Samples, directory: Path, rounds: int, arguments: Sequence[str]) -> str:
    head = [
        "# Barnabas beside Apache Kafka 4.3.1",
        "",
        f"`python -m bench.run {' '.join(arguments)}`".replace(" `", "`")
        + f", {datetime.datetime.now(datetime.UTC):%Y-%m-%d}; {rounds} rounds, medians (ranges).",
        *machine(directory),
        "",
        "8 partitions, acks=all, one combined node, loopback, plaintext; 1 KB records in the 256 KB batches.",
        "Load from compiled clients (`bench/load.c`, `bench/rdkafka_produce.c`) on the same cores.",
        "CPU is user and system time of the server's process during the window. Latency is from send to ack, open-loop, 4 connections.",
        "The start is on a cleanly stopped directory. Ratio: Barnabas / Apache.",
        "",
    ]
    return "\n".join([*head, *table(samples, ROWS), ""])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="2 rounds of shorter loads, and nothing written unless --output is given")
    parser.add_argument("--only", default="", help="row keys, comma separated: " + ", ".join(row.key for row in ROWS))
    parser.add_argument("--engines", default="apache,barnabas")
    parser.add_argument("--directory", default="/dev/shm" if Path("/dev/shm").is_dir() else None)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    rounds, scale = (2, 0.4) if options.quick else (options.rounds, 1.0)
    output = options.output or (None if options.quick else Path(__file__).parent / "RESULTS.md")
    wanted = set(options.only.split(",")) - {""}
    figures = [figure for figure in FIGURES if not wanted or any(row.key in wanted for row in figure.rows)]
    build_load.load()
    if any(row.key == "rdkafka" for figure in figures for row in figure.rows):
        build_load.rdkafka_produce()
    directory = Path(tempfile.mkdtemp(prefix="barnabas-bench-", dir=options.directory))
    servers: list[Server] = []
    samples: Samples = {}
    try:
        for engine in ENGINES:
            if engine.name in options.engines.split(","):
                servers.append(Server(engine, directory))
                samples[engine.name] = {}
        measure_start(servers, rounds if not wanted or START.key in wanted else 1, samples)
        measure(servers, figures, rounds, samples, scale)
        for server in servers:
            samples[server.name][LOADED.key] = [server.resident_mb()]
        text = report(samples, directory, rounds, arguments)
    finally:
        for server in servers:
            server.remove()
        shutil.rmtree(directory, ignore_errors=True)
    print(text)
    if output:
        output.write_text(text)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (build_load.CannotBuild, ReleaseMissing) as missing:
        sys.exit(f"bench: {missing}")
