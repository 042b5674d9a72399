"""AlterReplicaLogDirs (34), versions 1-2. Needs Alter on the cluster. KIP-113. As Apache Kafka: a replica that isn't there yet will be made in that directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.wire.messages.alter_replica_log_dirs import AlterReplicaLogDirsResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.wire.messages.alter_replica_log_dirs import AlterReplicaLogDirsRequest

_Topic = AlterReplicaLogDirsResponse.AlterReplicaLogDirTopicResult


def handle(request: AlterReplicaLogDirsRequest, call: Call) -> None:
    call.node.controller.publisher.loop.call(_alter, request, call)


def _alter(request: AlterReplicaLogDirsRequest, call: Call) -> None:
    """On the thread that makes and removes replicas."""
    wanted = {(topic.name, index): entry.path for entry in request.dirs for topic in entry.topics for index in topic.partitions}
    topics: dict[str, list[_Topic.AlterReplicaLogDirPartitionResult]] = {}
    for (topic, index), path in wanted.items():
        error = call.node.moves.ask(topic, index, path)
        topics.setdefault(topic, []).append(_Topic.AlterReplicaLogDirPartitionResult(partition_index=index, error_code=error))
    call.reply(AlterReplicaLogDirsResponse(throttle_time_ms=0, results=[_Topic(topic_name=topic, partitions=rows) for topic, rows in topics.items()]))
