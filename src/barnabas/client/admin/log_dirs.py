"""Brokers' log directories, what lies in them, and moves of replicas from one to another (KIP-113, KIP-827)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.client.errors import KafkaError, check, error_of
from barnabas.wire.errors import Error
from barnabas.wire.messages.alter_replica_log_dirs import AlterReplicaLogDirsRequest
from barnabas.wire.messages.describe_log_dirs import DescribeLogDirsRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from barnabas.client.cluster import Cluster
    from barnabas.wire.messages.alter_replica_log_dirs import AlterReplicaLogDirsResponse
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


class Place(NamedTuple):
    """Where a replica lies, and the directory that it is on its way to; None: there is none."""

    current: str | None
    future: str | None


ReplicaKey = tuple[str, int, int]
"""Topic, partition, broker."""


async def describe(
    cluster: Cluster, broker_ids: Iterable[int], topics: Mapping[str, Sequence[int]] | None = None, *, call: str = "describeLogDirs"
) -> dict[int, list[LogDir]]:
    """The directories of each broker, with these partitions or all. Raises a broker's error."""
    found = {}
    Topic = DescribeLogDirsRequest.DescribableLogDirTopic
    wanted = None if topics is None else [Topic(topic=name, partitions=list(partitions)) for name, partitions in topics.items()]
    for broker_id in broker_ids:
        await cluster.locate(broker_id)
        reply: DescribeLogDirsResponse = await cluster.call(DescribeLogDirsRequest(topics=wanted), name=call, node_id=broker_id)
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


async def places(cluster: Cluster, replicas: Iterable[ReplicaKey]) -> dict[ReplicaKey, Place]:
    """Of each replica. Raises a broker's error."""
    found = {replica: Place(None, None) for replica in replicas}
    for broker_id in {broker_id for _, _, broker_id in found}:
        topics: dict[str, list[int]] = {}
        for topic, partition, broker in found:
            if broker == broker_id:
                topics.setdefault(topic, []).append(partition)
        for directory in (await describe(cluster, [broker_id], topics, call="describeReplicaLogDirs"))[broker_id]:
            for key, replica in directory.replicas.items():
                place = found[(*key, broker_id)]
                found[(*key, broker_id)] = place._replace(future=directory.path) if replica.future else place._replace(current=directory.path)
    return found


async def alter(cluster: Cluster, moves: Mapping[ReplicaKey, str]) -> dict[ReplicaKey, KafkaError | None]:
    """Moves each replica to this directory of its broker; the outcome of each. REPLICA_NOT_AVAILABLE: it will lie there once the broker has it."""
    Dir = AlterReplicaLogDirsRequest.AlterReplicaLogDir
    brokers: dict[int, dict[str, dict[str, list[int]]]] = {}
    for (topic, partition, broker_id), path in moves.items():
        brokers.setdefault(broker_id, {}).setdefault(path, {}).setdefault(topic, []).append(partition)
    found: dict[ReplicaKey, KafkaError | None] = {}
    for broker_id, paths in brokers.items():
        dirs = [
            Dir(path=path, topics=[Dir.AlterReplicaLogDirTopic(name=name, partitions=partitions) for name, partitions in topics.items()])
            for path, topics in paths.items()
        ]
        try:
            await cluster.locate(broker_id)
            reply: AlterReplicaLogDirsResponse = await cluster.call(
                AlterReplicaLogDirsRequest(dirs=dirs), name="alterReplicaLogDirs", node_id=broker_id
            )
        except KafkaError as failure:
            found.update({replica: failure for replica in moves if replica[2] == broker_id})
            continue
        for result in reply.results:
            for p in result.partitions:
                found[(result.topic_name, p.partition_index, broker_id)] = KafkaError(error_of(p.error_code)) if p.error_code else None
    return found
