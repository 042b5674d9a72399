"""Which partition of a coordinator topic owns a group id or a transactional id (G1, T20).

The hash is Java's String.hashCode: int32 over UTF-16 code units, so a character above U+FFFF counts as two units.
"""

from __future__ import annotations

from functools import lru_cache
from operator import mul

MINIMUM_INT32 = -(1 << 31)
_POWERS = tuple([pow(31, exponent, 1 << 32) for exponent in range(63, -1, -1)])


def java_hash(text: str) -> int:
    """Java's String.hashCode, signed."""
    if text.isascii():
        units: bytes | memoryview = text.encode("ascii")
    else:
        units = memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    count = len(units)
    value: int = 0
    if 0 < count <= len(_POWERS):
        value = sum(map(mul, units, _POWERS[-count:])) & 0xFFFFFFFF
    else:
        for unit in units:
            value = (value * 31 + unit) & 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value


@lru_cache(16_384)  # a group's members ask again and again
def partition_for(key: str, partition_count: int) -> int:
    """The partition that owns `key`: the hash made positive, where the smallest int becomes 0, modulo the count."""
    value = java_hash(key)
    return (0 if value == MINIMUM_INT32 else abs(value)) % partition_count
