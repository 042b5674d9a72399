"""Which replicas of this node follow whom: a Fetcher for each leader, or num.replica.fetchers of them.

Owns the table; told by `replicas` on the publisher's thread, before that and the network threads run too. Source: AbstractFetcherManager of 4.3.1; R1.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, NamedTuple

from barnabas.node.call import steady_ms
from barnabas.node.network import PYTHON_THREADS

if TYPE_CHECKING:
    from barnabas.node.loop import Loop
    from barnabas.node.partition import Partition
    from barnabas.node.replication.fetcher import Fetcher
    from barnabas.node.server import Node


class _Assigned(NamedTuple):
    """Which fetcher has a partition, from whom, in which epoch."""

    loop: Loop
    fetcher: Fetcher
    leader_id: int
    leader_epoch: int


class Fetchers:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._fetchers: dict[tuple[int, int], tuple[Loop, Fetcher]] = {}
        self._of: dict[Partition, _Assigned] = {}
        self._giving: dict[Partition, _Assigned] = {}  # who had it before `_of` says so now, and hasn't let it go yet
        self._early: dict[Partition, tuple[int, int]] = {}  # before there is a thread for it
        self._is_started = False
        self._lock = RLock()

    def start(self) -> None:
        """The network threads run, and the node's image is what it was told."""
        with self._lock:
            self._is_started = True
            early, self._early = self._early, {}
            for partition, (leader_id, leader_epoch) in early.items():
                self.follow(partition, leader_id, leader_epoch)

    def follow(self, partition: Partition, leader_id: int, leader_epoch: int) -> None:
        """Have a replica follow `leader_id`, instead of whom it followed before."""
        with self._lock:
            if not self._is_started:
                self._early[partition] = (leader_id, leader_epoch)
                return
            self.leave(partition)
            loop, fetcher = self._fetcher(leader_id, partition.index)
            self._of[partition] = _Assigned(loop, fetcher, leader_id, leader_epoch)
            loop.call(fetcher.follow, partition, leader_epoch)

    def reconfigured(self) -> None:
        """num.replica.fetchers may be another: partitions go to the fetcher that is theirs by it, each once the one before has let it go."""
        with self._lock:
            for partition, before in list(self._of.items()):
                loop, fetcher = self._fetcher(before.leader_id, partition.index)
                if fetcher is not before.fetcher:
                    self._of[partition] = before._replace(loop=loop, fetcher=fetcher)
                    if partition not in self._giving:
                        self._giving[partition] = before
                        before.loop.call(self._hand_over, partition, before)

    def _hand_over(self, partition: Partition, before: _Assigned) -> None:
        """To whoever is to have it by now. On the thread of the fetcher that gives it up."""
        before.fetcher.leave((partition.topic_id, partition.index), partition)
        with self._lock:
            if self._giving.get(partition) is before:
                del self._giving[partition]
                after = self._of[partition]
                after.loop.call(after.fetcher.follow, partition, after.leader_epoch)

    def leave(self, partition: Partition) -> None:
        """It follows nobody: it leads, is gone, or has no leader."""
        with self._lock:
            self._early.pop(partition, None)
            self._giving.pop(partition, None)
            found = self._of.pop(partition, None)
            if found is not None:
                found.loop.call(found.fetcher.leave, (partition.topic_id, partition.index), partition)

    def brokers_changed(self, brokers: set[int]) -> None:
        """Brokers registered anew, or were fenced or unfenced: the image says so already."""
        with self._lock:
            for (leader_id, _), (loop, fetcher) in self._fetchers.items():
                if leader_id in brokers:
                    loop.call(fetcher.leader_changed)

    def lost_leaders(self) -> set[int]:
        """Brokers whose connections have just ended, and whom the metadata still takes for alive. From any thread."""
        if not self._fetchers:
            return set()
        now_ms, brokers = steady_ms(), self._node.image.cluster.brokers
        cut_off = {leader_id for (leader_id, _), (_, fetcher) in list(self._fetchers.items()) if fetcher.is_cut_off(now_ms)}
        return {leader_id for leader_id in cut_off if leader_id in brokers and not brokers[leader_id].fenced}

    def _fetcher(self, leader_id: int, index: int) -> tuple[Loop, Fetcher]:
        number = index % max(self._node.config.replication.fetchers, 1)
        found = self._fetchers.get((leader_id, number))
        if found is None:
            from barnabas.node.replication.fetcher import Fetcher

            threads = self._node.network.threads[:PYTHON_THREADS]
            loop = threads[(leader_id + number) % len(threads)]
            found = self._fetchers[leader_id, number] = loop, Fetcher(self._node, loop, leader_id, number)
        return found
