"""Kill -9 under load, and what must hold afterwards: shared by a short test and a long one."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.cluster.load import Load

if TYPE_CHECKING:
    from tests.nodes import Node

TOPIC = "crash"
PARTITIONS = 4


def read_all(bootstrap: str) -> dict[int, list[tuple[int, int]]]:
    """(offset, number) of every record, by partition."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False, "enable.partition.eof": True, "check.crcs": True}
    )
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)])
    found: dict[int, list[tuple[int, int]]] = {partition: [] for partition in range(PARTITIONS)}
    ended: set[int] = set()
    deadline = time.monotonic() + 60
    while len(ended) < PARTITIONS and time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            if message.error().code() != -191:  # the end of a partition
                raise KafkaException(message.error())
            ended.add(message.partition())
        else:
            found[message.partition()].append((message.offset(), int(message.value())))
    consumer.close()
    assert len(ended) == PARTITIONS
    return found


def crash_again_and_again(node: Node, crashes: int) -> list[float]:
    """Seconds that each restart took until the node served again. Asserts that nothing acknowledged is lost, and nothing is there twice."""
    admin = AdminClient({"bootstrap.servers": node.bootstrap})
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result()
    load = Load(node.bootstrap, TOPIC, PARTITIONS, **{"reconnect.backoff.max.ms": 100})
    restarts = []
    try:
        for _ in range(crashes):
            load.wait_for_more(500)
            node.kill()
            began = time.monotonic()
            node.start()
            restarts.append(time.monotonic() - began)
        load.wait_for_more(500)
    finally:
        load.stop()
    assert not load.failed
    found = read_all(node.bootstrap)
    for partition, records in found.items():
        numbers = [number for _, number in records]
        twice = [number for number, count in Counter(numbers).items() if count > 1]
        assert not twice, f"partition {partition} has {len(twice)} records twice: {twice[:5]}"
        assert numbers == sorted(numbers), f"partition {partition} is out of order"
    there = {(partition, offset): number for partition, records in found.items() for offset, number in records}
    lost = [row for row in load.acknowledged if there.get((row.partition, row.offset)) != row.number]
    assert not lost, f"{len(lost)} of {len(load.acknowledged)} acknowledged records are lost: {lost[:5]}"
    return restarts
