"""For as long as told: all stories of clusters in a random order, under an idempotent producer, a group and topics that come and go. A failure names the seed."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.cluster import compaction_stories, stories
from tests.cluster.cluster import Plan
from tests.cluster.compacted import EAGER, two_directories
from tests.cluster.disks import SmallDisk
from tests.cluster.namespaces import Namespaces, unusable
from tests.cluster.proxy import Proxy
from tests.cluster.scene import Scene
from tests.conftest import SUBJECT
from tests.nodes import APACHE
from tests.soak.sizes import SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.cluster.cluster import Cluster
    from tests.conftest import ClusterFactory

pytestmark = [pytest.mark.node, pytest.mark.slow]
RACKS = {1: "a", 2: "b", 3: "c"}
PROCESSES = (
    stories.kill_leader,
    stories.kill_active_controller,
    stories.kill_all,
    stories.stop_leader,
    stories.rolling_restart,
    stories.hang,
    stories.hang_active_controller,
    stories.replace_disk,
    stories.remove_and_add_controller,
)
NETWORKS = (
    stories.isolate_leader,
    stories.isolate_active_controller,
    stories.deaf_leader,
    stories.cut_connections,
    stories.lossy_network,
    stories.narrow_network,
)
CLEANINGS = (
    compaction_stories.cleaned_without_a_follower,
    compaction_stories.change_policies,
    compaction_stories.change_settings,
    compaction_stories.move_between_directories,
    compaction_stories.move_between_brokers,
    compaction_stories.delete_and_make_again,
    compaction_stories.kill_at_random,
    compaction_stories.kill_at_random,
)
UNDISTURBED = (stories.cut_connections, stories.lossy_network)
A_CLUSTER = 5  # stories


def tell(cluster: Cluster, told: Sequence[stories.Story], label: str, *, compacted: bool = False, **client: object) -> None:
    with cluster, Scene(cluster.start(), compacted=compacted, socket_timeout_ms=5_000, **client) as scene:
        for story in told:
            began = time.monotonic()
            measured = story(scene)
            print(f"{label}: {story.__name__}: {measured} in {time.monotonic() - began:.1f} s", flush=True)
            assert story not in UNDISTURBED or measured["leaders moved"] == 0
        print(f"{label}: {scene.check()}", flush=True)


def test_stories(cluster_of: ClusterFactory) -> None:
    """Clusters behind a proxy, of five stories each."""
    seed, until = time.time_ns(), time.monotonic() + SECONDS * 0.7
    random, number = Random(seed), 0
    while time.monotonic() < until:
        told = random.sample((*PROCESSES, *NETWORKS), A_CLUSTER)
        tell(cluster_of(Plan([SUBJECT] * 3, racks=RACKS), Proxy(seed)), told, f"seed {seed}, cluster {number}")
        number += 1


def test_compacted(cluster_of: ClusterFactory, tmp_path: Path) -> None:
    """Clusters whose topics are compacted, of five stories each."""
    seed, until = time.time_ns(), time.monotonic() + SECONDS * 0.5
    random, number = Random(seed), 0
    while time.monotonic() < until:
        told = random.sample((*CLEANINGS, stories.kill_leader, stories.kill_all, stories.stop_leader, stories.hang), A_CLUSTER)
        plan = Plan([SUBJECT] * 3, overrides=EAGER, own=two_directories(tmp_path / str(number)))
        tell(cluster_of(plan), told, f"seed {seed}, cluster {number}", compacted=True)
        number += 1


def test_other_shapes(cluster_of: ClusterFactory) -> None:
    """Static voters; roles apart; five nodes in three racks."""
    tell(cluster_of(Plan([SUBJECT] * 3, static=True)), (stories.kill_active_controller, stories.replace_disk, stories.kill_all), "static voters")
    apart = Plan([SUBJECT] * 5, controllers=[1, 2, 3], brokers=[3, 4, 5])
    tell(cluster_of(apart), (stories.kill_active_controller, stories.kill_leader, stories.rolling_restart, stories.kill_all), "roles apart")
    racks = Plan([SUBJECT] * 5, racks={1: "a", 2: "b", 3: "b", 4: "c", 5: "c"}, controllers=[1, 2, 4])
    tell(cluster_of(racks), (stories.lose_rack,), "racks")


@pytest.mark.parametrize("others", [[], ["with-room"]], ids=["the only one", "one of two"])
def test_full_disk(cluster_of: ClusterFactory, tmp_path: Path, others: list[str]) -> None:
    """With another directory, which has the metadata log, the node goes on: its replicas on the full disk are waited for by nobody."""
    disk = SmallDisk(tmp_path / "disk", 160)
    try:
        directories = ",".join(str(path) for path in (*(tmp_path / other for other in others), disk.path / "log"))
        cluster = cluster_of(Plan([SUBJECT] * 3, own={3: {"log.dirs": directories}}))
        with cluster, Scene(cluster.start(), socket_timeout_ms=5_000) as scene:
            print(f"full disk: {stories.fill_disk(scene, disk)}, {scene.check()}")
    finally:
        disk.close()


def test_lost_host(cluster_of: ClusterFactory) -> None:
    """Each node on a host of its own, whose cable is pulled."""
    why = unusable()
    assert why is None, why
    tell(cluster_of(Plan([SUBJECT] * 3), Namespaces()), (stories.lose_host,), "hosts")


@pytest.mark.apache
@pytest.mark.parametrize("engines", [[SUBJECT, SUBJECT, APACHE], [SUBJECT, APACHE, APACHE]], ids=["one of Apache Kafka's", "two of Apache Kafka's"])
def test_mixed(cluster_of: ClusterFactory, engines: list) -> None:  # type: ignore[type-arg]
    """All are killed at once with one request in flight: after a crash Apache Kafka knows the last batch of each producer only (its producer snapshots have no
    more), and refuses what librdkafka sends again of the four before with OUT_OF_ORDER_SEQUENCE_NUMBER."""
    told = (stories.kill_each, stories.rolling_restart, stories.isolate_active_controller, stories.lossy_network)
    tell(cluster_of(Plan(engines, racks=RACKS), Proxy()), told, "mixed")
    tell(cluster_of(Plan(engines, racks=RACKS)), (stories.kill_all,), "mixed, one request in flight", max_in_flight=1)
