"""What happens to clusters: one function a story, under traffic. A story leaves a whole cluster behind, and returns what it measured, in seconds.

Doesn't own: the traffic's life (scene.py), what must hold afterwards (checkers.py).
Any story can be told on either engine: first on Apache Kafka alone, which says what is normal.
"""

from __future__ import annotations

import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from barnabas.client.admin import quorum
from barnabas.client.errors import KafkaError
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from tests.cluster.cluster import CONTROLLERS, PATIENCE_S, READY_S, NodeFailed, tolerant
from tests.cluster.namespaces import Namespaces
from tests.cluster.proxy import Fault, Proxy
from tests.differential.transcript import Client as Blocking
from tests.differential.transcript import Closed
from tests.system.requests import put, records

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.client.cluster import Cluster as Client
    from tests.cluster.clock import Clock
    from tests.cluster.cluster import Cluster, Member
    from tests.cluster.disks import SmallDisk
    from tests.cluster.scene import Scene

    Story = Callable[[Scene], dict[str, float]]

SESSION_S = 9.0  # broker.session.timeout.ms
QUORUM = "quorum"


# Processes


def start_together(cluster: Cluster, topic: str = "started") -> float:
    """Seconds from starting all processes until a record is acknowledged by all replicas of a topic that is made as soon as it can be."""
    began = time.monotonic()
    deadline = began + READY_S
    cluster.spawn()
    while tolerant(lambda: _write_once(cluster, topic)) is not True:
        if time.monotonic() > deadline:
            raise NodeFailed(f"nothing could be written within {READY_S:.0f} s\n{cluster.outputs()}")
        time.sleep(0.005)
    return time.monotonic() - began


def _write_once(cluster: Cluster, topic: str) -> bool:
    """Whether one record was acknowledged; a missing topic is asked for, of the first broker that answers."""
    found = cluster.partitions(topic)
    if not found:
        for member in cluster.brokers:
            with suppress(OSError, Closed), closing(Blocking(member.port, member.address()[0], PATIENCE_S)) as client:
                new = CreateTopicsRequest.CreatableTopic(name=topic, num_partitions=1, replication_factor=len(cluster.brokers))
                client.call(CreateTopicsRequest(topics=[new], timeout_ms=5_000), 7)
                return False
        return False
    if found[0].leader_id < 0:
        return False
    leader = cluster.members[found[0].leader_id]
    with closing(Blocking(leader.port, leader.address()[0], PATIENCE_S)) as client:
        return not put(client, topic, 0, records(b"first")).error_code


def kill_leader(scene: Scene) -> dict[str, float]:
    """kill -9 of a node that leads partitions, and isn't the active controller."""
    return _kill(scene, scene.leading(active_controller=False))


def kill_active_controller(scene: Scene) -> dict[str, float]:
    """kill -9 of the active controller, which leads partitions too if it is a broker."""
    return _kill(scene, scene.cluster.active_controller())


def _kill(scene: Scene, victim: Member) -> dict[str, float]:
    began = time.monotonic()
    victim.kill()
    created = scene.until_created(began)
    gap = scene.gap_since(began)
    scene.settle()
    return {"gap": gap, "until created": created}


def kill_each(scene: Scene) -> dict[str, float]:
    """kill -9 of every node in turn."""
    gaps = {f"gap without {node_id}": _kill(scene, member)["gap"] for node_id, member in scene.cluster.members.items()}
    return {**gaps, "quorum's epoch": scene.cluster.quorum().leader_epoch}


def kill_all(scene: Scene) -> dict[str, float]:
    """kill -9 of all nodes at once; then they are started together."""
    for member in scene.cluster.members.values():
        member.process and member.process.kill()  # all are dead before any is waited for
    for member in scene.cluster.members.values():
        member.kill()
    began = time.monotonic()
    scene.cluster.spawn()
    gap = scene.gap_since(began)
    scene.settle()
    return {"gap from start": gap}


def stop_leader(scene: Scene) -> dict[str, float]:
    """SIGTERM to the node that leads the quorum, and partitions."""
    victim = scene.leading(active_controller=True)
    began = time.monotonic()
    status = victim.stop()
    assert status in (0, 143), f"node {victim.node_id} ended with {status}"
    stopped = time.monotonic() - began
    gap = scene.gap_since(began)
    began = time.monotonic()
    scene.cluster.start([victim])
    back = time.monotonic() - began
    scene.settle()
    return {"gap": gap, "to its end": stopped, "back": back}


def rolling_restart(scene: Scene) -> dict[str, float]:
    """Every node in turn: SIGTERM, start, until all is in sync again."""
    began = time.monotonic()
    for member in scene.cluster.members.values():
        member.stop()
        scene.cluster.start([member])
        scene.cluster.wait_for_full_isr(scene.topic)
    took = time.monotonic() - began
    gap = scene.gap_since(began)
    scene.settle()
    return {"gap": gap, "whole": took}


