"""The in-sync sets of the partitions that this node leads, agreed on with the controller (AlterPartition), and what leaders know of the other nodes.

Owns the way of a proposal: batched, one request under way, asked again after 50 ms where that may help (R25, R26), without a wait when nothing is under way
(O20). Also has leaders look for followers that are late, each half of replica.lag.time.max.ms (R24). What is proposed, and what an answer means, is
`core.partition.leadership`'s. Everything here happens on the control thread. Source: Apache's AlterPartitionManager.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barnabas.core.metadata.registration import Broker
    from barnabas.core.partition.leadership import Proposal
    from barnabas.node.partition import Partition
    from barnabas.node.server import Node
    from barnabas.wire.messages.alter_partition import AlterPartitionRequest, AlterPartitionResponse

    Proposals = dict[Partition, Proposal]

_RETRY_MS = 50
_LOOK_AGAIN_MS = 500  # at a partition for which the controller wouldn't do what was proposed
_MOST = 1000  # partitions of one request
_RECOVERED = 0  # a leader after an unclean election is what there is: it says so with the first change (R29)


class InSync:
    """`leading.Cluster` of this node's partitions."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._waiting: Proposals = {}
        self._is_asking = False

    def start(self) -> None:
        """Begin to look for followers that are late. Proposals may come before."""
        self._node.controller.loop.call(self._look_later)

    # What leaders ask

    @property
    def broker_id(self) -> int:
        return self._node.config.node_id

    @property
    def brokers(self) -> Mapping[int, Broker]:
        return self._node.image.cluster.brokers

    @property
    def max_lag_ms(self) -> int:
        return self._node.config.replication.max_lag_ms

    def propose(self, partition: Partition, proposal: Proposal) -> None:
        """Ask the controller. From any thread."""
        self._node.controller.loop.call(self._add, partition, proposal)

    # What leaders are told

    def brokers_changed(self) -> None:
        """Brokers came, went, or were fenced: the image says so already."""
        for partition in self._node.replicas:
            partition.tend_replicas(brokers_changed=True)

    def _look_later(self) -> None:
        self._node.controller.loop.call_later(max(self.max_lag_ms / 2, 1), self._look)

    def _look(self) -> None:
        for partition in self._node.replicas:
            partition.tend_replicas()
        self._look_later()

    # The way to the controller

    def _add(self, partition: Partition, proposal: Proposal) -> None:
        self._waiting[partition] = proposal
        self._send()

    def _send(self) -> None:
        if self._is_asking:
            return
        asked: Proposals = {}
        for partition, proposal in list(self._waiting.items()):
            if len(asked) == _MOST:
                break
            del self._waiting[partition]
            if partition.is_proposing(proposal):
                asked[partition] = proposal
        if asked:
            self._is_asking = True
            self._node.controllers.ask(self._request(asked), lambda response: self._answered(asked, response))

    def _request(self, asked: Proposals) -> AlterPartitionRequest:
        from barnabas.wire.messages.alter_partition import AlterPartitionRequest

        topic = AlterPartitionRequest.TopicData
        topics: dict[bytes, list[AlterPartitionRequest.TopicData.PartitionData]] = {}
        for partition, proposal in asked.items():
            topics.setdefault(partition.topic_id, []).append(
                topic.PartitionData(
                    partition_index=partition.index,
                    leader_epoch=proposal.leader_epoch,
                    new_isr_with_epochs=[topic.PartitionData.BrokerState(broker_id=member, broker_epoch=epoch) for member, epoch in proposal.isr],
                    leader_recovery_state=_RECOVERED,
                    partition_epoch=proposal.partition_epoch,
                )
            )
        return AlterPartitionRequest(
            broker_id=self.broker_id,
            broker_epoch=self._node.broker.epoch,
            topics=[topic(topic_id=topic_id, partitions=partitions) for topic_id, partitions in topics.items()],
        )

    def _answered(self, asked: Proposals, response: AlterPartitionResponse | None) -> None:
        again = asked if response is None or response.error_code else self._distribute(asked, response)
        for partition, proposal in again.items():
            self._waiting.setdefault(partition, proposal)  # what was proposed meanwhile is newer
        self._is_asking = True  # until the next request may go out
        self._node.controller.loop.call_later(_RETRY_MS if again else 0, self._go_on)

    def _go_on(self) -> None:
        self._is_asking = False
        self._send()

    def _distribute(self, asked: Proposals, response: AlterPartitionResponse) -> Proposals:
        """Give every partition its answer; the proposals to be sent again."""
        from barnabas.core.partition.leadership import Outcome

        rows = {(topic.topic_id, row.partition_index): row for topic in response.topics for row in topic.partitions}
        again: Proposals = {}
        for partition, proposal in asked.items():
            row = rows.get((partition.topic_id, partition.index))
            if row is None:
                again[partition] = proposal
                continue
            outcome = Outcome(_error(row.error_code), row.leader_epoch, tuple(row.isr), row.partition_epoch)
            if partition.isr_answered(proposal, outcome):
                again[partition] = proposal
            elif outcome.error is not Error.NONE:
                self._node.controller.loop.call_later(_LOOK_AGAIN_MS, _look_who_may_join, partition)
        return again


def _look_who_may_join(partition: Partition) -> None:
    partition.tend_replicas(brokers_changed=True)


def _error(code: int) -> Error:
    try:
        return Error(code)
    except ValueError:
        return Error.UNKNOWN_SERVER_ERROR
