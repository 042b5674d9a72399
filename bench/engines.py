"""A server under measurement, of either engine: started and timed, given topics, weighed, stopped.

Owns: what is asked of the server's process and of its topics. Doesn't own: how an engine is started (tests/nodes.py), what is measured (figures.py).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from bench import build_load
from tests import nodes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PARTITIONS = 8
ENGINES = (nodes.SHIPPED_APACHE, nodes.BARNABAS)


def resident_mb(pid: int) -> float:
    """Resident memory of a process (VmRSS)."""
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmRSS"].split()[0]) * 1024 / 1e6


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Server:
    """One node of an engine in a folder of its own, with deleted data really gone after 100 ms."""

    def __init__(self, engine: nodes.Engine, directory: Path, overrides: Mapping[str, str] | None = None) -> None:
        self.name = engine.name
        self.directory = directory / engine.name
        usual = {"num.partitions": str(PARTITIONS), "log.segment.delete.delay.ms": "100"}
        self.node = nodes.new_node(engine, self.directory, {**usual, **(overrides or {})})

    def start(self) -> float:
        """Starts the process; returns the seconds from exec to the first Metadata reply that lists the broker."""
        probe = subprocess.Popen([build_load.load(), "probe", "--port", str(self.node.port)], stdout=subprocess.PIPE, text=True)
        before_ns = time.monotonic_ns()
        self.node.spawn()
        out, _ = probe.communicate(timeout=90)
        if probe.returncode != 0:
            raise nodes.NodeFailed(f"{self.name} didn't list itself:\n{self.node.tail()}")
        return (json.loads(out)["listed_ns"] - before_ns) / 1e9  # type: ignore[no-any-return]

    def stop(self) -> None:
        self.node.stop()

    def remove(self) -> None:
        self.node.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def resident_mb(self) -> float:
        return resident_mb(self.node.pid)

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.node.pid)

    def scale(self, *arguments: object, timeout_s: float = 180) -> dict[str, float]:
        """Asks this server for much at once (scale.c)."""
        return self._run([build_load.scale(), *arguments, "--port", self.node.port, "--pid", self.node.pid], timeout_s)

    def load(self, *arguments: object, timeout_s: float = 180) -> dict[str, float]:
        """Runs the load generator against this server, with the server's CPU time beside."""
        command = [build_load.load(), *arguments, "--port", self.node.port, "--pid", self.node.pid]
        return self._run(command, timeout_s)

    def rdkafka_produce(self, topic: str, record_bytes: int, count: int, warmup: int) -> dict[str, float]:
        return self._run([build_load.rdkafka_produce(), self.node.bootstrap, topic, record_bytes, count, warmup], 180)

    def _run(self, command: list[object], timeout_s: float) -> dict[str, float]:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout_s)
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}: {done.stderr.strip() or done.returncode}\n{self.node.tail(2000)}")
        figures: dict[str, float] = json.loads(done.stdout)
        return figures

    def create_topic(self, name: str) -> None:
        self.create_topics([NewTopic(name, PARTITIONS, 1)])
        time.sleep(0.5)  # Apache lists a topic a moment before its partitions take writes

    def create_topics(self, topics: Sequence[NewTopic]) -> None:
        admin = self._admin()  # kept until the results are there
        for future in admin.create_topics(list(topics), request_timeout=60).values():
            future.result(60)

    def delete_topic(self, name: str) -> None:
        """Returns when the topic's files are gone, so that the next round finds the memory or disk that this one found."""
        admin = self._admin()
        admin.delete_topics([name])[name].result(30)
        deadline = time.monotonic() + 60
        while any(entry.name.startswith(f"{name}-") for entry in self.node.log_dir.iterdir()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: {name} is deleted, but its files are still there after a minute")
            time.sleep(0.05)

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.node.bootstrap, "log_level": 0})
