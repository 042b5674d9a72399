"""Three nodes of either engine as one cluster, in racks, with two log directories each: what administrators' tools are compared on.

Owns: such nodes' properties, their formatting for one dynamic quorum (by our `kafka-storage`, which test_format.py compares), start and end.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.cluster import Cluster
from tests import nodes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SIZE = 3


class Trio(NamedTuple):
    """Nodes 1 to 3, which lie in racks a to c. `directory_ids` are those of their metadata directories."""

    nodes: tuple[nodes.Node, ...]
    cluster_id: str
    directory_ids: tuple[str, ...]

    @property
    def bootstrap(self) -> str:
        return ",".join(node.bootstrap for node in self.nodes)

    @property
    def controllers(self) -> str:
        return ",".join(map(controller_of, self.nodes))

    def start(self) -> Trio:
        for node in self.nodes:
            node.spawn()
        self.wait_for(range(1, SIZE + 1))
        return self

    def wait_for(self, brokers: Iterable[int]) -> None:
        """Until every node that runs lists exactly these brokers."""
        wanted = set(brokers)
        deadline = time.monotonic() + nodes.START_TIMEOUT_S
        while not all(nodes.lists_broker("127.0.0.1", node.port) and _listed(node) == wanted for node in self.nodes if node.running()):
            assert time.monotonic() < deadline, "\n".join(node.tail(2000) for node in self.nodes)
            time.sleep(0.05)

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()


def controller_of(node: nodes.Node) -> str:
    """Where the node's controller listens."""
    return next(entry.removeprefix("CONTROLLER://") for entry in node.properties["listeners"].split(",") if entry.startswith("CONTROLLER://"))


def _listed(node: nodes.Node) -> set[int]:
    async def ask() -> set[int]:
        async with Cluster(node.bootstrap) as cluster:
            await cluster.refresh([])
            return set(cluster.brokers)

    return asyncio.run(ask())


def make(directory: Path, engine: nodes.Engine = nodes.APACHE) -> Trio:
    """Formatted, not started."""
    files = [directory / f"{node_id}.properties" for node_id in range(1, SIZE + 1)]
    every = [nodes.combined_properties(directory) for _ in files]
    quorum = ",".join(each["controller.quorum.bootstrap.servers"] for each in every)
    for index, (path, properties) in enumerate(zip(files, every, strict=True)):
        properties.update(
            {
                "node.id": str(index + 1),
                "broker.rack": "abc"[index],
                "controller.quorum.bootstrap.servers": quorum,
                "log.dirs": ",".join(str(directory / f"{index + 1}{end}") for end in "xy"),
                "offsets.topic.replication.factor": "3",
                "log.index.size.max.bytes": "65536",
            }
        )
        nodes.write_properties(path, properties)
    made = [nodes.Node(engine, path) for path in files]
    cluster_id = nodes.random_uuid_text()
    directory_ids = tuple(nodes.random_uuid_text() for _ in made)
    voters = ",".join(f"{index + 1}@{controller_of(node)}:{directory_ids[index]}" for index, node in enumerate(made))
    for node in made:
        words = [str(nodes.SCRIPTS / "kafka-storage"), "format", "-t", cluster_id, "-c", str(node.properties_file), "--initial-controllers", voters]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
    return Trio(tuple(made), cluster_id, directory_ids)
