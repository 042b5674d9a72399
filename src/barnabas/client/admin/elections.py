"""Leader elections by hand: the preferred replica, or any that lives (KIP-183, KIP-460)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.client.errors import KafkaError, check, error_of
from barnabas.wire.errors import Error
from barnabas.wire.messages.elect_leaders import ElectLeadersRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.elect_leaders import ElectLeadersResponse

PREFERRED = 0
UNCLEAN = 1


async def elect(cluster: Cluster, kind: int, partitions: Iterable[tuple[str, int]] | None) -> dict[tuple[str, int], KafkaError | None]:
    """Elects leaders of these partitions, or of all that need one; the outcome of each. Raises the whole call's error."""
    wanted = None
    if partitions is not None:
        topics: dict[str, list[int]] = {}
        for topic, partition in partitions:
            topics.setdefault(topic, []).append(partition)
        wanted = [ElectLeadersRequest.TopicPartitions(topic=topic, partitions=listed) for topic, listed in topics.items()]
    request = ElectLeadersRequest(election_type=kind, topic_partitions=wanted, timeout_ms=cluster.settings.request_timeout_ms)
    reply: ElectLeadersResponse = await cluster.call_controller(request, name="electLeaders", retry_on=lambda r: r.error_code == Error.NOT_CONTROLLER)
    check(reply.error_code)
    return {
        (result.topic, p.partition_id): KafkaError(error_of(p.error_code), p.error_message) if p.error_code else None
        for result in reply.replica_election_results
        for p in result.partition_result
    }
