"""What the settings of a quorum and of its controllers do (C7, Q16, Q52)."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from barnabas.client.admin.topics import NewTopic
from barnabas.node.router import served_apis
from barnabas.wire.apis import BROKER
from barnabas.wire.messages.api_versions import ApiVersionsRequest
from tests import nodes
from tests.cluster import stories
from tests.cluster.cluster import Cluster, Plan, create
from tests.differential.transcript import Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.cluster import Member

pytestmark = pytest.mark.node

LONG_S = 3.0
"""So long a thing that must not happen is given the chance to."""


def cluster(tmp_path: Path, count: int = 3, **plan: object) -> Cluster:
    return Cluster(Plan([nodes.BARNABAS] * count, **plan), tmp_path / "cluster")  # type: ignore[arg-type]


def move_lead(found: Cluster, topic: str) -> Member:
    """Stop the preferred leader for a while; it is back in sync, and leads no more."""
    preferred = found.leader(topic)
    preferred.stop()
    others = found.others(preferred)
    found.wait_for("another leader", lambda: found.partitions(topic, others[0])[0].leader_id not in (-1, preferred.node_id))
    found.start([preferred])
    found.wait_for_full_isr(topic)
    return preferred


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three with static voters, which look after leaders often, and take a hung one for gone soon."""
    timeouts = {f"controller.quorum.{what}.timeout.ms": "1000" for what in ("fetch", "election", "request")}
    with cluster(tmp_path_factory.mktemp("quick"), static=True, overrides={"leader.imbalance.check.interval.seconds": "1"} | timeouts) as found:
        yield found.start()


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The same, which leave leaders where they are, and wait for a hung one."""
    settings = {"auto.leader.rebalance.enable": "false", "leader.imbalance.check.interval.seconds": "1"}
    settings["controller.quorum.fetch.timeout.ms"] = "600000"
    with cluster(tmp_path_factory.mktemp("patient"), static=True, overrides=settings) as found:
        yield found.start()


def test_leaderships_go_back_to_preferred_replicas(quick: Cluster) -> None:
    """leader.imbalance.check.interval.seconds"""
    quick.create_topic("t")
    preferred = move_lead(quick, "t")
    quick.wait_for("the preferred leader", lambda: quick.leader("t") is preferred)


def test_nobody_is_moved_or_replaced_who_is_waited_for(patient: Cluster) -> None:
    """auto.leader.rebalance.enable; controller.quorum.fetch.timeout.ms of ten minutes, beside which an active controller may hang."""
    patient.create_topic("t")
    preferred = move_lead(patient, "t")
    before = patient.active_controller()
    others = patient.others(before)
    before.freeze()
    try:
        time.sleep(LONG_S)
        assert _leader_told_by(others[0]) == before.node_id
    finally:
        before.thaw()
    assert patient.leader("t") is not preferred


def test_a_leaderless_partition_gets_any_leader_if_that_is_allowed(tmp_path: Path) -> None:
    """unclean.leader.election.interval.ms"""
    with cluster(tmp_path, overrides={"unclean.leader.election.interval.ms": "500"}) as found:
        found.start()
        for name, allowed in (("any", "true"), ("sound", "false")):
            of = {"unclean.leader.election.enable": allowed, "min.insync.replicas": "1"}
            new = NewTopic(name, assignments={0: [2, 3]}, configs=of)
            found.ask(lambda client, new=new: create(client, new))
            found.wait_for_full_isr(name)
        third, first, second = found.brokers
        leaders = lambda by: [row.leader_id for name in ("any", "sound") for row in found.partitions(name, by)]  # noqa: E731
        in_sync = lambda by: [row.isr_nodes for name in ("any", "sound") for row in found.partitions(name, by)]  # noqa: E731
        second.kill()
        found.wait_for("one left in sync", lambda: in_sync(third) == [[first.node_id]] * 2, 30)
        first.kill()
        second.spawn()
        found.wait_for("an unclean leader where that is allowed", lambda: leaders(second) == [second.node_id, -1], 60)
        time.sleep(LONG_S)
        assert leaders(second) == [second.node_id, -1]


def test_an_active_controller_that_hangs_is_replaced_after_a_while(quick: Cluster) -> None:
    """controller.quorum.fetch.timeout.ms, controller.quorum.election.timeout.ms, controller.quorum.request.timeout.ms"""
    before = quick.active_controller()
    others = quick.others(before)
    before.freeze()
    try:
        quick.wait_for("another active controller", lambda: _leader_told_by(others[0]) not in (-1, before.node_id), 30)
    finally:
        before.thaw()


def _leader_told_by(member: Member) -> int:
    """Whom a controller takes for the quorum's leader, by what it has written down."""
    from barnabas.storage.quorum_state import read_quorum_state

    stored = read_quorum_state(f"{member.properties['log.dirs']}/__cluster_metadata-0")
    return -1 if stored is None else stored.leader_id


