"""Transactions as their coordinators have them: list, describe, and fencing the producers of transactional ids (KIP-664, KIP-588, KIP-994, KIP-1152)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import KafkaError, check, error_of
from barnabas.wire.messages.describe_transactions import DescribeTransactionsRequest
from barnabas.wire.messages.init_producer_id import InitProducerIdRequest
from barnabas.wire.messages.list_transactions import ListTransactionsRequest

from .groups import TRANSACTION, coordinator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.describe_transactions import DescribeTransactionsResponse
    from barnabas.wire.messages.init_producer_id import InitProducerIdResponse
    from barnabas.wire.messages.list_transactions import ListTransactionsResponse

FENCING_TIMEOUT_MS = 1


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
