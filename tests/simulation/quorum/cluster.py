"""A simulated cluster: its clock, its nodes, what goes wrong in it, and the end where it must come to rest. One seed says it all."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from heapq import heappop, heappush
from random import Random
from typing import TYPE_CHECKING, Any

from barnabas.core.quorum import events as ev
from barnabas.core.quorum import peer_events as pe
from barnabas.core.quorum.quorum import Quorum, QuorumRefused
from barnabas.core.quorum.settings import QuorumSettings
from barnabas.core.quorum.voters import BOOTSTRAP_OFFSET, Endpoint, Voter, VoterSet
from tests.simulation.failures import Failure, Violation

from .disk import Disk, Snapshot
from .invariants import Invariants
from .network import Network
from .node import LISTENER, WITHOUT_PRE_VOTE, Crash, Node

if TYPE_CHECKING:
    from barnabas.core.quorum.events import Event

FAULTS_MS = 13_000
REST_MS = 30_000
MAX_STEPS = 200_000


class Cluster:
    """`without` and `until_ms`: see `failures.Run`."""

    kind = "SEEDS"
    default_until_ms = FAULTS_MS

    def __init__(self, seed: int, without: Collection[int] = (), until_ms: int = FAULTS_MS) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.without, self.until_ms = without, until_ms
        self.misfortune = Random(seed)
        self.misfortunes = 0
        self.faults: list[str] = []
        self.now_ms = 1_000
        self.steps = 0
        self.network = Network(self.random)
        self.invariants = Invariants()
        self.snapshots: dict[bytes, Snapshot] = {}
        self.tool_answers: list[Any] = []
        self.crash_rate = 0.0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._armed: dict[int, int] = {}
        self._make_nodes()

    def _make_nodes(self) -> None:
        random = self.random
        voter_count, observer_count = random.choice((3, 3, 4, 5, 5, 7)), random.choice((0, 1, 2))
        self.is_dynamic = random.random() < 0.6
        ids = range(1, voter_count + observer_count + 1)
        self.voter_ids = list(ids)[:voter_count]
        self.bootstrap = [pe.Peer(-2 - place if self.is_dynamic else node_id, f"node{node_id}", 9000) for place, node_id in enumerate(self.voter_ids)]
        static = VoterSet() if self.is_dynamic else VoterSet(Voter(i, endpoints=(Endpoint(LISTENER, f"node{i}", 9000),)) for i in self.voter_ids)
        is_old = random.random() < 0.15
        self.nodes: dict[int, Node] = {}
        for node_id in ids:
            settings = QuorumSettings(
                auto_join=self.is_dynamic and random.random() < 0.3,
                can_become_voter=self.is_dynamic or node_id in self.voter_ids,
                fetch_max_bytes=random.choice((200, 1024 * 1024)),
                fetch_snapshot_max_bytes=random.choice((100, 1024 * 1024)),
            )
            newest_vote = WITHOUT_PRE_VOTE if is_old and random.random() < 0.5 else 2
            self.nodes[node_id] = Node(node_id, self, settings, static, newest_vote)
        if self.is_dynamic:
            self._format()

    def _format(self) -> None:
        """As kafka-storage format --initial-controllers: a bootstrap snapshot names the voters (D42)."""
        voters = VoterSet(self.nodes[i].local._replace(endpoints=(Endpoint(LISTENER, f"node{i}", 9001),)) for i in self.voter_ids)
        for node_id in self.voter_ids:
            self.nodes[node_id].disk.snapshots = [Snapshot(pe.SnapshotId(0, BOOTSTRAP_OFFSET + 1), 1, voters, b"")]

    # --- time

    def call_in(self, delay_ms: int, call: Callable[[], None]) -> None:
        self._order += 1
        heappush(self._queue, (self.now_ms + delay_ms, self._order, call))

    def call_at(self, time_ms: int, node: Node, event: Event) -> None:
        """Arm the node's one timer."""
        if time_ms >= 1 << 60:
            self._armed.pop(node.id, None)
            return
        if self._armed.get(node.id) == time_ms:
            return
        self._armed[node.id] = time_ms
        self.call_in(max(time_ms - self.now_ms, 0), lambda: self._tick(node, time_ms, event))

    def _tick(self, node: Node, time_ms: int, event: Event) -> None:
        if self._armed.get(node.id) == time_ms:
            del self._armed[node.id]
            node.happen(event)

    def run_until(self, end_ms: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Whether `done` came true."""
        while self._queue and self._queue[0][0] <= end_ms:
            self.now_ms, _, call = heappop(self._queue)
            call()
            if self.steps > MAX_STEPS:
                raise Violation(f"{self.steps} steps in {self.now_ms} ms: some node never rests")
            if done():
                return True
        self.now_ms = end_ms
        return False

    # --- messages

    def node_at(self, peer: pe.Peer) -> int:
        return int(peer.host.removeprefix("node"))

    def deliver(self, sender: Node, receiver_id: int, effect: pe.Send, data: bytes, version: int) -> None:
        receiver, incarnation = self.nodes[receiver_id], sender.incarnation

        def arrive() -> None:
            if self.network.is_cut(sender.id, receiver_id):
                return
            if not receiver.is_up:
                if sender.incarnation == incarnation and not self.network.is_cut(receiver_id, sender.id):
                    sender.happen(pe.Failed(effect.peer.id, effect.correlation_id, is_refused=True))
            else:
                receiver.receive(sender, incarnation, effect, data, version)

        for delay_ms in self.network.arrivals(sender.id, receiver_id):
            self.call_in(delay_ms, arrive)

    def answer(self, sender: Node, receiver: Node, incarnation: int, effect: pe.Send, data: bytes, version: int, kind: Any) -> None:
        """A response travels back."""

        def arrive() -> None:
            if receiver.incarnation == incarnation and not self.network.is_cut(sender.id, receiver.id):
                receiver.happen(pe.Response(effect.peer.id, effect.correlation_id, kind.decode(data, version)))

        for delay_ms in self.network.arrivals(sender.id, receiver.id):
            self.call_in(delay_ms, arrive)

    # --- what nodes tell

    def maybe_crash(self, node: Node) -> None:
        """Between any two effects a process may die."""
        if self.crash_rate and self.random.random() < self.crash_rate and self._may_lose_one():
            self.call_in(self.random.randint(0, 4000), lambda: self._restart(node))
            raise Crash

    def committed(self, node: Node, offset: int) -> None:
        """A node heard that everything below `offset` is committed."""

    # --- what goes wrong

    def _up(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.is_up]

    def _may_lose_one(self) -> bool:
        return len(self._up()) > 1

    def _restart(self, node: Node) -> None:
        if not node.is_up:
            node.start()

    def _crash(self) -> None:
        node = self.misfortune.choice(list(self.nodes.values()))
        if node.is_up:
            node.crash()
            self.call_in(self.misfortune.choice((5, 200, 2000, 6000)), lambda: self._restart(node))

    def _crash_all(self) -> None:
        for node in self._up():
            node.crash()
            self.call_in(self.misfortune.randint(0, 2000), lambda node=node: self._restart(node))  # type: ignore[misc]

    def _stop(self) -> None:
        """A node is told to stop, and goes when it may."""
        node = self.misfortune.choice(list(self.nodes.values()))
        if node.is_up and not node.is_paused:
            node.happen(ev.Stop())
            self.call_in(self.misfortune.randint(1, 300), lambda: self._end(node))

    def _end(self, node: Node) -> None:
        if node.is_up:
            node.crash()
            self.call_in(self.misfortune.randint(1, 3000), lambda: self._restart(node))

    def _pause(self) -> None:
        """SIGSTOP: whatever comes is seen late."""
        node = self.misfortune.choice(self._up() or [next(iter(self.nodes.values()))])
        if node.is_up and not node.is_paused:
            node.is_paused = True
            self.call_in(self.misfortune.randint(10, 5000), lambda: self._resume(node))

    def _resume(self, node: Node) -> None:
        if node.is_up and node.is_paused:
            node.is_paused = False
            late, node.late = node.late, []
            for event in late:
                node.happen(event)

    def _partition(self) -> None:
        """Two sides that don't hear each other, or only one the other."""
        ids = list(self.nodes)
        side = set(self.misfortune.sample(ids, self.misfortune.randint(1, len(ids) - 1)))
        both = self.misfortune.random() < 0.6
        for one in ids:
            for other in ids:
                if one in side and other not in side:
                    self.network.cut(one, other)
                    if both:
                        self.network.cut(other, one)

    def _degrade(self) -> None:
        self.network.loss = self.misfortune.choice((0.0, 0.05, 0.3))
        self.network.doubling = self.misfortune.choice((0.0, 0.1, 0.3))
        self.network.slowest_ms = self.misfortune.choice((3, 50, 400))

    def _snapshot(self) -> None:
        node = self.misfortune.choice(self._up() or [next(iter(self.nodes.values()))])
        if node.is_up:
            node.take_snapshot(trim=self.misfortune.random() < 0.7)

    def _resign(self) -> None:
        for node in self._up():
            if node.quorum.is_leader:
                node.happen(pe.Resign(node.quorum.epoch))

    def _raise_kraft_version(self) -> None:
        """From static voters to dynamic ones, if the leader knows enough of them."""
        for node in self._up():
            if node.quorum.is_leader and not node.is_paused:
                with suppress(QuorumRefused):
                    node.happen(ev.RaiseKRaftVersion(1))

    def _is_whole(self, voters: VoterSet) -> bool:
        """Whether a majority of these voters still has its disk."""
        whole = [voter for voter in voters.by_id.values() if voter.directory_id == self.nodes[voter.id].disk.directory_id]
        return len(whole) > len(voters) // 2

    def _change_voters(self) -> None:
        for node in self._up():
            if node.quorum.is_leader and not node.is_paused:
                for _ in range(self.misfortune.choice((1, 1, 2))):
                    self._change_one(node)

    def _change_voters_and_cut_off(self) -> None:
        """The change is in the leader's log, and may never leave it (T18)."""
        leaders = [node.id for node in self._up() if node.quorum.is_leader and not node.is_paused]
        for node_id in leaders:
            for other in self.nodes:
                self.network.cut(node_id, other)
        self._change_voters()

    def _change_one(self, leader: Node) -> None:
        voters = leader.quorum.voters
        others = [other for other in self.nodes.values() if other.id not in voters.by_id]
        lost = [voter for voter in voters.by_id.values() if voter.directory_id != self.nodes[voter.id].disk.directory_id]
        removed = self.misfortune.choice(lost or list(voters.by_id.values()))  # whose disk is gone goes first
        if others and self.misfortune.random() < 0.5:
            leader.ask_to_add(self.misfortune.choice(others))
        elif len(voters) > 2 and self._is_whole(voters.without(removed.id)):
            leader.ask_to_remove(removed)

    def _replace_disk(self) -> None:
        """At most once, and never so that a set of voters that may be in force loses its majority."""
        node = self.misfortune.choice(list(self.nodes.values()))
        if self._has_replaced or not all(other.incarnation and self._is_whole(other.quorum.voters.without(node.id)) for other in self.nodes.values()):
            return
        if len({other.quorum.voters.ids for other in self.nodes.values()}) > 1 or len(node.quorum.voters) == 2:
            return
        self._has_replaced = True
        if node.is_up:
            node.crash()
        node.wipe()
        self.call_in(100, lambda: self._restart(node))

    _has_replaced = False

    def _misfortune(self) -> None:
        """Each has a Random of its own: without it, the others are as they were."""
        if self.now_ms >= self.until_ms:
            return
        self.misfortunes += 1
        self.misfortune = Random(f"{self.seed} {self.misfortunes}")
        always = (self._crash, self._crash, self._partition, self._degrade, self.network.heal, self.network.heal, self._stop, self._pause)
        dynamic = (self._change_voters, self._change_voters, self._change_voters_and_cut_off, self._replace_disk)
        static = (self._raise_kraft_version,)
        others = (self._snapshot, self._snapshot, self._resign, self._crash_all)
        what = self.misfortune.choice((*always, *(dynamic if self.is_dynamic else static), *others))
        delay_ms = self.misfortune.randint(50, 2500)
        if self.misfortunes not in self.without:
            self.faults.append(f"{self.now_ms} ms: {what.__name__.strip('_').replace('_', ' ')}")
            what()
        self.call_in(delay_ms, self._misfortune)

    def _work(self) -> None:
        """Controllers that lead, or believe so, write."""
        for node in self._up():
            for _ in range(self.random.choice((0, 1, 3))):
                node.propose(b"record %d of node %d" % (self._order, node.id))
        if self.now_ms < self.until_ms:
            self.call_in(self.random.randint(5, 400), self._work)

    # --- the whole run

    def run(self) -> None:
        """Raises Violation, or QuorumBroken and other errors of the core's own."""
        for node in self.nodes.values():
            self.call_in(self.random.randint(0, 300), lambda node=node: self._restart(node))  # type: ignore[misc]
        self.crash_rate = self.random.choice((0.0, 0.0005, 0.002))
        self._misfortune()
        self._work()
        self.run_until(self.until_ms)
        self._come_to_rest()

    def _come_to_rest(self) -> None:
        """Faults stop: within a bound there must be one leader, and what it writes must be committed everywhere."""
        self.crash_rate = 0.0
        self.network.heal()
        for node in self.nodes.values():
            self._resume(node)
            self._restart(node)
        self.call_in(5_000, self._write_last)
        if not self.run_until(self.now_ms + REST_MS, self._is_at_rest):
            raise Violation(f"no rest {REST_MS} ms after the last fault: {self.states()}")

    _last_value = b""

    def _write_last(self) -> None:
        leaders = [node for node in self._up() if node.quorum.is_leader]
        if not self.is_dynamic and self.seed % 2:
            self._raise_kraft_version()
        if len(leaders) == 1:
            self._last_value = b"the last record %d" % self._order
            leaders[0].propose(self._last_value)
        self.call_in(3_000, self._write_last)

    def _is_at_rest(self) -> bool:
        if not self._last_value:
            return False
        leaders = [node for node in self._up() if node.quorum.is_leader]
        if len(leaders) != 1 or leaders[0].quorum.high_watermark != leaders[0].disk.end_offset:
            return False
        end_offset, last = leaders[0].disk.end_offset, leaders[0].disk.batches
        if not last or self._last_value not in last[-1].data:
            return False
        return all(node.disk.end_offset == end_offset and node.quorum.high_watermark == end_offset for node in self.nodes.values())

    def states(self) -> list[str]:
        def state(node: Node) -> str:
            quorum: Quorum = node.quorum
            disk: Disk = node.disk
            log = f"log {disk.start_offset}-{disk.end_offset} high watermark {quorum.high_watermark}"
            return f"{node.id} {quorum.state} {quorum.epoch} {log} voters {quorum.voters.ids}"

        return [state(node) for node in self.nodes.values()]


def simulate(seed: int, without: Collection[int] = (), until_ms: int = FAULTS_MS) -> Cluster:
    """One run. Raises Failure."""
    cluster = Cluster(seed, without, until_ms)
    try:
        cluster.run()
    except Exception as error:
        raise Failure(cluster, error) from error
    return cluster
