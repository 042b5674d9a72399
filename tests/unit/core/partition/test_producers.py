"""Idempotent and transactional producers, as Apache's ProducerAppendInfo judges them (G40, G44, G45, D60, D63, D69)."""

from __future__ import annotations

import pytest

from barnabas.core.partition.producers import LAST_SEQUENCE, Completed, Duplicate, ProducerEntry, ProducerError, ProducerStates
from barnabas.wire.errors import Error

ID = 42


def states(*batches: tuple[int, int, int], transactional: bool = False) -> ProducerStates:
    """Producer 42 wrote (epoch, base sequence, count) ... from offset 100 on."""
    found = ProducerStates()
    offset = 100
    for epoch, sequence, count in batches:
        found.update(ID, epoch, sequence, offset, offset + count - 1, 1000 + offset, transactional)
        offset += count
    return found


def refused(found: ProducerStates, *batch: int, transactional: bool = False) -> Error:
    with pytest.raises(ProducerError) as caught:
        found.check(ID, *batch, transactional)
    return caught.value.error


def test_an_unknown_producer_may_start_anywhere() -> None:
    assert ProducerStates().check(ID, 3, 77, 1, False) is None


def test_sequences_follow_one_another() -> None:
    found = states((0, 0, 5))
    assert found.check(ID, 0, 5, 1, False) is None
    assert refused(found, 0, 6, 1) == Error.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert refused(found, 0, 4, 1) == Error.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_sequences_wrap() -> None:
    found = states((0, LAST_SEQUENCE - 1, 2))
    assert found.check(ID, 0, 0, 1, False) is None
    found = states((0, LAST_SEQUENCE, 3))  # LAST, 0, 1
    assert found.check(ID, 0, 2, 1, False) is None
    assert found.check(ID, 0, LAST_SEQUENCE, 3, False) == Duplicate(100, 102, 1100)


def test_the_last_five_batches_are_known_again() -> None:
    found = states(*[(0, sequence, 2) for sequence in range(0, 14, 2)])
    for number in range(2, 7):
        assert found.check(ID, 0, number * 2, 2, False) == Duplicate(100 + 2 * number, 101 + 2 * number, 1100 + 2 * number)
    assert refused(found, 0, 2, 2) == Error.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert refused(found, 0, 12, 1) == Error.OUT_OF_ORDER_SEQUENCE_NUMBER  # half of one isn't a retry


def test_epochs() -> None:
    found = states((3, 0, 1))
    assert refused(found, 2, 1, 1) == Error.INVALID_PRODUCER_EPOCH
    assert refused(found, 4, 1, 1) == Error.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert found.check(ID, 4, 0, 1, False) is None
    found.update(ID, 4, 0, 200, 200, 0, False)
    assert refused(found, 3, 1, 1) == Error.INVALID_PRODUCER_EPOCH
    assert refused(found, 3, 0, 1) == Error.INVALID_PRODUCER_EPOCH  # a retry of the old epoch is fenced, too


def test_after_a_marker_the_epoch_goes_on() -> None:
    found = states((0, 0, 2), transactional=True)
    found.end_transaction(ID, 0, 0, 102, 5)
    assert found.check(ID, 0, 2, 1, True) is None
    found.end_transaction(ID, 1, 0, 103, 5)  # as transaction.version 2 does: the marker bumps the epoch
    assert refused(found, 1, 2, 1, transactional=True) == Error.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert found.check(ID, 1, 0, 1, True) is None


def test_plain_writes_within_a_transaction() -> None:
    assert refused(states((0, 0, 1), transactional=True), 0, 1, 1) == Error.INVALID_TXN_STATE


@pytest.mark.parametrize(
    ("epoch", "coordinator_epoch", "version", "error"),
    [
        (0, 5, 0, Error.INVALID_PRODUCER_EPOCH),
        (1, 5, 0, None),
        (1, 4, 0, Error.TRANSACTION_COORDINATOR_FENCED),
        (1, 5, 2, Error.INVALID_PRODUCER_EPOCH),  # must be strictly greater while a transaction is open
        (2, 5, 2, None),
        (2, 4, 2, Error.TRANSACTION_COORDINATOR_FENCED),
    ],
)
def test_markers(epoch: int, coordinator_epoch: int, version: int, error: Error | None) -> None:
    found = ProducerStates()
    found.update(ID, 1, 0, 10, 10, 0, True)
    found.end_transaction(ID, 1, 5, 11, 0)
    found.update(ID, 1, 1, 12, 12, 0, True)
    if error is None:
        found.check_marker(ID, epoch, coordinator_epoch, version)
    else:
        with pytest.raises(ProducerError) as caught:
            found.check_marker(ID, epoch, coordinator_epoch, version)
        assert caught.value.error == error


