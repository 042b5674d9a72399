"""Metrics as bytes: OpenTelemetry's MetricsData in protobuf, as far as numbers go (opentelemetry-proto 1, metrics.proto). Pure."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VARINT, FIXED64, BYTES = 0, 1, 2
DELTA, CUMULATIVE = 1, 2


class Metric(NamedTuple):
    """A number with a name, such as `org.apache.kafka.producer.connection.creation.total`; `counts`: it only rises, from when its owner began."""

    name: str
    value: float
    attributes: Mapping[str, str] = {}
    counts: bool = False


class Point(NamedTuple):
    """A metric's value at a time; `started_ns` is what a count began at."""

    metric: Metric
    time_ns: int
    started_ns: int
    temporality: int


def encode(points: Iterable[Point]) -> bytes:
    """One resource, one scope."""
    scope = b"".join(_bytes(2, _metric(point)) for point in points)
    return _bytes(1, _bytes(2, scope))


def _metric(point: Point) -> bytes:
    metric = point.metric
    whole = isinstance(metric.value, int)
    number = _tag(6, FIXED64) + struct.pack("<q", metric.value) if whole else _tag(4, FIXED64) + struct.pack("<d", metric.value)
    data = _tag(3, FIXED64) + struct.pack("<Q", point.time_ns) + number
    if metric.counts:
        data = _tag(2, FIXED64) + struct.pack("<Q", point.started_ns) + data
    for key, value in sorted(metric.attributes.items()):
        data += _bytes(7, _bytes(1, key.encode()) + _bytes(2, _bytes(1, value.encode())))
    if metric.counts:
        kind = _bytes(7, _bytes(1, data) + _tag(2, VARINT) + _varint(point.temporality) + _tag(3, VARINT) + _varint(1))
    else:
        kind = _bytes(5, _bytes(1, data))
    return _bytes(1, metric.name.encode()) + kind


def _tag(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _bytes(field: int, content: bytes) -> bytes:
    return _tag(field, BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
