"""Where stories take place: a started cluster under traffic, what stories measure of it, and everything that must hold in the end (checkers.py)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from barnabas.client.admin import elections, topics
from tests.cluster import checkers
from tests.cluster.cluster import create
from tests.cluster.compacted import BOTH, COMPACT, Compacted
from tests.cluster.load import OFFSETS, Churn, Group, Load

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster, Member


class Scene:
    """A started cluster with a replicated topic, and users at work on it. Use as `with Scene(cluster) as scene:`, then `scene.check()`."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        topic: str = "t",
        partitions: int = 6,
        per_second: int = 1000,
        group: bool = True,
        churn: bool = True,
        compacted: bool = False,
        **client: object,
    ) -> None:
        """`client`: librdkafka's settings of the producers, with underscores for dots. By default it gives up a silent connection after a minute.

        `compacted`: with a topic that is compacted and one that is shortened too; and so are the group's offsets.
        """
        self.cluster = cluster
        self.topic = topic
        self._created = 0
        cluster.create_topic(self.topic, partitions, 3)
        cluster.wait_for_full_isr(self.topic)
        settings = {key.replace("_", "."): value for key, value in client.items()}
        self.load = Load(cluster.bootstrap, self.topic, partitions, per_second=per_second, **settings)
        self.compacted: list[Compacted] = []
        if compacted:
            made = {"compacted": COMPACT, "compacted-and-shortened": BOTH}
            self.compacted = [Compacted(cluster, name, configs, **settings) for name, configs in made.items()]
        self.group = Group(cluster.bootstrap, self.topic) if group else None
        self.churn = Churn(cluster) if churn else None
        self.load.wait_for_all_partitions()

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *_: object) -> None:
        for part in (self.churn, self.load, *[compacted.load for compacted in self.compacted], self.group):
            if part is not None:
                part.stop()

    def settle(self) -> None:
        """Everybody up, in sync, led by the first replica where it can be, and written to."""
        cluster = self.cluster
        if cluster.network is not None:
            cluster.network.heal()
        cluster.start()
        cluster.wait_for_full_isr(self.topic, *[compacted.topic for compacted in self.compacted])
        cluster.ask(lambda client: elections.elect(client, elections.PREFERRED, None))
        for load in (self.load, *[compacted.load for compacted in self.compacted]):
            load.wait_for_all_partitions()

    def check(self) -> dict[str, int]:
        """Ends the traffic, and asks for everything that must hold. Returns how much was looked at."""
        cluster = self.cluster
        if self.churn is not None:
            self.churn.wait_for_another()
            self.churn.stop()
        self.load.stop()
        checkers.nobody_died(cluster)
        checkers.nothing_lost(cluster, self.load)
        if self.group is not None:
            checkers.group_saw_all(self.load, self.group)
            self.group.stop()
        if self.churn is not None:
            checkers.topics_are_as_told(cluster, self.churn)
        names = [self.topic, *([OFFSETS] if self.group is not None else [])]
        compared = checkers.logs_are_equal(cluster, *names)
        checkers.epochs_agree(cluster, *names)
        for compacted in self.compacted:
            compacted.load.stop()
            compacted.check()
        return {"acknowledged": len(self.load.acknowledged), "batches": compared, "metadata batches": checkers.metadata_is_equal(cluster)}

    def wait_until_cleaned(self, *members: Member) -> None:
        """Until each of these nodes, or all, has cleaned each partition of the compacted topics once more."""
        for compacted in self.compacted:
            compacted.wait_until_cleaned(*members)

    # What stories measure

    def gap_since(self, began: float) -> float:
        """The longest time in which some partition acknowledged nothing, once all take writes again."""
        self.load.wait_for_all_partitions()
        return self.load.gap(began)

    def until_created(self, began: float) -> float:
        """From then on until the cluster makes a topic, of one replica, so that nothing else is waited for."""
        self._created += 1
        name = f"created-{self._created}"
        self.cluster.ask(lambda client: create(client, topics.NewTopic(name, 1, 1)))
        return time.monotonic() - began

    def until_led_without(self, lost: Member, began: float) -> float:
        """From then on until the other brokers know other leaders of all partitions."""
        others = [member for member in self.cluster.running(self.cluster.brokers) if member is not lost]

        def moved() -> bool:
            views = [self.cluster.partitions(self.topic, by) for by in others]
            return all(rows and all(row.leader_id not in (-1, lost.node_id) for row in rows) for rows in views)

        self.cluster.wait_for("all partitions are led by others", moved)
        return time.monotonic() - began

    def leading(self, *, active_controller: bool) -> Member:
        """A broker that leads some partition of the topic, and is the active controller or isn't. Brokers hear of an election a moment later."""
        found: list[int] = []

        def is_found() -> bool:
            active = self.cluster.active_controller()
            leaders = {row.leader_id for row in self.cluster.partitions(self.topic)} & self.cluster.members.keys()
            found[:] = [n for n in sorted(leaders) if (n == active.node_id) == active_controller]
            return bool(found)

        self.cluster.wait_for(f"a leader that {'is' if active_controller else 'is not'} the active controller", is_found)
        return self.cluster.members[found[0]]