def hang(scene: Scene) -> dict[str, float]:
    """SIGSTOP of a leader for longer than its session; then it goes on, and must not believe that it still leads."""
    victim = scene.leading(active_controller=False)
    return _freeze(scene, victim)


def _freeze(scene: Scene, victim: Member) -> dict[str, float]:
    """Frozen until the others lead everything and every partition takes writes."""
    began = time.monotonic()
    victim.freeze()
    try:
        moved = scene.until_led_without(victim, began)
        gap = scene.gap_since(began)
    finally:
        victim.thaw()
    scene.settle()
    return {"leaders moved": moved, "gap": gap}


def hang_active_controller(scene: Scene) -> dict[str, float]:
    """SIGSTOP of the active controller: found by the others' time-outs."""
    victim = scene.cluster.active_controller()
    return _freeze(scene, victim)


# Networks (of a Proxy)


def _network(scene: Scene) -> Proxy:
    network = scene.cluster.network
    assert isinstance(network, Proxy), "this story needs a cluster behind a proxy"
    return network


def isolate_leader(scene: Scene) -> dict[str, float]:
    """Silence between a leader and everybody, clients too, until the others have taken over."""
    network, victim = _network(scene), scene.leading(active_controller=False)
    began = time.monotonic()
    network.isolate(victim.node_id)
    moved = scene.until_led_without(victim, began)
    gap = scene.gap_since(began)
    scene.settle()
    return {"leaders moved": moved, "gap": gap}


def isolate_active_controller(scene: Scene) -> dict[str, float]:
    network, victim = _network(scene), scene.cluster.active_controller()
    began = time.monotonic()
    network.isolate(victim.node_id)
    moved = scene.until_led_without(victim, began)
    gap = scene.gap_since(began)
    scene.settle()
    return {"leaders moved": moved, "gap": gap}


def lose_host(scene: Scene) -> dict[str, float]:
    """The cable of the host that leads the quorum, and partitions, is pulled: nothing refuses, everything times out."""
    network, victim = scene.cluster.network, scene.cluster.active_controller()
    assert isinstance(network, Namespaces), "this story needs hosts of their own"
    began = time.monotonic()
    network.pull_cable(victim.node_id)
    moved = scene.until_led_without(victim, began)
    gap = scene.gap_since(began)
    scene.settle()
    return {"leaders moved": moved, "gap": gap}


def deaf_leader(scene: Scene) -> dict[str, float]:
    """A leader is heard by all, and hears nobody but clients."""
    network, victim = _network(scene), scene.leading(active_controller=False)
    began = time.monotonic()
    network.set(Fault(silent=True), [link for link in network.links(victim.node_id) if link[1] == victim.node_id])
    moved = scene.until_led_without(victim, began)
    gap = scene.gap_since(began)
    scene.settle()
    return {"leaders moved": moved, "gap": gap}


def cut_connections(scene: Scene) -> dict[str, float]:
    """All connections between nodes are reset, again and again; nobody is dead, so nobody may be taken for dead."""
    network = _network(scene)

    def cut() -> None:
        for _ in range(10):
            network.cut(network.links(*scene.cluster.members))
            time.sleep(0.5)

    return _undisturbed(scene, cut)


def lossy_network(scene: Scene, seconds: float = 15.0) -> dict[str, float]:
    """20 ms each way and a stall of 250 ms in every hundredth chunk, between all nodes: leaders stay where they are."""
    network = _network(scene)

    def lose() -> None:
        network.set(Fault(delay_s=0.02, stall_share=0.01), network.links(*scene.cluster.members))
        time.sleep(seconds)

    return _undisturbed(scene, lose)


def _undisturbed(scene: Scene, disturb: Callable[[], None]) -> dict[str, float]:
    """How often leaders changed, of partitions and of the quorum, where none should."""
    before, began = _epochs(scene), time.monotonic()
    disturb()
    gap = scene.gap_since(began)
    after = _epochs(scene)
    scene.settle()
    moved = {name: after[name] - epoch for name, epoch in before.items()}
    return {"gap": gap, "quorum's leaders": moved.pop(QUORUM), "leaders moved": sum(moved.values())}


def narrow_network(scene: Scene, seconds: float = 10.0) -> dict[str, float]:
    """A follower behind 256 KB/s: it may fall out of sync, and comes back."""
    network = _network(scene)
    slow = sorted(scene.cluster.members)[-1]
    began = time.monotonic()
    network.set(Fault(bytes_per_s=256_000), network.links(slow))
    time.sleep(seconds)
    gap = scene.gap_since(began)
    scene.settle()
    return {"gap": gap}


def _epochs(scene: Scene) -> dict[str, int]:
    """The quorum's epoch and those of the topic's partitions."""
    epochs = {f"{scene.topic}-{row.partition_index}": row.leader_epoch for row in scene.cluster.partitions(scene.topic)}
    return {**epochs, QUORUM: scene.cluster.quorum().leader_epoch}


