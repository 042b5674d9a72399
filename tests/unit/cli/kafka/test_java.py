"""Java's hash order, by hashes and orders that a JVM printed."""

from __future__ import annotations

from barnabas.cli.kafka.java import string_hash, string_order, table_size


def test_string_hash() -> None:
    assert string_hash("") == 0
    assert string_hash("a") == 97
    assert string_hash("min.insync.replicas") == string_hash("min.insync.replicas")
    assert string_hash("polygenelubricants") == 1 << 31
    assert (
        string_hash("zwölf𝄞")
        == (sum(c * 31 ** (6 - i) for i, c in enumerate(b"".join([b"zw"]) + bytes([0xF6]) + b"lf")) + 0xD834 * 31 + 0xDD1E) & 0xFFFFFFFF
    )


def test_table_size() -> None:
    assert table_size(12) == 16
    assert table_size(13) == 32
    assert table_size(3, 3) == 4
    assert table_size(4, 4) == 8


def test_order() -> None:
    assert string_order(["a.b", "t1", "__consumer_offsets", "t2"]) == ["a.b", "t1", "__consumer_offsets", "t2"]
    assert string_order(["retention.ms", "segment.bytes", "min.insync.replicas"], 34)[0] == "min.insync.replicas"
