"""A client's metrics, pushed to the cluster as its administrators subscribe to them (KIP-714).

Owns: when to push, which metrics, counts since the last push. Doesn't own what is measured, nor its bytes (`otlp`).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import TYPE_CHECKING

from barnabas.wire.errors import Error
from barnabas.wire.records.compression import compress
from barnabas.wire.types import ZERO_UUID

from .admin import telemetry
from .errors import KafkaError
from .otlp import CUMULATIVE, DELTA, Metric, Point, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .admin.telemetry import Subscription
    from .cluster import Cluster

ERROR_INTERVAL_MS = 300_000
_AT_ONCE = (Error.UNKNOWN_SUBSCRIPTION_ID, Error.UNSUPPORTED_COMPRESSION_TYPE)
_LATER = (Error.TELEMETRY_TOO_LARGE, Error.THROTTLING_QUOTA_EXCEEDED)


class Reporter:
    """`start`, and `close` at the end, which pushes for the last time. `measure` is asked for all metrics whenever some are due."""

    def __init__(self, cluster: Cluster, measure: Callable[[], Iterable[Metric]]) -> None:
        self._cluster = cluster
        self._measure = measure
        self._began_ns = time.time_ns()
        self._pushed: dict[tuple[str, frozenset[tuple[str, str]]], tuple[float, int]] = {}
        self._refused: set[int] = set()
        self._codec = 0
        self._subscription: Subscription | None = None
        self._interval_ms = ERROR_INTERVAL_MS
        self._task: asyncio.Task[None] | None = None
        self.client_instance_id = ZERO_UUID
        """What the cluster calls this client; zeros until it was asked."""
        self.failure: KafkaError | None = None
        """Why nothing is pushed any more: UNSUPPORTED_VERSION where nobody collects."""

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._subscription is not None and self.failure is None:
            with contextlib.suppress(KafkaError):
                await self._push(self._subscription, terminating=True)

    async def _run(self) -> None:
        while self.failure is None:
            await asyncio.sleep(await self._turn() / 1000)

    async def _turn(self) -> float:
        """Asks what is wanted, or pushes it; milliseconds until the next turn."""
        try:
            if self._subscription is not None:
                await self._push(self._subscription)
                return self._interval_ms
            found = await telemetry.subscription(self._cluster, self.client_instance_id)
        except KafkaError as error:
            self._subscription = None
            if error.error is Error.UNSUPPORTED_COMPRESSION_TYPE:
                self._refused.add(self._codec)
            if error.error in _AT_ONCE:
                return 0
            if error.error not in _LATER and not error.retriable:
                self.failure = error
            return self._interval_ms
        self.client_instance_id, self._interval_ms = found.client_instance_id, found.push_interval_ms
        if not found.metrics:
            return self._interval_ms
        self._subscription = found
        self._codec = next((codec for codec in found.compression if codec not in self._refused), 0)
        return self._interval_ms * random.uniform(0.5, 1.5)  # many clients began when a cluster came back

    async def _push(self, subscription: Subscription, *, terminating: bool = False) -> None:
        now_ns = time.time_ns()
        wanted = [metric for metric in self._measure() if any(metric.name.startswith(prefix) for prefix in subscription.metrics)]
        points = [self._point(metric, now_ns, delta=subscription.delta_temporality) for metric in wanted]
        payload = compress(self._codec, encode(points)) if points else b""
        await telemetry.push(self._cluster, subscription, payload, codec=self._codec, terminating=terminating)
        self._pushed.update({_series(metric): (metric.value, now_ns) for metric in wanted if metric.counts})

    def _point(self, metric: Metric, now_ns: int, *, delta: bool) -> Point:
        if not (metric.counts and delta):
            return Point(metric, now_ns, self._began_ns, CUMULATIVE)
        before, since_ns = self._pushed.get(_series(metric), (0, self._began_ns))
        return Point(metric._replace(value=metric.value - before), now_ns, since_ns, DELTA)


def _series(metric: Metric) -> tuple[str, frozenset[tuple[str, str]]]:
    return metric.name, frozenset(metric.attributes.items())


__all__ = ["Metric", "Reporter"]
