"""Telling the controller in which directory this broker has put its replicas (C26).

Owns what hasn't been told yet; one request is under way at a time. Source: Apache's `AssignmentsManager`.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from barnabas.node.server import Node
    from barnabas.wire.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest

    Replica = tuple[bytes, int]  # topic id, partition

_MOST_AT_ONCE = 2250  # partitions, as Apache's
_RETRY_MS = 500


class DirectoryReports:
    """One a node, on its control thread."""

    __slots__ = ("_is_asking", "_node", "_pending", "_waiting")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._pending: dict[Replica, bytes] = {}
        self._waiting: dict[tuple[Replica, bytes], Callable[[Error], object]] = {}
        self._is_asking = False

    def report(self, replicas: Iterable[tuple[bytes, int, bytes]], on_answer: Callable[[Error], object] | None = None) -> None:
        """These replicas (topic id, partition, directory id) are where the metadata doesn't have them. From any thread.

        `on_answer` is told, on the control thread, what the controller says to each; REQUEST_TIMED_OUT when another place is reported before.
        """
        self._node.controller.loop.call(self._report, list(replicas), on_answer)

    def _report(self, replicas: list[tuple[bytes, int, bytes]], on_answer: Callable[[Error], object] | None) -> None:
        for topic_id, index, directory_id in replicas:
            replica = (topic_id, index)
            before = self._pending.get(replica)
            if before is not None and before != directory_id and (superseded := self._waiting.pop((replica, before), None)) is not None:
                superseded(Error.REQUEST_TIMED_OUT)
            self._pending[replica] = directory_id
            if on_answer is not None:
                self._waiting[replica, directory_id] = on_answer
        self._ask()

    def _ask(self) -> None:
        if self._is_asking or not self._pending:
            return
        self._is_asking = True
        if self._node.broker.epoch < 0:  # not registered yet: nobody would believe it
            self._node.controller.loop.call_later(_RETRY_MS, self._ask_again)
            return
        told = dict(islice(self._pending.items(), _MOST_AT_ONCE))
        request = assignment_request(self._node.broker.id, self._node.broker.epoch, told)
        self._node.controllers.ask(request, lambda answer: self._answered(told, answer))

    def _ask_again(self) -> None:
        self._is_asking = False
        self._ask()

    def _answered(self, told: dict[Replica, bytes], answer: Any) -> None:
        self._is_asking = False
        if answer is None or answer.error_code != Error.NONE:
            if answer is not None:
                self._node.warn_seldom("directories", f"Could not assign replicas to directories: {Error(answer.error_code).name}")
            self._node.controller.loop.call_later(_RETRY_MS, self._ask)
            return
        refused = {
            (topic.topic_id, row.partition_index): Error(row.error_code)
            for directory in answer.directories
            for topic in directory.topics
            for row in topic.partitions
        }
        for replica, directory_id in told.items():  # refused ones too: the metadata has no such replica any more
            if self._pending.get(replica) == directory_id:
                del self._pending[replica]
                on_answer = self._waiting.pop((replica, directory_id), None)
                if on_answer is not None:
                    on_answer(refused.get(replica, Error.UNKNOWN_SERVER_ERROR))
        self._ask()


def assignment_request(broker_id: int, broker_epoch: int, places: dict[Replica, bytes]) -> AssignReplicasToDirsRequest:
    from barnabas.wire.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest

    directory_data = AssignReplicasToDirsRequest.DirectoryData
    by_place: dict[bytes, dict[bytes, list[int]]] = {}
    for (topic_id, index), directory_id in places.items():
        by_place.setdefault(directory_id, {}).setdefault(topic_id, []).append(index)
    return AssignReplicasToDirsRequest(
        broker_id=broker_id,
        broker_epoch=broker_epoch,
        directories=[
            directory_data(
                id=directory_id,
                topics=[
                    directory_data.TopicData(
                        topic_id=topic_id, partitions=[directory_data.TopicData.PartitionData(partition_index=index) for index in indexes]
                    )
                    for topic_id, indexes in topics.items()
                ],
            )
            for directory_id, topics in by_place.items()
        ],
    )
