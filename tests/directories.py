"""A node with two log directories, seen by a client: where its replicas lie, and having them moved."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from barnabas.wire.errors import Error
from barnabas.wire.messages.alter_replica_log_dirs import AlterReplicaLogDirsRequest
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.describe_log_dirs import DescribeLogDirsRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from tests.differential.transcript import Client

if TYPE_CHECKING:
    from tests.nodes import Node

RATE = "replica.alter.log.dirs.io.max.bytes.per.second"
_BROKER, _SET, _DELETE = 4, 0, 1


class Place(NamedTuple):
    directory: str
    """Its name without what is before it."""
    is_future: bool


def directories(folder: Path) -> dict[str, str]:
    """Properties of a node with directories `a` and `b`; the metadata are in `a`."""
    return {"log.dirs": f"{folder / 'a'},{folder / 'b'}"}


def paths(node: Node) -> dict[str, Path]:
    """By their names."""
    return {Path(text).name: Path(text) for text in node.properties["log.dirs"].split(",")}


def ask(node: Node, *wanted: tuple[str, int, str]) -> list[tuple[str, int, str]]:
    """Have each (topic, partition) lie in a directory, by its name or its path: what is said to each, in order."""
    Dir = AlterReplicaLogDirsRequest.AlterReplicaLogDir
    known = paths(node)
    dirs = [
        Dir(path=str(known.get(where, where)), topics=[Dir.AlterReplicaLogDirTopic(name=topic, partitions=[index])]) for topic, index, where in wanted
    ]
    with closing(Client(node.port)) as client:
        client.socket.settimeout(30)
        reply = client.call(AlterReplicaLogDirsRequest(dirs=dirs), 2)
    return sorted((topic.topic_name, row.partition_index, Error(row.error_code).name) for topic in reply.results for row in topic.partitions)


def places(node: Node, topic: str, index: int = 0) -> dict[Place, int]:
    """Where a partition's replicas lie -> how many records each lacks."""
    with closing(Client(node.port)) as client:
        client.socket.settimeout(30)
        reply = client.call(DescribeLogDirsRequest(topics=None), 4)
    return {
        Place(Path(result.log_dir).name, row.is_future_key): row.offset_lag
        for result in reply.results
        for found in result.topics
        for row in found.partitions
        if (found.name, row.partition_index) == (topic, index)
    }


def lies_in(node: Node, topic: str, where: str) -> bool:
    """Whether it is there, and on its way nowhere."""
    return list(places(node, topic)) == [Place(where, False)]


def limit(node: Node, bytes_per_s: int | None) -> None:
    """Of moves between directories; None: as fast as they can."""
    Resource = IncrementalAlterConfigsRequest.AlterConfigsResource
    operation, text = (_DELETE, None) if bytes_per_s is None else (_SET, str(bytes_per_s))
    config = Resource.AlterableConfig(name=RATE, config_operation=operation, value=text)
    with closing(Client(node.port)) as client:
        reply = client.call(
            IncrementalAlterConfigsRequest(resources=[Resource(resource_type=_BROKER, resource_name="1", configs=[config])], validate_only=False), 1
        )
    assert reply.responses[0].error_code == Error.NONE


def create(node: Node, topic: str, partitions: int = 1) -> None:
    Topic = CreateTopicsRequest.CreatableTopic
    wanted = Topic(name=topic, num_partitions=partitions, replication_factor=1, assignments=[], configs=[])
    with closing(Client(node.port)) as client:
        client.socket.settimeout(30)
        reply = client.call(CreateTopicsRequest(topics=[wanted], timeout_ms=20_000), 7)
    assert reply.topics[0].error_code == Error.NONE


def on_disk(node: Node, topic: str, index: int = 0) -> list[str]:
    """The partition's directories, as `a/topic-0`, a fresh id in their names being `*`."""
    found = []
    for name, path in paths(node).items():
        for entry in path.glob(f"{topic}-{index}*"):
            plain, dot, suffix = entry.name.partition(".")
            found.append(f"{name}/{plain}{dot and '.*-' + suffix.rpartition('-')[2]}")
    return sorted(found)