def test_a_repeated_marker_of_version_2_passes() -> None:
    found = states((1, 0, 1), transactional=True)
    found.end_transaction(ID, 2, 0, 101, 0)
    found.check_marker(ID, 2, 0, 2)
    assert found.end_transaction(ID, 2, 0, 102, 0) is None


def test_last_stable_offset() -> None:
    found = ProducerStates()
    found.update(1, 0, 0, 10, 10, 0, True)
    found.update(2, 0, 0, 11, 11, 0, True)
    found.update(3, 0, 0, 12, 12, 0, True)
    assert found.first_open_offset() == 10
    # The index wants the first offset of the oldest *other* open transaction (D60).
    assert found.end_transaction(2, 0, 0, 13, 0) == Completed(2, 11, 13, 10)
    assert found.end_transaction(1, 0, 0, 14, 0) == Completed(1, 10, 14, 12)
    assert found.end_transaction(3, 0, 0, 15, 0) == Completed(3, 12, 15, 16)
    assert found.first_open_offset() is None
    # What is decided, but not yet below the high watermark, holds readers back still.
    assert found.first_unstable_offset(13) == 10
    assert found.first_unstable_offset(15) == 12
    assert found.first_unstable_offset(16) is None


def test_snapshot_and_back() -> None:
    found = states((0, 0, 2), (0, 2, 3), transactional=True)
    found.update(7, 1, 5, 105, 105, 50, False)
    entries = list(found.entries())
    assert entries == [ProducerEntry(ID, 0, 4, 104, 2, 1102, -1, 100), ProducerEntry(7, 1, 5, 105, 0, 50, -1, -1)]
    loaded = ProducerStates()
    loaded.load(entries, now_ms=100)
    assert list(loaded.entries()) == entries
    assert loaded.first_open_offset() == 100
    assert loaded.check(ID, 0, 2, 3, True) == Duplicate(102, 104, 1102)
    assert refused(loaded, 0, 0, 2, transactional=True) == Error.OUT_OF_ORDER_SEQUENCE_NUMBER  # only the last batch is in a snapshot (D67)


def test_entries_as_of_an_earlier_end() -> None:
    """Batches get their place before they are written: a snapshot for the log's end must not know them, or a lost batch would pass for a duplicate."""
    found = states((0, 0, 2), (0, 2, 3))
    found.update(7, 0, 0, 105, 105, 0, True)
    assert list(found.entries(below=102)) == [ProducerEntry(ID, 0, 1, 101, 1, 1100, -1, -1)]
    assert list(found.entries(below=100)) == []


def test_expiry() -> None:
    found = ProducerStates(expiration_ms=100)
    found.update(1, 0, 0, 10, 10, 1000, False)
    found.update(2, 0, 0, 11, 11, 1000, True)
    found.update(3, 0, 0, 12, 12, 1001, False)
    found.expire(1100)
    assert sorted(entry.producer_id for entry in found.entries()) == [2, 3]
    loaded = ProducerStates(expiration_ms=100)
    loaded.load(found.entries(), now_ms=1101)
    assert [entry.producer_id for entry in loaded.entries()] == [2]


def test_verification() -> None:
    found = ProducerStates()
    guard = found.begin_verification(ID, 5, 0, False, 0)
    assert found.is_verified(ID, 0, guard)
    assert not found.is_verified(ID, 0, None)
    again = found.begin_verification(ID, 3, 0, False, 0)
    assert again is guard  # the lowest sequence waits: a later one must not overtake it
    with pytest.raises(ProducerError):
        found.check(ID, 0, 5, 1, True)
    assert found.check(ID, 0, 3, 1, True) is None
    found.update(ID, 0, 3, 10, 10, 0, True)
    found.end_verification(ID)
    assert found.is_verified(ID, 0, None)
    assert not found.is_verified(ID, 1, None)
    found.end_transaction(ID, 0, 0, 11, 0)
    assert not found.is_verified(ID, 0, guard)


def test_transaction_version_2_begins_at_sequence_0() -> None:
    found = ProducerStates()
    found.begin_verification(ID, 4, 0, True, 0)
    assert refused(found, 0, 4, 1, transactional=True) == Error.OUT_OF_ORDER_SEQUENCE_NUMBER
