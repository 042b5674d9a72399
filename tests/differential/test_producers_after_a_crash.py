"""Whom a node still knows after kill -9 where DeleteRecords took what producers wrote: the same ones in both engines."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from barnabas.wire.messages.delete_records import DeleteRecordsRequest
from barnabas.wire.messages.describe_producers import DescribeProducersRequest
from barnabas.wire.messages.produce import ProduceRequest
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record
from tests.differential.transcript import Transcript
from tests.nodes import SHORT_SESSION
from tests.system.test_config_topics import checkpoint
from tests.system.waiting import wait_until

if TYPE_CHECKING:
    from tests.conftest import NodeFactory
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

# topic -> the offset below which everything is deleted; each of three producers writes three records, into a segment of its own in "rolled"
TOPICS = {"all-there": 0, "first-gone": 3, "within-second": 4, "two-gone": 6, "all-gone": 9, "rolled": 4}
ROLLED = {"segment.bytes": "1048576"}
OFTEN = {"log.flush.start.offset.checkpoint.interval.ms": "100", "log.initial.task.delay.ms": "0"} | SHORT_SESSION


def test_the_same_ones_are_known(apache_nodes: NodeFactory, barnabas_nodes: NodeFactory) -> None:
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(lambda make: known_after_a_crash(make(OFTEN)), (apache_nodes, barnabas_nodes))
    assert ours == theirs
    assert theirs["within-second"] == [1, 2, 3]
    assert theirs["rolled"] == [2, 3]
    assert theirs["all-gone"] == []


def known_after_a_crash(node: Node) -> dict[str, list[int]]:
    with Transcript(node) as script:
        for topic, start in TOPICS.items():
            script.create_topic(topic, configs=ROLLED if topic == "rolled" else {})
            for producer_id in (1, 2, 3):
                value = bytes(600_000) if topic == "rolled" else b"value"
                records = [Record(timestamp=int(time.time() * 1000), value=value)] + [Record(timestamp=int(time.time() * 1000))] * 2
                part = ProduceRequest.TopicProduceData.PartitionProduceData(
                    index=0, records=build_batch(records, producer_id=producer_id, producer_epoch=0, base_sequence=0)
                )
                data = [ProduceRequest.TopicProduceData(name=topic, partition_data=[part])]
                reply = script.client.call(ProduceRequest(acks=-1, timeout_ms=5000, topic_data=data), 9)
                assert reply.responses[0].partition_responses[0].error_code == 0
            wanted = DeleteRecordsRequest.Topic(name=topic, partitions=[DeleteRecordsRequest.Topic.Partition(partition_index=0, offset=start)])
            assert script.client.call(DeleteRecordsRequest(topics=[wanted], timeout_ms=5000), 2).topics[0].partitions[0].error_code == 0
        # Either answers before the new start is in its checkpoint.
        wait_until(lambda: all(checkpoint(node, "log-start-offset-checkpoint", topic) == start for topic, start in TOPICS.items() if start))
        node.kill()
        node.start()
        script.reconnect()
        return {topic: known(script, topic) for topic in TOPICS}


def known(script: Transcript, topic: str) -> list[int]:
    request = DescribeProducersRequest(topics=[DescribeProducersRequest.Topic(name=topic, partition_indexes=[0])])
    deadline = time.monotonic() + 30
    while (part := script.client.call(request, 0).topics[0].partitions[0]).error_code and time.monotonic() < deadline:
        time.sleep(0.1)
    assert part.error_code == 0
    return sorted(found.producer_id for found in part.active_producers)
