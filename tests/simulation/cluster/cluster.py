"""A whole simulated cluster: its clock, its nodes and clients, what goes wrong in it, and the end where it must come to rest. One seed says it all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection
from functools import partial
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from barnabas.core.controller.reassignments import alter_partition_reassignments
from barnabas.core.quorum import events as ev
from barnabas.core.quorum import peer_events as pe
from barnabas.core.quorum.voters import Endpoint, Voter, VoterSet
from barnabas.wire.errors import Error
from barnabas.wire.messages.add_raft_voter import AddRaftVoterRequest
from barnabas.wire.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from barnabas.wire.messages.remove_raft_voter import RemoveRaftVoterRequest
from tests.simulation.failures import Failure, Violation
from tests.simulation.quorum.network import Network
from tests.simulation.quorum.node import LISTENER

from .broker import GROUPS
from .clients import TOPIC, Operator
from .consumers import Consumer, Member
from .disk import Disks
from .invariants import Invariants
from .metadata import format_directory
from .node import Node
from .producers import CarelessProducer, Producer

if TYPE_CHECKING:
    from barnabas.wire.schema import Message

FAULTS_MS = 9_000
REST_MS = 30_000
MAX_STEPS = 400_000
FIRST_CLIENT = 100


class Party(Protocol):
    """A node or a client: an end of the network."""

    id: int
    incarnation: int

    def run(self, call: Callable[[], None]) -> None: ...


class Cluster:
    """`without`: the numbers of misfortunes that don't happen; `until_ms`: when they end. Both are what shrinking a failure changes."""

    id = "c"
    kind = "CLUSTERS"
    default_until_ms = FAULTS_MS

    def __init__(self, seed: int, base: str, without: Collection[int] = (), until_ms: int = FAULTS_MS) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.without, self.until_ms = without, until_ms
        self.misfortune = Random(seed)
        self.misfortunes = 0
        self.faults: list[str] = []
        self.now_ms = 1_000
        self.steps = 0
        self.network = Network(self.random)
        self.invariants = Invariants(self)
        self.disks = Disks(base, self.random)
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._armed: dict[int, int] = {}
        self._make_nodes()
        self._make_clients()

    def _make_nodes(self) -> None:
        random = self.random
        count = random.choice((3, 3, 3, 4, 5, 5, 6, 7))
        is_combined = count < 5 or random.random() < 0.4
        controllers = random.choice((1, 3)) if count == 4 else 3
        is_dynamic = random.random() < 0.5
        self.voter_ids = list(range(1, controllers + 1))
        spares = random.choice((0, 1, 2)) if is_dynamic and is_combined else 0
        self.controller_ids = list(range(1, min(controllers + spares, count) + 1))
        self.joins_by_itself = is_dynamic and random.random() < 0.2
        self.replication_factor = 3 if is_combined or count > 5 else 2
        self.min_isr = random.choice((1, 2, 2, 2)) if self.replication_factor == 3 else random.choice((1, 2))
        self.partitions = random.choice((1, 2, 3))
        self.segment_bytes = random.choice((800, 2_000, 1 << 20))
        self.fetch_max_bytes = random.choice((300, 1 << 20))
        self.syncs_each_batch = random.random() < 0.2
        self.padding = random.choice((0, 200))
        self.in_flight = random.choice((1, 5))
        self.follows_early = random.random() < 0.5
        self.hears_of_deaths = random.random() < 0.5
        self.is_dynamic = is_dynamic
        self.bootstrap = [pe.Peer(-2 - place if is_dynamic else node_id, f"node{node_id}", 9000) for place, node_id in enumerate(self.controller_ids)]
        self.static_voters = VoterSet() if is_dynamic else VoterSet(Voter(i, endpoints=(_endpoint(i, 9000),)) for i in self.voter_ids)
        self.nodes: dict[int, Node] = {}
        for node_id in range(1, count + 1):
            is_controller = node_id in self.controller_ids
            self.nodes[node_id] = Node(
                node_id,
                self,
                self.disks.add(str(node_id)),
                random.randbytes(16),
                is_controller=is_controller,
                is_broker=is_combined or not is_controller,
            )
        if is_dynamic:
            voters = VoterSet(Voter(i, self.nodes[i].directory_id, (_endpoint(i, 9001),)) for i in self.voter_ids)
            for node_id in self.voter_ids:
                format_directory(self.nodes[node_id].disk.root, voters)

    def _make_clients(self) -> None:
        kinds = (Operator, Producer, Producer, CarelessProducer, Consumer, Member, Member, Member)
        self.clients = [kind(self, FIRST_CLIENT + number) for number, kind in enumerate(kinds)]
        self.producers = [client for client in self.clients if isinstance(client, Producer)]
        self.consumers = [client for client in self.clients if isinstance(client, Consumer)]

    # --- time

    def call_in(self, delay_ms: int, call: Callable[[], None]) -> None:
        self._order += 1
        heappush(self._queue, (self.now_ms + delay_ms, self._order, call))

    def arm(self, node: Node, time_ms: int) -> None:
        """The one timer of a node's quorum."""
        if time_ms >= 1 << 60:
            self._armed.pop(node.id, None)
        elif self._armed.get(node.id) != time_ms:
            self._armed[node.id] = time_ms
            self.call_in(max(time_ms - self.now_ms, 0), lambda: self._tick(node, time_ms))

    def _tick(self, node: Node, time_ms: int) -> None:
        if self._armed.get(node.id) == time_ms:
            del self._armed[node.id]
            node.run(lambda: node.metadata.happen(ev.Tick()))

    def run_until(self, end_ms: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Whether `done` came true."""
        while self._queue and self._queue[0][0] <= end_ms:
            self.now_ms, _, call = heappop(self._queue)
            call()
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise Violation(f"{self.steps} steps in {self.now_ms} ms: somebody never rests")
            if done():
                return True
        self.now_ms = end_ms
        return False

    # --- the network

    def ask(
        self,
        sender: Party,
        receiver_id: int,
        serve: Callable[[Any, Callable[[Any], None]], None],
        answered: Callable[[Any], None],
        failed: Callable[[], None],
        timeout_ms: int | None = None,
    ) -> None:
        """A request and its answer, or `failed`: refused by a machine whose process is gone, or, with a time-out, not answered. Only one of both, once."""
        receiver, incarnation, is_over = self.nodes[receiver_id], sender.incarnation, False

        def back(call: Callable[[], None]) -> None:
            nonlocal is_over
            if not is_over and sender.incarnation == incarnation:
                is_over = True
                sender.run(call)

        def reply(answer: Any) -> None:
            for delay_ms in self._arrivals(receiver_id, sender.id):
                self.call_in(delay_ms, lambda: None if self._is_cut(receiver_id, sender.id) else back(lambda: answered(answer)))

        def arrive() -> None:
            if self._is_cut(sender.id, receiver_id):
                return
            if receiver.is_up:
                receiver.run(lambda: serve(receiver, reply))
            elif not self._is_cut(receiver_id, sender.id):
                back(failed)

        for delay_ms in self._arrivals(sender.id, receiver_id):
            self.call_in(delay_ms, arrive)
        if timeout_ms is not None:
            self.call_in(timeout_ms, lambda: back(failed))

    def _arrivals(self, sender: int, receiver: int) -> list[int]:
        return [0] if sender == receiver else self.network.arrivals(sender, receiver)

    def _is_cut(self, sender: int, receiver: int) -> bool:
        return sender != receiver and self.network.is_cut(sender, receiver)

    # --- deaths

    def may_be_lost(self, node: Node, *, loses_power: bool = False) -> bool:
        """What the replicas must survive. The process of a broker may die at any time, and so may all of them at once. A broker may lose power, too, and
        with it what it hadn't synced, while fewer than min.insync.replicas are out of sync for having died: the controller can't tell one death from
        the other, so it trusts none of them (KIP-966). While one is out of sync that lost power, so many may die, and no more.
        """
        if not node.is_broker:
            return True
        is_few = len(self.invariants.unclean | {node.id}) < min(self.min_isr, self.replication_factor)
        if self.syncs_each_batch:
            return True
        return is_few or (not loses_power and not self.invariants.lost_power)

    def died(self, node: Node, *, loses_power: bool, why: str = "") -> None:
        """`loses_power`: if it may."""
        loses_power = loses_power and self.may_be_lost(node, loses_power=True)
        broker = node.broker
        if broker is not None and hasattr(broker, "files"):
            node.disk.revive()
            node.disk.may_fail = lambda: False
            broker.files.close()
        node.disk.kill()
        if node.is_broker:
            self.invariants.unclean.add(node.id)
        if loses_power:
            node.disk.lose_power()
            if node.is_broker and not self.syncs_each_batch:
                self.invariants.lost_power.add(node.id)
        self.faults.append(f"{self.now_ms} ms: {node} {'loses power' if loses_power else 'dies'} {why}")
        self._gone(node)
        self.call_in(self.random.choice((5, 300, 1500, 4000)), node.start)

    def stopped(self, node: Node) -> None:
        """A clean end."""
        node.disk.kill()
        self.faults.append(f"{self.now_ms} ms: {node} has stopped")
        self._gone(node)
        self.call_in(self.random.choice((5, 300, 1500)), node.start)

    def _gone(self, node: Node) -> None:
        node.is_up = False
        self._armed.pop(node.id, None)
        broker = node.broker
        if self.hears_of_deaths and broker is not None and broker.epoch >= 0:
            epoch = broker.epoch
            for other in self.nodes.values():
                if other.is_controller and other is not node and not self._is_cut(node.id, other.id):
                    self.call_in(self.random.randint(1, 30), lambda other=other: self._tell_of_death(other, node.id, epoch))  # type: ignore[misc]

    def _tell_of_death(self, controller: Node, broker_id: int, epoch: int) -> None:
        if controller.is_up and controller.controller is not None:
            host = controller.controller
            controller.run(lambda: host.broker_died(broker_id, epoch))

    # --- what goes wrong

    def _up(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.is_up]

    def _kill(self) -> None:
        node = self.misfortune.choice(list(self.nodes.values()))
        if node.is_up and self.may_be_lost(node):
            self.died(node, loses_power=False)

    def _lose_power(self) -> None:
        node = self.misfortune.choice(list(self.nodes.values()))
        if node.is_up and self.may_be_lost(node):
            self.died(node, loses_power=True)

    def _kill_all(self) -> None:
        for node in filter(self.may_be_lost, self._up()):
            self.died(node, loses_power=self.misfortune.random() < 0.5)

    def _die_in_storage(self) -> None:
        """Some node dies between two system calls, or inside of one."""
        node = self.misfortune.choice(list(self.nodes.values()))
        self.faults.append(f"{self.now_ms} ms: {node} is about to die in a system call")
        node.disk.death_rate = self.misfortune.choice((0.02, 0.1))
        self.call_in(self.misfortune.randint(20, 600), lambda: setattr(node.disk, "death_rate", 0.0))

    def _fail_disk(self) -> None:
        node = self.misfortune.choice(list(self.nodes.values()))
        self.faults.append(f"{self.now_ms} ms: {node}'s disk fails now and then")
        node.disk.error_rate = self.misfortune.choice((0.02, 0.1))
        self.call_in(self.misfortune.randint(20, 400), lambda: setattr(node.disk, "error_rate", 0.0))

    def _stop(self) -> None:
        node = self.misfortune.choice(list(self.nodes.values()))
        if node.is_up and not node.is_paused:
            self.faults.append(f"{self.now_ms} ms: {node} is told to stop")
            node.run(lambda: self._begin_to_stop(node))

    def _begin_to_stop(self, node: Node) -> None:
        if node.broker is not None:
            node.broker.is_stopping = True
        else:
            node.metadata.happen(ev.Stop())
            node.after(200, lambda: self.stopped(node))

    def _pause(self) -> None:
        node = self.misfortune.choice(list(self.nodes.values()))
        if node.is_up and not node.is_paused:
            self.faults.append(f"{self.now_ms} ms: {node} hangs")
            self._hang(node, self.misfortune.randint(10, 4000))

    def _one_after_another(self) -> None:
        """The replicas of a partition leave its in-sync set one by one, the last but one by a loss of power, and that one is the first to return."""
        partitions = self.invariants.partitions
        if not partitions:
            return
        replicas = [self.nodes[broker_id] for broker_id in self.misfortune.choice(partitions).replicas]
        *others, loser, last = self.misfortune.sample(replicas, len(replicas))
        self.faults.append(f"{self.now_ms} ms: {others} hang, then {loser} loses power, then {last} hangs")
        for node in others:
            self._hang(node, 6000)
        delay_ms = 2600 if others else 0
        self.call_in(delay_ms, lambda: self.died(loser, loses_power=True) if loser.is_up and self.may_be_lost(loser) else None)
        self.call_in(delay_ms + 20, lambda: self._hang(last, 6000))

    def _hang(self, node: Node, time_ms: int) -> None:
        if node.is_up and not node.is_paused:
            node.is_paused = True
            self.call_in(time_ms, node.resume)

    def _cut(self) -> None:
        """Two sides that don't hear each other, or only one the other. Clients are on either."""
        ids = [*self.nodes, *(client.id for client in self.clients)]
        side = set(self.misfortune.sample(list(self.nodes), self.misfortune.randint(1, len(self.nodes) - 1)))
        side |= {client.id for client in self.clients if self.misfortune.random() < 0.3}
        both = self.misfortune.random() < 0.6
        self.faults.append(f"{self.now_ms} ms: {sorted(side)} {'and the others are' if both else 'are'} cut off")
        for one in ids:
            for other in ids:
                if one in side and other not in side:
                    self.network.cut(one, other)
                    if both:
                        self.network.cut(other, one)

    def _cut_leader_off(self) -> None:
        """The active controller goes on for a while, and so do its clients."""
        for node in self._up():
            if node.metadata.quorum.is_leader:
                self.faults.append(f"{self.now_ms} ms: {node}, which leads, is cut off from the others")
                for other in self.nodes:
                    self.network.cut(node.id, other)
                    self.network.cut(other, node.id)

    def _heal(self) -> None:
        self.network.heal()

    def _degrade(self) -> None:
        network = self.network
        network.loss = self.misfortune.choice((0.0, 0.05, 0.2))
        network.doubling = self.misfortune.choice((0.0, 0.1, 0.3))
        network.slowest_ms = self.misfortune.choice((3, 50, 300))
        self.faults.append(f"{self.now_ms} ms: {network.loss:.0%} lost, {network.doubling:.0%} doubled, up to {network.slowest_ms} ms")

    def _change_voters(self) -> None:
        """An operator adds a controller to the voters, or removes one; never so that fewer than two are left. The quorum may refuse."""
        leader = next((node for node in self._up() if node.metadata.quorum.is_leader and not node.is_paused), None)
        if leader is None or not self.is_dynamic:
            return
        voters = leader.metadata.quorum.voters
        others = [node for node in self.nodes.values() if node.is_controller and node.id not in voters.by_id]
        if others and self.misfortune.random() < 0.6:
            self._add_voter(leader, self.misfortune.choice(others))
        elif len(voters) > 2:
            self._remove_voter(leader, self.misfortune.choice(list(voters.by_id.values())), then_replaces=self.misfortune.random() < 0.5)

    def _add_voter(self, leader: Node, added: Node) -> None:
        self.faults.append(f"{self.now_ms} ms: {leader} is asked to add {added} to the voters")
        listeners = [AddRaftVoterRequest.Listener(name=LISTENER, host=f"node{added.id}", port=9000 + added.incarnation)]
        request = AddRaftVoterRequest(
            cluster_id=self.id, timeout_ms=1000, voter_id=added.id, voter_directory_id=added.directory_id, listeners=listeners
        )
        leader.run(lambda: leader.metadata.ask(request, 1, self._voters_changed))

    def _remove_voter(self, leader: Node, removed: Voter, *, then_replaces: bool) -> None:
        """`then_replaces`: its disk, which is why it was removed."""
        self.faults.append(f"{self.now_ms} ms: {leader} is asked to remove node {removed.id} from the voters")
        request = RemoveRaftVoterRequest(cluster_id=self.id, voter_id=removed.id, voter_directory_id=removed.directory_id)

        def answered(answer: Message) -> None:
            if self._voters_changed(answer) and then_replaces:
                self.call_in(50, lambda: self._empty_disk(self.nodes[removed.id]))

        leader.run(lambda: leader.metadata.ask(request, 0, answered))

    def _voters_changed(self, answer: Message) -> bool:
        is_done: bool = answer.error_code == Error.NONE  # type: ignore[attr-defined]
        self.invariants.voter_changes += is_done
        return is_done

    def _is_counted_on(self, node: Node) -> bool:
        """Whether some controller takes it for a voter, with the disk that it has now."""
        voters = [other.metadata.quorum.voters.by_id.get(node.id) for other in self.nodes.values() if other.is_controller]
        return any(voter is not None and voter.directory_id in (node.directory_id, bytes(16)) for voter in voters)

    def _replace_disk(self) -> None:
        self._empty_disk(self.misfortune.choice(list(self.nodes.values())))

    def _empty_disk(self, node: Node) -> None:
        """A node's disk fails for good; an empty one takes its place. Not a voter's: its vote must not be forgotten."""
        if not node.is_up or self._is_counted_on(node) or not self.may_be_lost(node, loses_power=True):
            return
        if not node.is_broker or not self.syncs_each_batch:
            self.died(node, loses_power=True)
            self.faults.append(f"{self.now_ms} ms: {node} has an empty disk now")
            node.disk.wipe()
            node.directory_id = self.random.randbytes(16)
            self.invariants.replaced_disks += 1

    def _reassign(self) -> None:
        """An operator moves a partition to other brokers."""
        brokers = [node.id for node in self.nodes.values() if node.is_broker]
        replicas = self.misfortune.sample(brokers, self.replication_factor)
        name = self.misfortune.choice((TOPIC, GROUPS))
        index = self.misfortune.randrange(self.partitions) if name == TOPIC else 0
        topic = AlterPartitionReassignmentsRequest.ReassignableTopic
        rows = [topic(name=name, partitions=[topic.ReassignablePartition(partition_index=index, replicas=replicas)])]
        request = AlterPartitionReassignmentsRequest(timeout_ms=1000, topics=rows)
        hosts = [node.controller for node in self._up() if node.controller is not None and not node.is_paused]
        active = next((host for host in hosts if host.controller.is_active), None)
        if active is not None:
            self.faults.append(f"{self.now_ms} ms: {name}-{index} is to move to {replicas}")
            move = partial(alter_partition_reassignments, request=request)
            active.node.run(lambda: active.run(lambda controller, now_ms: move(controller), lambda error, answer: None))

    def _snapshot(self) -> None:
        node = self.misfortune.choice(list(self.nodes.values()))
        if node.is_up and not node.is_paused:
            self.faults.append(f"{self.now_ms} ms: {node} takes a snapshot")
            node.run(node.metadata.take_snapshot)

    def _misfortune(self) -> None:
        """Each has a Random of its own: without it, the others are as they were."""
        if self.now_ms >= self.until_ms:
            return
        self.misfortunes += 1
        self.misfortune = Random(f"{self.seed} {self.misfortunes}")
        what = self.misfortune.choices([kind for kind, _ in MISFORTUNES], [weight for _, weight in MISFORTUNES])[0]
        delay_ms = self.misfortune.randint(50, 1500)
        if self.misfortunes not in self.without:
            what(self)
        self.call_in(delay_ms, self._misfortune)

    # --- the whole run

    def run(self) -> None:
        """Raises Violation, or what the core and the storage raise when they find themselves broken."""
        for node in self.nodes.values():
            self.call_in(self.random.randint(0, 300), node.start)
        for client in self.clients:
            self.call_in(self.random.randint(500, 1000), client.begin)  # type: ignore[attr-defined]
        self.call_in(1_500, self._misfortune)
        self.run_until(self.until_ms)
        self._come_to_rest()

    def _come_to_rest(self) -> None:
        """Faults stop: within a bound everything must be acknowledged, replicated, in sync, read and the same everywhere."""
        self.network.heal()
        for node in self.nodes.values():
            node.disk.death_rate = node.disk.error_rate = 0.0
            node.resume()
            self.call_in(self.random.randint(0, 50), node.start)
        for client in self.clients:
            client.is_over = True
        for producer in self.producers:
            for index in range(self.partitions):
                producer.produce_to(index)
        deadline_ms = self.now_ms + REST_MS
        self.run_until(self.now_ms + 200)
        while self.now_ms < deadline_ms:
            if self._why_not_at_rest() is None:
                return
            self.run_until(self.now_ms + 100)
        raise Violation(f"{REST_MS} ms after the last fault {self._why_not_at_rest()}")

    def _why_not_at_rest(self) -> str | None:
        for node in self.nodes.values():
            if not node.is_up or (node.broker is not None and (node.broker.is_fenced or node.broker.image is None)):
                return f"{node} isn't there, or is fenced"
        leaders = [node for node in self.nodes.values() if node.metadata.quorum.is_leader]
        if len(leaders) != 1 or leaders[0].controller is None or not leaders[0].controller.controller.is_active:
            return f"the quorum's leaders are {leaders}"
        image = leaders[0].metadata.image
        if any(node.metadata.applied < leaders[0].metadata.log.end_offset for node in self.nodes.values()):
            return "the metadata isn't everywhere"
        if len(image.topics.by_id) < 2:
            return "there are no topics"
        for producer in self.producers:
            if not producer.is_idle or producer.producer_id < 0:
                return f"{producer.name} waits for an acknowledgement"
        for topic in image.topics.by_id.values():
            for index, partition in topic.partitions.items():
                if len(partition.isr) < self.replication_factor or partition.leader < 0 or partition.is_reassigning:
                    return f"{topic.name}-{index} has the leader {partition.leader} and the in-sync set {partition.isr}"
                truth = self.invariants.truths.get((topic.id, index))
                found = [self.nodes[member].broker.replicas.get((topic.id, index)) for member in partition.replicas]  # type: ignore[union-attr]
                ends = {-1 if replica is None else replica.log.end_offset for replica in found}
                if truth is not None and ends != {truth.end_offset}:
                    return f"{topic.name}-{index} ends at {ends}, {truth.end_offset} are committed"
                if topic.name == "t" and any(consumer.positions[index] != truth.end_offset for consumer in self.consumers if truth is not None):
                    return f"a consumer hasn't read {topic.name}-{index} to its end"
        return None


MISFORTUNES: tuple[tuple[Callable[[Cluster], None], int], ...] = (
    (Cluster._kill, 2),
    (Cluster._lose_power, 3),
    (Cluster._kill_all, 1),
    (Cluster._die_in_storage, 2),
    (Cluster._fail_disk, 1),
    (Cluster._stop, 1),
    (Cluster._pause, 1),
    (Cluster._one_after_another, 2),
    (Cluster._cut, 2),
    (Cluster._cut_leader_off, 1),
    (Cluster._heal, 3),
    (Cluster._degrade, 1),
    (Cluster._snapshot, 2),
    (Cluster._reassign, 2),
    (Cluster._replace_disk, 1),
    (Cluster._change_voters, 4),
)
"""What goes wrong, or gets well again, and how often beside the others."""


def _endpoint(node_id: int, port: int) -> Endpoint:
    return Endpoint(LISTENER, f"node{node_id}", port)


def simulate(seed: int, without: Collection[int] = (), until_ms: int = FAULTS_MS) -> Cluster:
    """One run. Raises Failure."""
    memory = Path("/dev/shm")
    base = tempfile.mkdtemp(prefix="barnabas-simulation-", dir=memory if memory.is_dir() else None)
    try:
        cluster = Cluster(seed, base, without, until_ms)
        try:
            with cluster.disks.installed():
                cluster.run()
        except Exception as error:
            raise Failure(cluster, error) from error
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return cluster
