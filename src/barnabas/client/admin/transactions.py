"""Transactions as their coordinators have them: list, describe, fence the producers of transactional ids, abort what hangs (KIP-664, 588, 994, 1152)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import KafkaError, check, error_of
from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_transactions import DescribeTransactionsRequest
from barnabas.wire.messages.init_producer_id import InitProducerIdRequest
from barnabas.wire.messages.list_transactions import ListTransactionsRequest
from barnabas.wire.messages.write_txn_markers import WriteTxnMarkersRequest

from .groups import TRANSACTION, coordinator
from .leaders import ask_leaders

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from barnabas.client.cluster import Cluster
    from barnabas.client.connection import Connection
    from barnabas.wire.messages.describe_transactions import DescribeTransactionsResponse
    from barnabas.wire.messages.init_producer_id import InitProducerIdResponse
    from barnabas.wire.messages.list_transactions import ListTransactionsResponse
    from barnabas.wire.messages.write_txn_markers import WriteTxnMarkersResponse

    from .producers import ProducerState

FENCING_TIMEOUT_MS = 1
_NO_LEADER = (Error.REPLICA_NOT_AVAILABLE, Error.BROKER_NOT_AVAILABLE, Error.UNKNOWN_TOPIC_OR_PARTITION)


class Listing(NamedTuple):
    transactional_id: str
    producer_id: int
    state: str


class Description(NamedTuple):
    """`started_ms` is None while no transaction is open."""

    coordinator_id: int
    state: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    started_ms: int | None
    partitions: list[tuple[str, int]]


async def find(
    cluster: Cluster,
    *,
    states: Iterable[str] = (),
    producer_ids: Iterable[int] = (),
    min_duration_ms: int = -1,
    pattern: str | None = None,
) -> list[Listing]:
    """Transactional ids of all coordinators, of these states and producers, whose transaction is that old, whose name matches. Raises a broker's error."""
    await cluster.refresh([])
    request = ListTransactionsRequest(
        state_filters=list(states), producer_id_filters=list(producer_ids), duration_filter=min_duration_ms, transactional_id_pattern=pattern
    )
    found = []
    for node_id in cluster.brokers:

        async def attempt(node_id: int = node_id) -> ListTransactionsResponse:
            reply: ListTransactionsResponse = await (await cluster.connection(node_id)).call(request)
            check(reply.error_code)
            return reply

        reply = await cluster.retrying("listTransactions", attempt)
        found += [Listing(each.transactional_id, each.producer_id, each.transaction_state) for each in reply.transaction_states]
    return found


async def describe(cluster: Cluster, transactional_id: str) -> Description:
    """Raises TRANSACTIONAL_ID_NOT_FOUND and others."""

    async def attempt() -> Description:
        node_id = await coordinator(cluster, transactional_id, TRANSACTION, call="describeTransactions(api=FIND_COORDINATOR)")
        reply: DescribeTransactionsResponse = await (await cluster.connection(node_id)).call(
            DescribeTransactionsRequest(transactional_ids=[transactional_id])
        )
        state = reply.transaction_states[0]
        check(state.error_code)
        return Description(
            node_id,
            state.transaction_state,
            state.producer_id,
            state.producer_epoch,
            state.transaction_timeout_ms,
            state.transaction_start_time_ms if state.transaction_start_time_ms >= 0 else None,
            [(topic.topic, partition) for topic in state.topics for partition in topic.partitions],
        )

    return await cluster.retrying("describeTransactions", attempt)


async def fence(cluster: Cluster, transactional_id: str) -> tuple[int, int]:
    """Shuts out the producer that has this id by now, and aborts its transaction; the new producer id and epoch. Raises KafkaError."""

    async def attempt() -> tuple[int, int]:
        node_id = await coordinator(cluster, transactional_id, TRANSACTION, call="fenceProducer(api=FIND_COORDINATOR)")
        request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=FENCING_TIMEOUT_MS)
        reply: InitProducerIdResponse = await (await cluster.connection(node_id)).call(request)
        if reply.error_code:
            raise KafkaError(error_of(reply.error_code))
        return reply.producer_id, reply.producer_epoch

    return await cluster.retrying("fenceProducer", attempt)


async def abort(cluster: Cluster, partition: tuple[str, int], producer: ProducerState) -> None:
    """Ends a transaction that hangs in this partition, whose coordinator has forgotten it; `producer` as `producers.describe` shows it. Raises KafkaError."""
    Marker = WriteTxnMarkersRequest.WritableTxnMarker

    async def ask(leader: Connection, topics: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], KafkaError | None]:
        marker = Marker(
            producer_id=producer.producer_id,
            producer_epoch=producer.epoch,
            transaction_result=False,
            topics=[Marker.WritableTxnMarkerTopic(name=name, partition_indexes=list(indexes)) for name, indexes in topics.items()],
            coordinator_epoch=producer.coordinator_epoch or 0,
        )
        reply: WriteTxnMarkersResponse = await leader.call(WriteTxnMarkersRequest(markers=[marker]))
        return {
            (topic.name, p.partition_index): KafkaError(error_of(p.error_code)) if p.error_code else None
            for topic in reply.markers[0].topics
            for p in topic.partitions
        }

    failure = (await ask_leaders(cluster, "abortTransaction", [partition], ask, once_more=_NO_LEADER))[partition]
    if failure is not None:
        raise failure
