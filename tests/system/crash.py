"""Kill -9 under load, and what must hold afterwards: shared by a short test and a long one."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

if TYPE_CHECKING:
    from tests.nodes import Node

TOPIC = "crash"
PARTITIONS = 4


class Load:
    """An idempotent producer that goes on over crashes, and notes what was acknowledged."""

    def __init__(self, bootstrap: str) -> None:
        self.acknowledged: list[tuple[int, int, int]] = []  # (partition, offset, number)
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 1,
                "delivery.timeout.ms": 120_000,
                "reconnect.backoff.max.ms": 100,
                "log_level": 0,
            }
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            for _ in range(50):
                self._producer.produce(TOPIC, value=b"%d" % number, partition=number % PARTITIONS, on_delivery=self._delivered)
                number += 1
            self._producer.poll(0.002)
        self._producer.flush(60)

    def _delivered(self, error: object, message: object) -> None:
        if error is not None:
            self.failed.append(str(error))
        else:
            self.acknowledged.append((message.partition(), message.offset(), int(message.value())))  # type: ignore[attr-defined]

    def wait_for_more(self, count: int, timeout_s: float = 30) -> None:
        target, deadline = len(self.acknowledged) + count, time.monotonic() + timeout_s
        while len(self.acknowledged) < target:
            assert time.monotonic() < deadline, f"no progress: {len(self.acknowledged)} acknowledged, {self.failed[:3]}"
            time.sleep(0.01)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


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
    load = Load(node.bootstrap)
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
    lost = [row for row in load.acknowledged if there.get(row[:2]) != row[2]]
    assert not lost, f"{len(lost)} of {len(load.acknowledged)} acknowledged records are lost: {lost[:5]}"
    return restarts
