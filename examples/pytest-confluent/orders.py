"""Counts orders by customer: reads `orders`, writes `totals`. What the tests beside it test."""

from __future__ import annotations

import json
from collections import Counter

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer


class Placer:
    """Places orders. Each is acknowledged by the broker when `place` returns."""

    def __init__(self, bootstrap: str, timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        self._producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "message.timeout.ms": int(timeout_s * 1000)})

    def place(self, customer: str, amount: int) -> None:
        """Raises KafkaException if the order wasn't taken in time."""
        failures: list[KafkaError] = []

        def done(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failures.append(error)

        self._producer.produce("orders", key=customer, value=json.dumps({"amount": amount}), on_delivery=done)
        self._producer.flush(self._timeout_s + 5)
        if failures:
            raise KafkaException(failures[0])


class Totals:
    """A member of the group `totals`: what each customer has ordered, as far as it was read. Commits what it has counted."""

    def __init__(self, bootstrap: str) -> None:
        self.of: Counter[str] = Counter()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "totals",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "allow.auto.create.topics": True,
            }
        )
        self._consumer.subscribe(["orders"])

    def read(self, orders: int, timeout_s: float = 30.0) -> int:
        """Reads until so many orders were counted, or nothing came for `timeout_s`. Returns how many were counted."""
        counted = 0
        while counted < orders:
            message = self._consumer.poll(timeout_s)
            if message is None:
                break
            if message.error():
                if message.error().retriable() or message.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue
                raise KafkaException(message.error())
            self.of[message.key().decode()] += json.loads(message.value())["amount"]
            counted += 1
        if counted:
            self._consumer.commit(asynchronous=False)
        return counted

    def close(self) -> None:
        self._consumer.close()