# Clocks


def set_clock(scene: Scene, clock: Clock, seconds: float = 1.5) -> dict[str, float]:
    """The wall clock of a node is set an hour ahead, and half an hour behind; what waits goes by another one."""

    def steps() -> None:
        for ahead in (3600, -1800, 0):  # an hour behind, a broker would refuse what producers stamp
            clock.set(ahead)
            time.sleep(seconds)

    return _undisturbed(scene, steps)


# Disks


def replace_disk(scene: Scene) -> dict[str, float]:
    """A node is killed, and comes back with an empty, formatted disk: everything is copied to it again. With dynamic voters it is removed first and added after."""
    cluster, victim = scene.cluster, scene.leading(active_controller=False)
    dynamic = not cluster.plan.static and victim.is_controller
    victim.kill()
    began = time.monotonic()
    if dynamic:
        cluster.ask(lambda client: remove_voter(client, victim.node_id))
    victim.replace_disk(joins=dynamic)
    cluster.start([victim])
    if dynamic:
        add_voter(cluster, victim)
    scene.settle()
    return {"back in sync": time.monotonic() - began}


def fill_disk(scene: Scene, disk: SmallDisk) -> dict[str, float]:
    """A node's disk gets full under load: the others go on. Then there is room, and the node is started again."""
    victim = next(member for member in scene.cluster.brokers if str(disk.path) in member.properties["log.dirs"])
    began = time.monotonic()
    disk.fill()
    scene.load.wait_for_more(2_000)
    gap = scene.gap_since(began)
    disk.make_room()
    if victim.running():
        victim.stop()
    victim.kill()  # forgets a process that gave up by itself, as Apache Kafka's does
    scene.settle()
    return {"gap": gap}


# Members


def remove_and_add_controller(scene: Scene) -> dict[str, float]:
    """The active controller is removed from the voters, resigns, and is added again as an observer that caught up."""
    cluster, victim = scene.cluster, scene.cluster.active_controller()
    began = time.monotonic()
    cluster.ask(lambda client: remove_voter(client, victim.node_id))
    cluster.wait_for("another controller is active", lambda: cluster.active_controller() is not victim)
    handed_over = time.monotonic() - began
    created = scene.until_created(began)
    add_voter(cluster, victim)
    scene.settle()
    return {"handed over": handed_over, "until created": created, "gap": scene.gap_since(began)}


async def remove_voter(client: Client, node_id: int) -> None:
    found = await quorum.describe(client)
    directory = next(voter.directory_id for voter in found.voters if voter.replica_id == node_id)
    await quorum.remove_voter(client, node_id, directory)


def add_voter(cluster: Cluster, member: Member, timeout_s: float = 60.0) -> None:
    """Adds a running controller to the voters; it must have caught up, so this is asked for until it has."""
    deadline = time.monotonic() + timeout_s
    failure: object = "it hasn't fetched yet"

    async def add(client: Client) -> bool:
        nonlocal failure
        found = await quorum.describe(client)
        if any(voter.replica_id == member.node_id for voter in found.voters):
            return True
        observers = [replica for replica in found.observers if replica.replica_id == member.node_id]
        if not observers:
            return False
        latest = max(observers, key=lambda replica: replica.last_fetch_ms or 0)  # others are of disks that it had before
        host = cluster.network.advertised(member.node_id) if cluster.network is not None else member.address("CONTROLLER")[0]
        try:
            await quorum.add_voter(client, member.node_id, latest.directory_id, [quorum.Endpoint("CONTROLLER", host, CONTROLLERS)])
        except KafkaError as error:
            failure = error
            return False
        return True

    while not cluster.ask(add):
        if time.monotonic() > deadline:
            raise NodeFailed(f"controller {member.node_id} isn't taken among the voters: {failure!r}, {cluster.quorum()}\n{cluster.outputs()}")
        time.sleep(0.2)


def lose_rack(scene: Scene) -> dict[str, float]:
    """All nodes of one rack are killed at once; every partition has replicas elsewhere."""
    cluster = scene.cluster
    by_rack: dict[str, list[Member]] = {}
    for node_id, rack in cluster.plan.racks.items():
        by_rack.setdefault(rack, []).append(cluster.members[node_id])
    for row in cluster.partitions(scene.topic):
        racks = {cluster.plan.racks[n] for n in row.replica_nodes}
        assert len(racks) == min(len(by_rack), len(row.replica_nodes)), (
            f"partition {row.partition_index}: replicas {row.replica_nodes} in racks {racks}"
        )
    lost = max(by_rack.values(), key=len)
    began = time.monotonic()
    for member in lost:
        assert member.process is not None
        member.process.kill()
    for member in lost:
        member.kill()
    gap = scene.gap_since(began)
    scene.settle()
    return {"gap": gap}
