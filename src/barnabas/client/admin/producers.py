"""The producers that partitions' leaders remember, and whose transactions are open (KIP-664)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import KafkaError, error_of
from barnabas.wire.messages.describe_producers import DescribeProducersRequest

from .leaders import Key, ask_leaders

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from barnabas.client.cluster import Cluster
    from barnabas.client.connection import Connection
    from barnabas.wire.messages.describe_producers import DescribeProducersResponse


class ProducerState(NamedTuple):
    """`transaction_start` is None without an open transaction, `coordinator_epoch` without any."""

    producer_id: int
    epoch: int
    last_sequence: int
    last_timestamp_ms: int
    coordinator_epoch: int | None
    transaction_start: int | None


async def describe(cluster: Cluster, partitions: Iterable[Key]) -> dict[Key, list[ProducerState] | KafkaError]:
    """The producers of each partition, or its error."""

    async def ask(leader: Connection, topics: Mapping[str, Sequence[int]]) -> dict[Key, list[ProducerState] | KafkaError]:
        wanted = [DescribeProducersRequest.Topic(name=name, partition_indexes=list(indexes)) for name, indexes in topics.items()]
        reply: DescribeProducersResponse = await leader.call(DescribeProducersRequest(topics=wanted))
        return {
            (topic.name, p.partition_index): KafkaError(error_of(p.error_code), p.error_message)
            if p.error_code
            else [
                ProducerState(
                    each.producer_id,
                    each.producer_epoch,
                    each.last_sequence,
                    each.last_timestamp,
                    each.coordinator_epoch if each.coordinator_epoch >= 0 else None,
                    each.current_txn_start_offset if each.current_txn_start_offset >= 0 else None,
                )
                for each in p.active_producers
            ]
            for topic in reply.topics
            for p in topic.partitions
        }

    return await ask_leaders(cluster, "describeProducers", partitions, ask)
