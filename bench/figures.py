"""What is measured: each figure's load, its unit, and what has to be reached beside Apache Kafka.

A figure's `measure(server, scale)` makes a topic, drives one load, removes the topic, and returns the value of one round for each of its rows.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.engines import Server


class Row(NamedTuple):
    """One line of the table. `must` and `aim` bound the ratio Barnabas / Apache, or the value itself: from below when more is better, else from above.
    None: only shown.
    """

    key: str
    title: str
    unit: str
    must: float | None
    aim: float | None
    more_is_better: bool = True
    decimals: int = 0
    of_value: bool = False

    def verdict(self, ratio: float | None, value: float | None) -> str:
        judged = value if self.of_value else ratio
        if self.must is None or self.aim is None or judged is None:
            return ""
        return "aim" if self._reached(judged, self.aim) else "must" if self._reached(judged, self.must) else "**missed**"

    def bound(self, bound: float | None) -> str:
        return "" if bound is None else f"{bound:,} {self.unit}" if self.of_value else f"{bound}x"

    def _reached(self, ratio: float, bound: float) -> bool:
        return ratio >= bound if self.more_is_better else ratio <= bound


class Figure(NamedTuple):
    rows: tuple[Row, ...]
    measure: Callable[[Server, float], dict[str, float]]


_names = (f"bench-{n}" for n in itertools.count())


def _bulk(server: Server, scale: float) -> dict[str, float]:
    topic = next(_names)
    server.create_topic(topic)
    shape = ("--connections", 4, "--inflight", 4, "--batch", 262144, "--record", 1024)
    got = server.load("produce", "--topic", topic, *shape, "--warmup", 400, "--count", int(6000 * scale))
    server.delete_topic(topic)
    return {"bulk": got["mb_per_s"], "bulk_cpu": got["cpu_s_per_gb"]}


def _fetch(server: Server, scale: float) -> dict[str, float]:
    topic = next(_names)
    server.create_topic(topic)
    server.load("produce", "--topic", topic, "--connections", 4, "--inflight", 4, "--batch", 262144, "--record", 1024, "--count", 6000)
    got = server.load("fetch", "--topic", topic, "--connections", 4, "--max-bytes", 1 << 20, "--warmup", 1_500_000_000, "--count", int(12e9 * scale))
    server.delete_topic(topic)
    return {"fetch": got["mb_per_s"], "fetch_cpu": got["cpu_s_per_gb"]}


def _small(server: Server, connections: int, inflight: int, count: int, key: str) -> dict[str, float]:
    topic = next(_names)
    server.create_topic(topic)
    got = server.load(
        "produce", "--topic", topic, "--connections", connections, "--inflight", inflight, "--record", 100, "--warmup", 20_000, "--count", count
    )
    server.delete_topic(topic)
    return {key: got["requests_per_s"] / 1000}


def _rdkafka(server: Server, scale: float) -> dict[str, float]:
    topic = next(_names)
    server.create_topic(topic)
    got = server.rdkafka_produce(topic, 100, int(4_000_000 * scale), 1_000_000)
    server.delete_topic(topic)
    return {"rdkafka": got["records_per_s"] / 1e6, "rdkafka_client": got["busiest_thread"]}


def _latency(server: Server, rate: int, scale: float) -> dict[str, float]:
    topic = next(_names)
    server.create_topic(topic)
    count = max(2000, int(rate * 5 * scale))
    got = server.load("latency", "--topic", topic, "--connections", 4, "--rate", rate, "--record", 100, "--warmup", rate, "--count", count)
    server.delete_topic(topic)
    return {f"ack_{rate}_p50": got["p50_us"], f"ack_{rate}_p99": got["p99_us"]}


FIGURES = (
    Figure(
        (
            Row("bulk", "produce, 256 KB batches, 4 connections x 4 in flight", "MB/s", 1.05, 1.5),
            Row("bulk_cpu", "the server's CPU for it", "CPU s/GB", 0.75, 0.5, more_is_better=False, decimals=2),
        ),
        _bulk,
    ),
    Figure(
        (
            Row("fetch", "fetch, 1 MB a partition, 4 connections", "MB/s", 0.95, 1.2),
            Row("fetch_cpu", "the server's CPU for it", "CPU s/GB", None, None, more_is_better=False, decimals=2),
        ),
        _fetch,
    ),
    Figure(
        (Row("small_4x32", "produce, one 100-byte record a request, 4 connections x 32 in flight", "k/s", 2.5, 4, decimals=1),),
        lambda server, scale: _small(server, 4, 32, int(150_000 * scale), "small_4x32"),
    ),
    Figure(
        (Row("small_64x8", "the same, 64 connections x 8 in flight", "k/s", 2, 3, decimals=1),),
        lambda server, scale: _small(server, 64, 8, int(250_000 * scale), "small_64x8"),
    ),
    Figure(
        (
            Row("rdkafka", "librdkafka, 100-byte records, idempotent", "M/s", 1.2, 1.2, decimals=2),
            Row("rdkafka_client", "the client's busiest thread meanwhile", "of its time", None, None, decimals=2),
        ),
        _rdkafka,
    ),
    Figure(
        (
            Row("ack_2000_p50", "ack p50 at 2,000 records/s", "us", 1, 0.5, more_is_better=False),
            Row("ack_2000_p99", "ack p99 at 2,000 records/s", "us", 1, 0.5, more_is_better=False),
        ),
        lambda server, scale: _latency(server, 2000, scale),
    ),
    Figure(
        (
            Row("ack_20000_p50", "ack p50 at 20,000 records/s", "us", 0.7, 0.3, more_is_better=False),
            Row("ack_20000_p99", "ack p99 at 20,000 records/s", "us", 0.5, 0.1, more_is_better=False),
        ),
        lambda server, scale: _latency(server, 20_000, scale),
    ),
)

START = Row("start", "exec to the first Metadata reply that lists the broker", "ms", 0.15, 0.05, more_is_better=False)
IDLE = Row("rss_idle", "resident memory, idle", "MB", 0.15, 0.08, more_is_better=False)
LOADED = Row("rss_loaded", "resident memory after the load above", "MB", 0.25, 0.07, more_is_better=False)
ROWS = (*(row for figure in FIGURES for row in figure.rows), START, IDLE, LOADED)
