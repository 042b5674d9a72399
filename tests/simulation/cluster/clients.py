"""What clients of a simulated cluster have in common, and the one that creates the topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from barnabas.core.controller.topic_changes import create_topics
from barnabas.wire.errors import Error
from barnabas.wire.messages.create_topics import CreateTopicsRequest

from .broker import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cluster import Cluster
    from .node import Node
    from .replica import Replica

TIMEOUT_MS = 1500
RETRY_MS = 80
TOPIC = "t"


class Client:
    """Something outside of the cluster, with an end of its own on the network; it never dies."""

    incarnation = 0

    def __init__(self, cluster: Cluster, client_id: int) -> None:
        self.cluster = cluster
        self.id = client_id
        self._metadata: dict[tuple[str, int], tuple[int, int]] = {}

    def run(self, call: Callable[[], None]) -> None:
        call()

    def after(self, delay_ms: int, call: Callable[[], None]) -> None:
        self.cluster.call_in(delay_ms, call)

    def leader_of(self, topic: str, index: int) -> tuple[int, int] | None:
        """(node, leader epoch) as this client believes; None: it doesn't know, and has asked."""
        known = self._metadata.get((topic, index))
        if known is None:
            self.refresh()
        return known

    def refresh(self) -> None:
        """Ask some broker for the metadata. An older epoch than is known already doesn't count."""
        brokers = [node.id for node in self.cluster.nodes.values() if node.is_broker]

        def serve(peer: Node, reply: Callable[[list[tuple[str, int, int, int]]], None]) -> None:
            image = None if peer.broker is None or not peer.broker.is_serving else peer.broker.image
            topics = [] if image is None else image.topics.by_id.values()
            reply([(topic.name, index, found.leader, found.leader_epoch) for topic in topics for index, found in topic.partitions.items()])

        def answered(rows: list[tuple[str, int, int, int]]) -> None:
            for topic, index, leader, epoch in rows:
                if leader >= 0 and epoch >= self._newest_epoch.get((topic, index), 0):
                    self._metadata[topic, index] = (leader, epoch)
                    self._newest_epoch[topic, index] = epoch

        self.ask(self.cluster.random.choice(brokers), serve, answered, lambda: None)

    @property
    def _newest_epoch(self) -> dict[tuple[str, int], int]:
        return self.__dict__.setdefault("_epochs", {})

    def forget(self, topic: str, index: int) -> None:
        self._metadata.pop((topic, index), None)

    def ask(self, node_id: int, serve: Any, answered: Any, failed: Callable[[], None]) -> None:
        self.cluster.ask(self, node_id, serve, answered, failed, timeout_ms=TIMEOUT_MS)


class Operator(Client):
    """Creates the topics, as soon as somebody can."""

    def begin(self) -> None:
        self._create(self.cluster.random.choice(self.cluster.controller_ids))

    def _create(self, node_id: int) -> None:
        cluster = self.cluster
        rows = [(TOPIC, cluster.partitions), (GROUPS, 1)]
        topics = [
            CreateTopicsRequest.CreatableTopic(
                name=name, num_partitions=count, replication_factor=cluster.replication_factor, assignments=[], configs=[]
            )
            for name, count in rows
        ]
        request = CreateTopicsRequest(topics=topics, validate_only=False)

        def serve(peer: Node, reply: Callable[[Any], None]) -> None:
            assert peer.controller is not None
            peer.controller.run(lambda controller, now_ms: create_topics(controller, request, 7), lambda error, response: reply((error, response)))

        def answered(answer: Any) -> None:
            error, response = answer
            if error is not Error.NONE or any(row.error_code not in (Error.NONE, Error.TOPIC_ALREADY_EXISTS) for row in response.topics):
                again()

        def again() -> None:
            self.after(150, lambda: self._create(cluster.random.choice(cluster.controller_ids)))

        self.ask(node_id, serve, answered, again)


def replica_on(peer: Node, topic: str, index: int) -> Replica | None:
    return None if peer.broker is None else peer.broker.partition_of(topic, index)
