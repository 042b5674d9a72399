"""Kafka's murmur2, by the values that Kafka's own tests hold it to."""

from __future__ import annotations

import pytest

from barnabas.client.partitioner import Sticky, murmur2, of_key


@pytest.mark.parametrize(
    "key, expected",
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF


def test_keys_stay_where_they_are() -> None:
    assert of_key(b"abc", 7) == 479470107 % 7
    assert of_key(b"21", 7) == (-973932308 & 0x7FFFFFFF) % 7


def test_sticky_keeps_to_one_partition_until_told() -> None:
    sticky = Sticky()
    chosen = {sticky.choose("t", [0, 1, 2, 3]) for _ in range(20)}
    assert len(chosen) == 1
    after = set()
    for _ in range(100):
        sticky.turn("t")
        after.add(sticky.choose("t", [0, 1, 2, 3]))
    assert after == {0, 1, 2, 3}
    assert sticky.choose("t", [9]) == 9
