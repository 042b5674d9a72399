"""Which partition a record goes to, as Kafka's own producer chooses: murmur2 of the key, else one partition at a time until its batch is full (KIP-480)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2, unsigned."""
    h = _SEED ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def of_key(key: bytes, partitions: int) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % partitions


class Sticky:
    """For records without keys: one partition a topic until `turn` says that its batch left."""

    def __init__(self) -> None:
        self._chosen: dict[str, int] = {}

    def choose(self, topic: str, partitions: Collection[int]) -> int:
        chosen = self._chosen.get(topic)
        if chosen is None or chosen not in partitions:
            chosen = self._chosen[topic] = random.choice(list(partitions))
        return chosen

    def turn(self, topic: str) -> None:
        self._chosen.pop(topic, None)
