"""Other people's test suites against a node of ours: `python -m tests.clients.suites [NAME ...]`, which is `make suites`.

A suite is a folder: `run.sh` fetches and runs it, `apache.txt` lists the cases that pass on Apache Kafka 4.3.1, `waiting.txt` those of them that don't pass here
yet with the capability that each waits for, `server.properties` what it expects of a broker, FINDINGS.md what was learnt. broker.rack there may name several
racks: the suite is run on that many nodes then, one in each.

Every case of apache.txt passes here or stands in waiting.txt: anything else is a failure. `--waiting` runs the waiting ones instead; one that passes has to
leave the list. SUBJECT=apache runs all of it on Apache Kafka.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests import nodes
from tests.apache import release
from tests.cluster.cluster import Cluster, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NAMES = ("kafka-python", "librdkafka")
CAPABILITIES = {"transactions", "security", "new groups", "share groups"}


class Suite(NamedTuple):
    name: str
    apache: list[str]
    waiting: dict[str, str]
    """The capability by case."""
    properties: dict[str, str]
    racks: list[str]
    """One for each node; empty for a single one without."""


class Outcome(NamedTuple):
    ran: list[str]
    passed: set[str]
    again: list[str]
    """Those of `passed` that needed a second try, alone on the node."""
    unexpected: list[str]
    took_s: float


def load(name: str) -> Suite:
    """Raises ValueError for a line that means nothing."""
    folder = HERE / name
    apache = _lines(folder / "apache.txt")
    waiting = {}
    for line in _lines(folder / "waiting.txt"):
        case, _, capability = line.partition(" ")
        waiting[case] = capability.strip()
        if case not in apache:
            raise ValueError(f"{folder}/waiting.txt: {case} isn't in apache.txt")
        if waiting[case] not in CAPABILITIES:
            raise ValueError(f"{folder}/waiting.txt: {case} waits for {capability.strip()!r}, which is none of {sorted(CAPABILITIES)}")
    properties = dict(line.split("=", 1) for line in _lines(folder / "server.properties"))
    racks = [rack.strip() for rack in properties.pop("broker.rack", "").split(",") if rack]
    return Suite(name, apache, waiting, properties, racks)


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


def run(suite: Suite, cases: list[str], folder: Path, expected: bool = True) -> Outcome:
    """These cases on fresh nodes in `folder`. `expected`: they should pass; what doesn't gets a second try alone, since a loaded machine misses deadlines."""
    began = time.monotonic()
    engine = nodes.APACHE if os.environ.get("SUBJECT") == "apache" else nodes.BARNABAS
    with _nodes(suite, engine, folder / "nodes") as (bootstrap, running):
        passed = _run(suite.name, bootstrap, cases, folder / "results")
        missing = [case for case in cases if case not in passed] if expected else []
        again = _run(suite.name, bootstrap, missing, folder / "again", jobs=1) & set(missing) if missing else set()
        if not all(node.running() for node in running):
            raise nodes.NodeFailed(f"a node ended while {suite.name} ran:\n" + "\n".join(node.tail() for node in running))
    passed = (passed | again) & set(cases)
    unexpected = [case for case in cases if (case in passed) != expected]
    return Outcome(cases, passed, sorted(again), unexpected, time.monotonic() - began)


@contextmanager
def _nodes(suite: Suite, engine: nodes.Engine, folder: Path) -> Iterator[tuple[str, list[nodes.Node]]]:
    """Their bootstrap servers, and they themselves."""
    if not suite.racks:
        node = nodes.new_node(engine, folder, suite.properties).start()
        try:
            yield node.bootstrap, [node]
        finally:
            node.kill()
        return
    plan = Plan([engine] * len(suite.racks), racks=dict(enumerate(suite.racks, 1)), overrides=suite.properties)
    with Cluster(plan, folder) as cluster:
        cluster.start()
        yield cluster.bootstrap, [*cluster.members.values()]


def _run(name: str, bootstrap: str, cases: list[str], out: Path, jobs: int = 4) -> set[str]:
    """What passed."""
    out.mkdir(parents=True)
    listed = out / "cases.txt"
    listed.write_text("".join(f"{case}\n" for case in cases))
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "PYTHON"))},
        "CASES": str(listed),
        "JOBS": os.environ.get("JOBS", str(jobs)),
        "KAFKA_LIBS": str(release.apache_libs()),
        "PYTHON": sys.executable,
        "WORK": os.environ.get("WORK") or str(ROOT / "build" / "suites"),
    }
    done = subprocess.run(
        [str(HERE / name / "run.sh"), bootstrap, str(out)], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    results = out / "results.txt"
    if done.returncode or not results.exists():
        raise RuntimeError(f"{name}/run.sh ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
    return {line.removeprefix("pass ") for line in results.read_text().splitlines() if line.startswith("pass ")}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.clients.suites", description="Runs other people's test suites against a node of ours.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--only", default="", metavar="PATTERN", help="only cases whose name has this regular expression in it")
    parser.add_argument("--waiting", action="store_true", help="run the cases of waiting.txt instead: those that pass have to leave it")
    parser.add_argument("--keep", metavar="DIR", help="keep what the suites and the nodes printed in this folder")
    arguments = parser.parse_args()
    failed = False
    for name in arguments.names or NAMES:
        suite = load(name)
        cases = [case for case in suite.apache if (case in suite.waiting) == arguments.waiting and re.search(arguments.only, case)]
        if not cases:
            continue
        folder = Path(tempfile.mkdtemp(prefix="barnabas-suite-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        try:
            outcome = run(suite, cases, folder, expected=not arguments.waiting)
        finally:
            if arguments.keep:
                shutil.copytree(folder, Path(arguments.keep) / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("log"))
            shutil.rmtree(folder, ignore_errors=True)
        _report(suite, outcome, arguments.waiting)
        failed = failed or bool(outcome.unexpected)
    return int(failed)


def _report(suite: Suite, outcome: Outcome, waiting: bool) -> None:
    print(
        f"{suite.name}: {len(outcome.ran)} cases run, {len(outcome.passed)} passed here"
        f"{f' ({len(outcome.again)} at the second try)' if outcome.again else ''}, {len(suite.apache)} passed on Apache Kafka 4.3.1, "
        f"{len(suite.waiting)} waiting; {outcome.took_s:.0f} s"
    )
    if not waiting:
        for capability in sorted(set(suite.waiting.values())):
            print(f"  waiting for {capability}: {sum(found == capability for found in suite.waiting.values())}")
    for case in outcome.again:
        print(f"  second try: {case}")
    for case in outcome.unexpected:
        print(f"  {'passes now, take it out of waiting.txt' if waiting else 'FAILED'}: {case}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
