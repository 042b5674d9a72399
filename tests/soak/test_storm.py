"""Everything at once on a few partitions: writers, readers, lookups, retention, settings, moves between directories, topics deleted and made again.

Each is served by another thread of the node. None may end the node or a connection, or fail a disk that is fine. For SECONDS=60, five minutes at most.
"""

from __future__ import annotations

import os
import random
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.errors import Error
from barnabas.wire.messages.alter_replica_log_dirs import AlterReplicaLogDirsRequest
from barnabas.wire.messages.create_topics import CreateTopicsRequest
from barnabas.wire.messages.delete_records import DeleteRecordsRequest
from barnabas.wire.messages.delete_topics import DeleteTopicsRequest
from barnabas.wire.messages.describe_log_dirs import DescribeLogDirsRequest
from barnabas.wire.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from barnabas.wire.messages.list_offsets import ListOffsetsRequest
from barnabas.wire.records.compression import Codec
from tests.differential.transcript import Client
from tests.system.requests import create_topics, fetch, put, records

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import NodeFactory
    from tests.nodes import Node

pytestmark = pytest.mark.node

SECONDS = min(float(os.environ.get("SECONDS", "60")), 300)
TOPICS = ["storm-a", "storm-b", "storm-c"]
_OFTEN = {
    "log.retention.check.interval.ms": "20",
    "log.initial.task.delay.ms": "0",
    "log.segment.delete.delay.ms": "0",
    "log.flush.offset.checkpoint.interval.ms": "50",
    "log.roll.ms": "2",
    "log.retention.bytes": "3000",
    "log.index.interval.bytes": "64",
    "producer.id.expiration.check.interval.ms": "50",
    "producer.id.expiration.ms": "1000",
}
_SETTINGS = [("compression.type", "gzip"), ("compression.type", "producer"), ("segment.ms", "1"), ("segment.ms", "100000"), ("retention.bytes", "0"),
             ("retention.bytes", "50000"), ("message.timestamp.type", "LogAppendTime"), ("message.timestamp.type", "CreateTime")]  # fmt: skip
_OF_DISKS = {Error.KAFKA_STORAGE_ERROR, Error.UNKNOWN_SERVER_ERROR, Error.CORRUPT_MESSAGE}


def _write(client: Client, chosen: random.Random, topic: str) -> int:
    producer = (chosen.randrange(20), 0, 0) if chosen.random() < 0.3 else (-1, -1, -1)
    values = [b"x" * chosen.randrange(200)] * chosen.randint(1, 4)
    return put(client, topic, chosen.randrange(2), records(*values, producer=producer, codec=chosen.choice(list(Codec)))).error_code


def _read(client: Client, chosen: random.Random, topic: str) -> int:
    index, near = chosen.randrange(2), int(time.time() * 1000) - chosen.randrange(2000)
    part = ListOffsetsRequest.Topic.Partition(partition_index=index, timestamp=chosen.choice([-1, -2, -3, near]))
    found = (
        client.call(ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsRequest.Topic(name=topic, partitions=[part])]), 7).topics[0].partitions[0]
    )
    request = fetch(topic, index, max(found.offset, 0), wait_ms=chosen.choice([0, 20]), max_bytes=chosen.choice([1, 500, 1 << 20]))
    read = client.call(request, 12).responses[0].partitions[0]
    return int(found.error_code or read.error_code)


def _delete_records(client: Client, chosen: random.Random, topic: str) -> int:
    ask = DeleteRecordsRequest.Topic
    parts = [ask.Partition(partition_index=chosen.randrange(2), offset=-1)]
    found = client.call(DeleteRecordsRequest(topics=[ask(name=topic, partitions=parts)], timeout_ms=5000), 2)
    return int(found.topics[0].partitions[0].error_code)


def _configure(client: Client, chosen: random.Random, topic: str) -> int:
    resource = IncrementalAlterConfigsRequest.AlterConfigsResource
    key, value = chosen.choice(_SETTINGS)
    entries = [resource.AlterableConfig(name=key, config_operation=0, value=value)]
    request = IncrementalAlterConfigsRequest(resources=[resource(resource_type=2, resource_name=topic, configs=entries)], validate_only=False)
    client.call(DescribeLogDirsRequest(topics=None), 4)
    return int(client.call(request, 1).responses[0].error_code)


def _move(directories: list[Path], client: Client, chosen: random.Random, topic: str) -> int:
    directory = AlterReplicaLogDirsRequest.AlterReplicaLogDir
    topics = [directory.AlterReplicaLogDirTopic(name=topic, partitions=[chosen.randrange(2)])]
    time.sleep(chosen.random() * 0.05)
    return int(
        client.call(AlterReplicaLogDirsRequest(dirs=[directory(path=str(chosen.choice(directories)), topics=topics)]), 2)
        .results[0]
        .partitions[0]
        .error_code
    )


def _again(client: Client, chosen: random.Random, topic: str) -> int:
    client.call(DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name=topic)], timeout_ms=10_000), 6)
    made = CreateTopicsRequest.CreatableTopic(name=topic, num_partitions=2, replication_factor=1)
    found = client.call(CreateTopicsRequest(topics=[made], timeout_ms=10_000), 7)
    time.sleep(chosen.random() * 0.2)
    return int(found.topics[0].error_code)


def test_none_of_it_ends_the_node(barnabas_nodes: NodeFactory, tmp_path: Path) -> None:
    directories = [tmp_path / "log-1", tmp_path / "log-2"]
    node = barnabas_nodes(_OFTEN | {"log.dirs": ",".join(map(str, directories))})
    create_topics(node.port, *TOPICS, partitions=2)
    kinds = [_write, _write, _read, _read, _read, _delete_records, _configure, _again, partial(_move, directories)]
    failed: list[str] = []
    threads = [threading.Thread(target=_act, args=(node, number, kind, failed)) for number, kind in enumerate(kinds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = [line for line in node.tail(100_000).splitlines() if " INFO " not in line]
    assert not failed, "\n".join(failed[:5])
    assert not said, "\n".join(said[:40])
    assert node.stop() == 0
    node.start()


def _act(node: Node, seed: int, kind: Callable[[Client, random.Random, str], int], failed: list[str]) -> None:
    chosen, deadline = random.Random(seed), time.monotonic() + SECONDS
    client = Client(node.port)
    client.socket.settimeout(30)
    try:
        while time.monotonic() < deadline and not failed:
            error = kind(client, chosen, chosen.choice(TOPICS))
            if error in _OF_DISKS:
                failed.append(f"{kind}: {Error(error).name}")
    except Exception as error:
        failed.append(f"{kind}: {error!r}")
    finally:
        client.close()
