"""Three nodes under an idempotent producer, a consumer group and topics that come and go, while nodes are killed, stopped and cut off.

The stories are tests/cluster/stories.py; what must hold after them is tests/cluster/checkers.py. test_cluster.py tells all of them, for longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import conftest, nodes
from tests.cluster import stories
from tests.cluster.cluster import Plan
from tests.cluster.proxy import Proxy
from tests.differential.trio import APACHE

if TYPE_CHECKING:
    from tests.conftest import ClusterFactory

pytestmark = [pytest.mark.node, pytest.mark.slow]
SUBJECT = APACHE if conftest.SUBJECT is nodes.APACHE else conftest.SUBJECT
RACKS = {1: "a", 2: "b", 3: "c"}
# A client that gives up a silent connection sooner than after a minute.
IMPATIENT = {"socket_timeout_ms": 5_000}


def tell(cluster_of: ClusterFactory, plan: Plan, *told: stories.Story, proxied: bool = False) -> None:
    cluster = cluster_of(plan, Proxy() if proxied else None).start()
    with stories.Scene(cluster, **IMPATIENT) as scene:
        for story in told:
            print(f"{story.__name__}: {story(scene)}")
        print(scene.check())


def test_processes_that_end(cluster_of: ClusterFactory) -> None:
    told = (stories.kill_leader, stories.kill_active_controller, stories.stop_leader, stories.rolling_restart, stories.kill_all)
    tell(cluster_of, Plan([SUBJECT] * 3, racks=RACKS), *told)


def test_static_voters(cluster_of: ClusterFactory) -> None:
    tell(cluster_of, Plan([SUBJECT] * 3, static=True), stories.kill_active_controller, stories.replace_disk)


def test_networks(cluster_of: ClusterFactory) -> None:
    tell(cluster_of, Plan([SUBJECT] * 3), stories.cut_connections, stories.isolate_leader, proxied=True)


def test_separate_roles(cluster_of: ClusterFactory) -> None:
    """A controller alone, which isn't a broker, and three brokers, one of which is no controller: each is killed."""
    plan = Plan([SUBJECT] * 4, controllers=[1, 2, 3], brokers=[2, 3, 4])
    tell(cluster_of, plan, stories.kill_active_controller, stories.kill_leader)
