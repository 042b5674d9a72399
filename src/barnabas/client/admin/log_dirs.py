"""Brokers' log directories and what lies in them (KIP-113, KIP-827)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import KafkaError, check, error_of
from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_log_dirs import DescribeLogDirsRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.describe_log_dirs import DescribeLogDirsResponse


class Replica(NamedTuple):
    """`offset_lag` is how far it is behind the partition; `future`: it is on its way into this directory."""

    size_bytes: int
    offset_lag: int
    future: bool


class LogDir(NamedTuple):
    """A directory; the sizes are -1 where the broker doesn't say."""

    path: str
    failure: KafkaError | None
    replicas: dict[tuple[str, int], Replica]
    total_bytes: int
    usable_bytes: int


async def describe(cluster: Cluster, broker_ids: Iterable[int]) -> dict[int, list[LogDir]]:
    """The directories of each broker. Raises a broker's error."""
    found = {}
    for broker_id in broker_ids:
        if broker_id not in cluster.brokers:
            await cluster.refresh([])
        reply: DescribeLogDirsResponse = await cluster.call(DescribeLogDirsRequest(topics=None), name="describeLogDirs", node_id=broker_id)
        if not reply.results:
            check(reply.error_code or Error.CLUSTER_AUTHORIZATION_FAILED)
        found[broker_id] = [_directory(result) for result in reply.results]
    return found


def _directory(result: DescribeLogDirsResponse.Result) -> LogDir:
    replicas = {
        (topic.name, p.partition_index): Replica(p.partition_size, p.offset_lag, p.is_future_key) for topic in result.topics for p in topic.partitions
    }
    failure = KafkaError(error_of(result.error_code)) if result.error_code else None
    return LogDir(result.log_dir, failure, replicas, result.total_bytes, result.usable_bytes)


async def of_replicas(cluster: Cluster, replicas: Iterable[tuple[str, int, int]]) -> dict[tuple[str, int, int], str | None]:
    """The directory of each (topic, partition, broker); None where the broker has no such replica. Raises a broker's error."""
    listed = list(replicas)
    places = {
        (*key, broker_id): directory.path
        for broker_id, directories in (await describe(cluster, {broker_id for _, _, broker_id in listed})).items()
        for directory in directories
        for key, replica in directory.replicas.items()
        if not replica.future
    }
    return {replica: places.get(replica) for replica in listed}
