"""What happens to clusters with compacted topics: stories as those of stories.py, of a `Scene(..., compacted=True)`. Each waits for cleanings between its steps."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING

from barnabas.client.admin import configs, log_dirs, reassignments, records, topics
from barnabas.client.errors import KafkaError
from barnabas.wire.errors import Error
from tests.cluster.compacted import COMPACT, Compacted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barnabas.client.cluster import Cluster as Client
    from tests.cluster.cluster import Cluster
    from tests.cluster.scene import Scene

TOPIC, NODE = 2, 4  # kinds of resources


def set_configs(cluster: Cluster, kind: int, name: str, changes: Mapping[str, str]) -> None:
    cluster.ask(lambda client: configs.alter(client, kind, name, changes))


def cleaned_without_a_follower(scene: Scene) -> dict[str, float]:
    """A follower is killed, and comes back when its leaders have cleaned what it never had, and have let go the start of logs that are shortened."""
    cluster, began = scene.cluster, time.monotonic()
    victim = scene.leading(active_controller=False)
    victim.kill()
    scene.gap_since(began)
    for compacted in scene.compacted:
        ends = compacted.ends()
        compacted.wait_until_cleaned(*cluster.running(cluster.brokers), to=ends)
        if compacted.is_shortened:
            cluster.ask(lambda client, ends=ends, topic=compacted.topic: records.delete(client, {(topic, p): end for p, end in ends.items()}))
    cluster.start([victim])
    scene.settle()
    scene.wait_until_cleaned(victim)
    return {"back": time.monotonic() - began}


def change_policies(scene: Scene, pause_s: float = 0.7) -> dict[str, float]:
    """Each topic is compacted no more for a while, in the middle of cleanings; then again."""
    for is_compacted in (False, True, False, True):
        for compacted in scene.compacted:
            policy = ("compact,delete" if compacted.is_shortened else "compact") if is_compacted else "delete"
            kept = {} if compacted.is_shortened else {"retention.ms": "-1"}
            set_configs(scene.cluster, TOPIC, compacted.topic, {"cleanup.policy": policy, **kept})
        time.sleep(pause_s)
    scene.wait_until_cleaned()
    return {}


def change_settings(scene: Scene, pause_s: float = 0.7) -> dict[str, float]:
    """The number of cleaners, their pace and their memory, and what of a topic is to be cleaned, change while cleaners are at work."""
    cluster = scene.cluster
    changes: list[tuple[int, dict[str, str]]] = [
        (NODE, {"log.cleaner.threads": "2", "log.cleaner.io.max.bytes.per.second": "20000"}),
        (TOPIC, {"min.compaction.lag.ms": "60000"}),
        (NODE, {"log.cleaner.threads": "1", "log.cleaner.dedupe.buffer.size": "1258291", "log.cleaner.io.buffer.size": "10000"}),
        (TOPIC, {"min.compaction.lag.ms": "0", "max.compaction.lag.ms": "1000", "min.cleanable.dirty.ratio": "0.9"}),
        (NODE, {"log.cleaner.io.max.bytes.per.second": "6000000"}),
        (TOPIC, {"delete.retention.ms": "100000", "min.cleanable.dirty.ratio": "0.1"}),
    ]
    for kind, change in changes:
        for name in [""] if kind == NODE else [compacted.topic for compacted in scene.compacted]:
            set_configs(cluster, kind, name, change)
        time.sleep(pause_s)
    scene.wait_until_cleaned()
    return {}


def move_between_directories(scene: Scene) -> dict[str, float]:
    """Every replica moves to its node's other directory, and then some back, with cleanings in between."""
    began = time.monotonic()
    for turn in (1, 2):
        moves: dict[tuple[str, int, int], str] = {}
        for compacted in scene.compacted:
            for member in scene.cluster.brokers:
                directories = member.properties["log.dirs"].split(",")
                for partition in range(compacted.partitions)[: compacted.partitions // turn]:
                    here = member.partition_directory(compacted.topic, partition)
                    moves[compacted.topic, partition, member.node_id] = next(path for path in directories if not str(here).startswith(f"{path}/"))
        failed = [error for error in scene.cluster.ask(lambda client, moves=moves: log_dirs.alter(client, moves)).values() if error is not None]
        assert not failed, failed
        scene.cluster.wait_for("all replicas have moved", lambda moves=moves: all(_lies_in(scene, *key, path) for key, path in moves.items()))
        scene.wait_until_cleaned()
    return {"moves": time.monotonic() - began}


def _lies_in(scene: Scene, topic: str, partition: int, node_id: int, path: str) -> bool:
    return str(scene.cluster.members[node_id].partition_directory(topic, partition)).startswith(f"{path}/")


def move_between_brokers(scene: Scene) -> dict[str, float]:
    """Each partition's last replica is taken away, and made again from a leader that compacts."""
    cluster, began = scene.cluster, time.monotonic()
    rows = {(c.topic, row.partition_index): list(row.replica_nodes) for c in scene.compacted for row in cluster.partitions(c.topic)}
    for count in (2, 3):
        wanted = {key: nodes[:count] for key, nodes in rows.items()}
        cluster.ask(lambda client, wanted=wanted: reassignments.alter(client, wanted))
        cluster.wait_for("replicas are where they are to be", lambda: not cluster.ask(reassignments.find))
        for compacted in scene.compacted:
            leaders = {cluster.leader(compacted.topic, partition) for partition in range(compacted.partitions)}
            compacted.load.wait_for_all_partitions()
            if len(leaders) == 1:
                compacted.wait_until_cleaned(*leaders)
    scene.settle()
    scene.wait_until_cleaned()
    return {"moves": time.monotonic() - began}


def kill_at_random(scene: Scene, kills: int = 10) -> dict[str, float]:
    """kill -9 of any node at any time, again and again; each comes back at once."""
    cluster, random = scene.cluster, Random(time.time_ns())
    for _ in range(kills):
        time.sleep(random.uniform(0.1, 1.5))
        victim = random.choice(list(cluster.members.values()))
        victim.kill()
        cluster.start([victim])
        scene.load.wait_for_all_partitions()
    scene.settle()
    scene.wait_until_cleaned()
    return {}


def delete_and_make_again(scene: Scene) -> dict[str, float]:
    """A topic is deleted in the middle of cleanings, while a node is down that has cleaned it, and made again: the node must not take the new one for cleaned."""
    cluster = scene.cluster
    first = Compacted(cluster, "again", COMPACT)
    first.wait_until_cleaned()
    first.load.stop()
    away = scene.leading(active_controller=False)
    cleaned = first.cleaned(away)
    away.kill()
    cluster.ask(lambda client: _delete(client, "again"))
    cluster.wait_for("it is gone", lambda: not any(cluster.partitions("again", member) for member in cluster.running(cluster.brokers)))
    cluster.start([away])
    scene.settle()
    second = Compacted(cluster, "again", COMPACT, per_second=900)
    second.wait_until_cleaned(to={partition: offset + 100 for partition, offset in cleaned.items()})
    second.load.stop()
    second.check()
    return {}


async def _delete(client: Client, name: str) -> None:
    async def attempt() -> None:
        failure = (await topics.delete(client, [name]))[name]
        if isinstance(failure, KafkaError) and failure.error is not Error.UNKNOWN_TOPIC_OR_PARTITION:
            raise failure

    await client.retrying("deleteTopics", attempt)