def test_a_controller_joins_by_itself(tmp_path: Path) -> None:
    """controller.quorum.auto.join.enable"""
    with cluster(tmp_path, 3, voters=[1, 2], own={3: {"controller.quorum.auto.join.enable": "true"}}) as found:
        found.start()
        found.wait_for("three voters", lambda: {voter.replica_id for voter in found.quorum().voters} == {1, 2, 3}, 30)


def test_a_broker_tells_of_what_the_controller_takes(tmp_path: Path) -> None:
    """ApiVersions of a broker that has forwarded something to a controller that serves less, as one of another release would."""
    less = "r.SERVED -= {'ElectLeaders'}; a.APIS[19] = a.APIS[19]._replace(last=6)"
    start = (
        f"import sys, barnabas.wire.apis as a, barnabas.node.router as r; {less}; from barnabas.node.main import main; sys.exit(main(sys.argv[1:]))"
    )
    older = nodes.BARNABAS._replace(start_command=lambda properties: [sys.executable, "-c", start, str(properties)])
    with Cluster(Plan([older, nodes.BARNABAS], controllers=[1], brokers=[2]), tmp_path / "cluster") as found:
        found.start()
        found.create_topic("t", 1, 1)

        def served() -> dict[int, tuple[int, int]]:
            with closing(Client(found.members[2].port, found.members[2].address()[0])) as client:
                rows = client.call(ApiVersionsRequest(client_software_name="test", client_software_version="1"), 4).api_keys
            return {row.api_key: (row.min_version, row.max_version) for row in rows}

        found.wait_for("fewer versions", lambda: served()[19] == (2, 6))  # CreateTopics
        assert {api.key for api in served_apis(BROKER)} - set(served()) == {43}  # ElectLeaders


def test_static_voters_become_dynamic(tmp_path: Path) -> None:
    """By kraft.version=1, once the leader knows the directories of all; then voters go and come. (controller.quorum.voters stays where it is.)"""
    with cluster(tmp_path, static=True) as found:
        found.start()
        assert {voter.directory_id for voter in found.quorum().voters} == {bytes(16)}
        raised = [str(nodes.SCRIPTS / "kafka-features"), "--bootstrap-server", found.bootstrap, "upgrade", "--feature", "kraft.version=1"]
        found.wait_for("kraft.version 1", lambda: subprocess.run(raised, capture_output=True, timeout=60).returncode == 0)
        found.wait_for("directories of voters", lambda: bytes(16) not in {voter.directory_id for voter in found.quorum().voters})
        assert found.quorum().observers == []
        victim = found.others(found.active_controller())[0]
        found.ask(lambda client: stories.remove_voter(client, victim.node_id))
        found.wait_for("two voters", lambda: len(found.quorum().voters) == 2)
        stories.add_voter(found, victim)
        for member in found.members.values():
            member.stop()
            found.start([member])
        assert len(found.quorum().voters) == 3
