"""Three nodes and more under an idempotent producer, a consumer group and topics that come and go, while nodes are killed, stopped, cut off and lose their disks.

The stories are tests/cluster/stories.py; what must hold after them is tests/cluster/checkers.py. tests/soak/test_cluster.py tells all of them, for longer.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests import conftest
from tests.cluster import compaction_stories, stories
from tests.cluster.clock import Clock
from tests.cluster.cluster import Plan
from tests.cluster.compacted import EAGER
from tests.cluster.proxy import Proxy
from tests.cluster.scene import Scene
from tests.nodes import APACHE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cluster.disks import SmallDisk
    from tests.cluster.proxy import Proxy as Network
    from tests.conftest import ClusterFactory

    Teller = Callable[..., list[dict[str, float]]]

pytestmark = pytest.mark.node
SUBJECT = conftest.SUBJECT
RACKS = {1: "a", 2: "b", 3: "c"}
SHORT_SESSIONS = {"broker.session.timeout.ms": "4000", "broker.heartbeat.interval.ms": "500"}
# A client that gives up a silent connection sooner than after a minute.
IMPATIENT = {"socket_timeout_ms": 5_000}


@pytest.fixture
def tell(cluster_of: ClusterFactory) -> Teller:
    """Tells stories of one cluster, asks for all that must hold, and returns what each measured."""

    def told(plan: Plan, *wanted: stories.Story, network: Network | None = None, compacted: bool = False) -> list[dict[str, float]]:
        with Scene(cluster_of(plan, network).start(), compacted=compacted, **IMPATIENT) as scene:
            measured = [story(scene) for story in wanted]
            scene.check()
        return measured

    return told


def test_processes_that_end_or_hang(tell: Teller) -> None:
    plan = Plan([SUBJECT] * 3, racks=RACKS, overrides=SHORT_SESSIONS)
    tell(plan, stories.kill_leader, stories.kill_active_controller, stories.stop_leader, stories.kill_all, stories.hang)


def test_networks_that_break(tell: Teller) -> None:
    """Connections that are cut or slow are no evidence of a death: who leads a partition goes on to. Silence is, in the end."""
    lossy = partial(stories.lossy_network, seconds=4.0)
    cut, slow, _ = tell(Plan([SUBJECT] * 3), stories.cut_connections, lossy, stories.isolate_active_controller, network=Proxy())
    assert cut["leaders moved"] == slow["leaders moved"] == 0


def test_disks_that_fill_up_or_are_replaced(tell: Teller, small_disk: SmallDisk) -> None:
    """A node without room lets others lead; one with an empty disk copies everything, and is a voter once it has."""
    plan = Plan([SUBJECT] * 3, own={3: {"log.dirs": str(small_disk.path / "log")}}, overrides=SHORT_SESSIONS)
    tell(plan, partial(stories.fill_disk, disk=small_disk), stories.replace_disk, stories.remove_and_add_controller)


def test_roles_apart_and_a_clock_that_is_set_and_a_rack_that_is_lost(tell: Teller, tmp_path: Path) -> None:
    """A controller alone, a broker alone, two that are both; one of these has its clock set an hour ahead and back: it makes no difference. The first two
    are in one rack, which is lost.
    """
    clock = Clock(tmp_path / "clock")
    racks = {1: "a", 2: "b", 3: "c", 4: "a"}
    plan = Plan([SUBJECT, clock.engine(SUBJECT), SUBJECT, SUBJECT], controllers=[1, 2, 3], brokers=[2, 3, 4], racks=racks)
    set_clock = partial(stories.set_clock, clock=clock)
    stepped, *_ = tell(plan, set_clock, stories.kill_active_controller, stories.kill_leader, stories.lose_rack)
    assert stepped["leaders moved"] == 0


def test_topics_that_are_compacted(tell: Teller) -> None:
    """The newest record of each key outlives whatever happens while cleaners are at work. The other stories of compaction are told by soak-cluster: they wait for
    cleanings again and again.
    """
    plan = Plan([SUBJECT] * 3, overrides={**SHORT_SESSIONS, **EAGER})
    tell(plan, stories.kill_leader, compaction_stories.cleaned_without_a_follower, compacted=True)


@pytest.mark.apache
def test_one_of_apache_kafka_among_three(tell: Teller) -> None:
    """Each is killed in turn, Apache Kafka's too, and no Apache process ends by itself."""
    tell(Plan([SUBJECT, SUBJECT, APACHE], overrides=SHORT_SESSIONS), stories.kill_each)
