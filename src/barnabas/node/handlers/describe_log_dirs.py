"""DescribeLogDirs (35), versions 1-5. Needs Describe on the cluster. KIP-113; 4 adds the disk's bytes (KIP-827), 5 cordoned directories (KIP-1066)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from barnabas.core.metadata.features import MV_4_3_IV0_CORDONED_DIRECTORIES
from barnabas.wire.errors import Error
from barnabas.wire.messages.describe_log_dirs import DescribeLogDirsResponse

if TYPE_CHECKING:
    from barnabas.node.call import Call
    from barnabas.node.partition import Partition
    from barnabas.node.server import Node
    from barnabas.wire.messages.describe_log_dirs import DescribeLogDirsRequest

Result = DescribeLogDirsResponse.Result
_UNKNOWN_LAG = -1


def handle(request: DescribeLogDirsRequest, call: Call) -> DescribeLogDirsResponse:
    wanted = None if request.topics is None else {(topic.topic, index) for topic in request.topics for index in topic.partitions}
    knows_cordoned = (call.node.image.features.metadata_version or 0) >= MV_4_3_IV0_CORDONED_DIRECTORIES
    cordoned = call.node.config.logs.cordoned if knows_cordoned else ()
    results = []
    for path, is_online in call.node.replicas.directories_online().items():
        if not is_online:
            results.append(Result(error_code=Error.KAFKA_STORAGE_ERROR, log_dir=path, topics=[]))
            continue
        try:
            disk = os.statvfs(path)
        except OSError:  # it fails, and nobody has written to it yet
            results.append(Result(error_code=Error.UNKNOWN_SERVER_ERROR, log_dir=path, topics=[]))
            continue
        topics: dict[str, list[Result.Topic.Partition]] = {}
        for partition in call.node.replicas.logs_in(path):
            if wanted is None or (partition.topic, partition.index) in wanted:
                topics.setdefault(partition.topic, []).append(_row(call.node, partition))
        results.append(
            Result(
                error_code=0,
                log_dir=path,
                topics=[Result.Topic(name=name, partitions=rows) for name, rows in topics.items()],
                total_bytes=disk.f_frsize * disk.f_blocks,
                usable_bytes=disk.f_frsize * disk.f_bavail,
                is_cordoned=path in cordoned,
            )
        )
    return DescribeLogDirsResponse(throttle_time_ms=0, results=results)


def _row(node: Node, partition: Partition) -> Result.Topic.Partition:
    current = node.replicas.by_id.get(partition.topic_id, {}).get(partition.index)
    if current is partition:
        lag = 0
    else:  # it is on its way
        lag = _UNKNOWN_LAG if current is None else current.log.end_offset - partition.log.end_offset
    return Result.Topic.Partition(
        partition_index=partition.index, partition_size=partition.log.size_bytes, offset_lag=lag, is_future_key=current is not partition
    )
