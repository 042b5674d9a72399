"""`make bench-cluster`: three Barnabas nodes beside three Apache Kafka nodes; medians of rounds, written to bench/CLUSTER.md.

Usage: python -m bench.cluster [--rounds 3] [--quick] [--only speed,failover,scale] [--engines apache,barnabas] [--directory /dev/shm] [--output bench/CLUSTER.md]

Each round gives each engine three fresh nodes and takes them through their lives: started, loaded, weighed; stopped and killed in turn under an idempotent producer;
then given 2,000 partitions. One engine runs at a time. The fail-overs are those of tests/cluster/stories.py, with the clients' and nodes' default settings.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from barnabas.client.admin import topics
from bench import build_load
from bench.engines import ENGINES, cpu_seconds, resident_mb
from bench.figures import Row
from bench.run import Samples, machine, say, table, touch_memory
from tests.apache.release import ReleaseMissing
from tests.cluster import stories
from tests.cluster.cluster import Cluster, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.client.cluster import Cluster as Client
    from tests.cluster.cluster import Member
    from tests.nodes import Engine

NODES, PARTITIONS = 3, 6
IDLE_SECONDS = 15
WIDE, LED = 1000, 2000
ROWS = (
    Row("start", "start of three nodes to an acknowledged record in a topic of three replicas", "ms", 1000, 400, more_is_better=False, of_value=True),
    Row("rss_idle", "resident memory of the three, idle", "MB", 0.2, 0.2, more_is_better=False),
    Row("large", "librdkafka, 1 KB records, idempotent", "MB/s", 1.3, 3, decimals=1),
    Row("large_cpu", "the three nodes' CPU for it", "CPU s/GB", None, None, more_is_better=False, decimals=1),
    Row("small", "librdkafka, 100-byte records, idempotent", "M/s", 1, 2, decimals=2),
    Row("small_cpu", "the three nodes' CPU for it", "CPU s a million", None, None, more_is_better=False, decimals=2),
    Row("six_p50", "ack p50 at 1,000 single records/s over six partitions", "ms", 1, 0.1, more_is_better=False, decimals=2),
    Row("six_p99", "ack p99 at 1,000 single records/s over six partitions", "ms", 0.5, 0.1, more_is_better=False, decimals=2),
    Row("one_p50", "ack p50 at 1,000 single records/s in one partition", "ms", 1, 0.1, more_is_better=False, decimals=2),
    Row("one_p99", "ack p99 at 1,000 single records/s in one partition", "ms", 0.5, 0.1, more_is_better=False, decimals=2),
    Row("rss_loaded", "resident memory of the three after this load", "MB", 0.2, 0.2, more_is_better=False),
    Row("kill_leader", "kill -9 of a leader: longest gap of a partition", "ms", 1500, 300, more_is_better=False, of_value=True),
    Row("kill_active", "kill -9 of the active controller: the same", "ms", 1500, 300, more_is_better=False, of_value=True),
    Row("kill_active_create", "until the next CreateTopics succeeds", "ms", 1500, 300, more_is_better=False, of_value=True),
    Row("stop", "SIGTERM to a leader that is the active controller: longest gap", "ms", 500, 100, more_is_better=False, of_value=True),
    Row("rolling", "rolling restart: longest gap", "ms", 500, 100, more_is_better=False, of_value=True),
    Row("rolling_whole", "the rolling restart, all in sync after each", "s", None, None, more_is_better=False, decimals=1),
    Row("create", f"create a topic of {WIDE:,} partitions, three replicas", "ms", None, None, more_is_better=False),
    Row("idle_cpu", f"CPU of the three, idle, with {WIDE + LED:,} partitions", "ms a s", 1, 0.3, more_is_better=False, decimals=1),
    Row("failover", f"kill -9 of the leader of {LED:,} partitions: until all have another", "ms", None, None, more_is_better=False),
    Row("restart", "its restart, until all its replicas are in sync", "ms", None, None, more_is_better=False),
)
PARTS = ("speed", "failover", "scale")


def a_life(cluster: Cluster, parts: Sequence[str], scale: float) -> dict[str, float]:
    """One round of one engine."""
    got = {"start": stories.start_together(cluster) * 1000}
    cluster.wait_until_ready()
    if "speed" in parts:
        time.sleep(5)
        got["rss_idle"] = _resident(cluster)
        got.update(_speed(cluster, scale))
        got["rss_loaded"] = _resident(cluster)
    if "failover" in parts:
        got.update(_failover(cluster))
    if "scale" in parts:
        got.update(_scale(cluster))
    return got


def _speed(cluster: Cluster, scale: float) -> dict[str, float]:
    got: dict[str, float] = {}
    for key, size, count in (("large", 1024, int(500_000 * scale)), ("small", 100, int(3_000_000 * scale))):
        cluster.create_topic(key, PARTITIONS, NODES)
        cluster.wait_for_full_isr(key)
        _rdkafka(cluster, key, size, count // 2, 1000)  # what a JVM needs to get warm
        before = _cpu(cluster)
        per_s = _rdkafka(cluster, key, size, count, count // 5)["records_per_s"]
        used, sent = _cpu(cluster) - before, count * 1.2
        got[key] = per_s * size / 1e6 if key == "large" else per_s / 1e6
        got[f"{key}_cpu"] = used / (sent * size / 1e9) if key == "large" else used / (sent / 1e6)
        _delete(cluster, key)
    for key, partitions in (("six", PARTITIONS), ("one", 1)):
        cluster.create_topic(key, partitions, NODES)
        cluster.wait_for_full_isr(key)
        found = _rdkafka(cluster, key, 100, int(10_000 * scale), 3000, 1000, partitions)
        got[f"{key}_p50"], got[f"{key}_p99"] = found["p50_ms"], found["p99_ms"]
    return got


def _failover(cluster: Cluster) -> dict[str, float]:
    got: dict[str, float] = {}
    with stories.Scene(cluster, partitions=PARTITIONS, per_second=1000, group=False, churn=False) as scene:
        got["kill_leader"] = stories.kill_leader(scene)["gap"] * 1000
        killed = stories.kill_active_controller(scene)
        got["kill_active"], got["kill_active_create"] = killed["gap"] * 1000, killed["until created"] * 1000
        got["stop"] = stories.stop_leader(scene)["gap"] * 1000
        rolled = stories.rolling_restart(scene)
        got["rolling"], got["rolling_whole"] = rolled["gap"] * 1000, rolled["whole"]
        scene.check()
    return got


def _scale(cluster: Cluster) -> dict[str, float]:
    got: dict[str, float] = {}
    began = time.monotonic()
    cluster.create_topic("wide", WIDE, NODES)
    cluster.wait_for("all directories are there", lambda: all(_directories(member, "wide") == WIDE for member in cluster.brokers))
    got["create"] = (time.monotonic() - began) * 1000
    active = cluster.active_controller()
    victim = next(member for member in cluster.brokers if member is not active)
    others = [member.node_id for member in cluster.brokers if member is not victim]
    new = topics.NewTopic("led", -1, -1, assignments={n: [victim.node_id, *others] for n in range(LED)})

    async def create(client: Client) -> None:
        failure = (await topics.create(client, [new]))["led"]
        if failure is not None:
            raise failure

    cluster.ask(create)
    cluster.wait_for("all directories are there", lambda: all(_directories(member, "led") == LED for member in cluster.brokers))
    cluster.wait_for_full_isr("led")
    time.sleep(10)
    before = _cpu(cluster)
    time.sleep(IDLE_SECONDS)
    got["idle_cpu"] = (_cpu(cluster) - before) / IDLE_SECONDS * 1000
    began = time.monotonic()
    victim.kill()
    survivors = cluster.running(cluster.brokers)
    cluster.wait_for("all have another leader", lambda: all(_led_elsewhere(cluster, member, victim) for member in survivors))
    got["failover"] = (time.monotonic() - began) * 1000
    began = time.monotonic()
    cluster.spawn([victim])
    cluster.wait_for("the lost node's replicas are in sync", lambda: _in_sync(cluster, victim), 180)
    got["restart"] = (time.monotonic() - began) * 1000
    return got


def _led_elsewhere(cluster: Cluster, by: Member, victim: Member) -> bool:
    rows = cluster.partitions("led", by)
    return len(rows) == LED and all(row.leader_id not in (-1, victim.node_id) for row in rows)


def _in_sync(cluster: Cluster, member: Member) -> bool:
    rows = cluster.partitions("led", next(other for other in cluster.brokers if other is not member))
    return len(rows) == LED and all(member.node_id in row.isr_nodes for row in rows)


def _directories(member: Member, topic: str) -> int:
    return sum(entry.name.startswith(f"{topic}-") for entry in member.log_dir.iterdir())


def _rdkafka(cluster: Cluster, topic: str, *arguments: float) -> dict[str, float]:
    command = [build_load.rdkafka_produce(), cluster.bootstrap, topic, *arguments]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"{done.stderr.strip() or done.returncode}\n{cluster.outputs()}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _delete(cluster: Cluster, topic: str) -> None:
    """Returns when its files are gone."""
    cluster.ask(lambda client: topics.delete(client, [topic]))
    cluster.wait_for("its files are gone", lambda: not any(_directories(member, topic) for member in cluster.brokers))


def _resident(cluster: Cluster) -> float:
    return sum(resident_mb(member.pid) for member in cluster.running())


def _cpu(cluster: Cluster) -> float:
    return sum(cpu_seconds(member.pid) for member in cluster.running())


def one_round(engine: Engine, directory: Path, parts: Sequence[str], scale: float) -> dict[str, float]:
    touch_memory()
    plan = Plan([engine] * NODES, racks={n: f"rack-{n}" for n in range(1, NODES + 1)}, overrides={"log.segment.delete.delay.ms": "100"})
    with Cluster(plan, directory) as cluster:
        return a_life(cluster, parts, scale)


def report(samples: Samples, described: Sequence[str], arguments: Sequence[str], rounds: int) -> str:
    head = [
        "# Three nodes beside three of Apache Kafka 4.3.1",
        "",
        f"`{' '.join(['python -m bench.cluster', *arguments])}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}; {rounds} rounds, medians (ranges).",
        *described,
        "",
        f"Three combined nodes, dynamic voters, loopback, plaintext, fresh directories each round; three replicas, min.insync.replicas 2, {PARTITIONS} partitions.",
        "Clients: librdkafka (`bench/rdkafka_produce.c`), idempotent, acks=all, default settings, on the same cores. The latency is from the time a record is due.",
        "Gaps: the longest time without an acknowledgement in any partition, at 1,000 records/s. Ratio: Barnabas / Apache.",
        "",
    ]
    return "\n".join([*head, *table(samples, [row for row in ROWS if any(row.key in values for values in samples.values())]), ""])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.cluster", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="1 round of shorter loads, and nothing written unless --output is given")
    parser.add_argument("--only", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    parser.add_argument("--engines", default="apache,barnabas")
    parser.add_argument("--directory", default="/dev/shm" if Path("/dev/shm").is_dir() else None)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    rounds, scale = (1, 0.3) if options.quick else (options.rounds, 1.0)
    output = options.output or (None if options.quick else Path(__file__).parent / "CLUSTER.md")
    build_load.load()
    build_load.rdkafka_produce()
    engines = [engine for engine in ENGINES if engine.name in options.engines.split(",")]
    directory = Path(tempfile.mkdtemp(prefix="barnabas-bench-", dir=options.directory))
    samples: Samples = {engine.name: {} for engine in engines}
    try:
        described = machine(directory)
        for number in range(rounds):
            for engine in engines:
                got = one_round(engine, directory / f"{engine.name}-{number}", options.only.split(","), scale)
                for key, value in got.items():
                    samples[engine.name].setdefault(key, []).append(value)
                say(f"round {number + 1}, {engine.name}: " + ", ".join(f"{key} {value:.2f}" for key, value in got.items()))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    text = report(samples, described, arguments, rounds)
    print(text)
    if output:
        output.write_text(text)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (build_load.CannotBuild, ReleaseMissing) as missing:
        sys.exit(f"bench: {missing}")
