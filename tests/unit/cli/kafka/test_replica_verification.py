"""Replicas compared, without a cluster."""

from __future__ import annotations

import pytest

from barnabas.cli.kafka.replica_verification import Fetched, Mismatch, Verification
from barnabas.wire.records.batch import BatchHeader, iterate_headers
from barnabas.wire.records.builder import build_batch
from barnabas.wire.records.record import Record

KEY = ("t", 0)


def batches(*values: tuple[int, bytes]) -> list[BatchHeader]:
    """One batch of one record for each (offset, value)."""
    found = []
    for offset, value in values:
        built = build_batch([Record(offset, 0, None, value)], base_offset=offset)
        found += [header for _, header in iterate_headers(built)]
    return found


def said(high_watermarks: tuple[int, int], one: list[BatchHeader], other: list[BatchHeader]) -> tuple[Verification, list[str]]:
    lines: list[str] = []
    verification = Verification({KEY: (1, 2)}, {KEY: 0})
    verification.step({KEY: {1: Fetched(high_watermarks[0], one), 2: Fetched(high_watermarks[1], other)}}, lines.append)
    return verification, lines


def test_the_same() -> None:
    verification, lines = said((3, 2), batches((0, b"a"), (1, b"b"), (2, b"c")), batches((0, b"a"), (1, b"b"), (2, b"c")))
    assert lines == []
    assert verification.offsets == {KEY: 2}
    assert verification.report() == "max lag is 1 for partition t-0 at offset 2 among 1 partitions"


def test_other_content() -> None:
    verification, lines = said((2, 2), batches((0, b"a"), (1, b"b")), batches((0, b"a"), (1, b"x")))
    assert [line.partition(";")[0] for line in lines] == ["partition t-0 has unmatched checksum at offset 1"]
    assert verification.offsets == {KEY: 2}


def test_other_offsets() -> None:
    with pytest.raises(Mismatch):
        said((9, 9), batches((0, b"a"), (1, b"b")), batches((0, b"a"), (2, b"b")))


def test_a_replica_that_is_away() -> None:
    verification = Verification({KEY: (1, 2)}, {KEY: 0})
    verification.step({KEY: {1: Fetched(2, batches((0, b"a")))}}, lambda line: pytest.fail(line))
    assert verification.offsets == {KEY: 0}
    assert verification.max_lag == 2
