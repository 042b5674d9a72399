"""G1, T20: Java's String.hashCode and the partition that it leads to. Expected values were printed by a JVM."""

from __future__ import annotations

import pytest

from barnabas.core.groups.partitioning import java_hash, partition_for

HASHES = {
    "": 0,
    "a": 97,
    "group": 98629247,
    "polygenelubricants": -2147483648,  # the smallest int has no absolute value
    "my-consumer-group-1": -1322913907,
    "größe": 98762257,
    "\U0001f600": 1772899,  # two UTF-16 units
    "x\U0001f600y": 58534910,
}


@pytest.mark.parametrize("text", HASHES)
def test_hash(text: str) -> None:
    assert java_hash(text) == HASHES[text]


def test_smallest_int_goes_to_partition_zero() -> None:
    assert partition_for("polygenelubricants", 50) == 0


def test_negative_hashes_are_made_positive() -> None:
    assert partition_for("my-consumer-group-1", 50) == 1322913907 % 50
