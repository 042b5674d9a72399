"""Leader epochs, as Apache's LeaderEpochFileCache keeps them (D73-D75, R11)."""

from __future__ import annotations

import pytest

from barnabas.core.partition.epochs import LeaderEpochs


def epochs(*entries: tuple[int, int]) -> LeaderEpochs:
    found = LeaderEpochs()
    found.load(entries)
    return found


def test_entries_rise() -> None:
    found = epochs((0, 0), (2, 10))
    assert found.latest == 2
    assert not found.assign(2, 15)  # goes on
    assert found.assign(5, 20)
    assert found.entries == ((0, 0), (2, 10), (5, 20))


@pytest.mark.parametrize(
    ("epoch", "start", "left"),
    [
        (6, 20, ((0, 0), (2, 10), (6, 20))),  # nothing was written in epoch 5
        (6, 5, ((0, 0), (6, 5))),
        (6, 0, ((6, 0),)),
        (2, 8, ((0, 0), (2, 8))),
        (3, 30, ((0, 0), (2, 10), (3, 30))),
        (5, 18, ((0, 0), (2, 10), (5, 18))),
    ],
)
def test_what_contradicts_a_new_entry_goes(epoch: int, start: int, left: tuple[tuple[int, int], ...]) -> None:
    found = epochs((0, 0), (2, 10), (5, 20))
    assert found.assign(epoch, start)
    assert found.entries == left


def test_impossible_entries_are_refused() -> None:
    with pytest.raises(ValueError, match="can't be"):
        epochs((-1, 0))


@pytest.mark.parametrize(
    ("asked", "answer"),
    [(-1, (-1, -1)), (0, (0, 5)), (1, (1, 5)), (2, (2, 10)), (3, (2, 10)), (4, (4, 20)), (5, (4, 20)), (6, (6, 33)), (7, (-1, -1))],
)
def test_end_of_an_epoch(asked: int, answer: tuple[int, int]) -> None:
    known = epochs((1, 3), (2, 5), (4, 10), (6, 20))
    if asked == 0:
        answer = (0, 3)
    assert known.end_offset_for(asked, 33) == answer


def test_nothing_known() -> None:
    assert LeaderEpochs().end_offset_for(0, 9) == (-1, -1)
    assert LeaderEpochs().epoch_of(3) == -1
    assert LeaderEpochs().latest == -1


def test_truncated_at_the_end() -> None:
    found = epochs((0, 0), (2, 10), (5, 20))
    assert not found.truncate_end(21)
    assert found.truncate_end(20)
    assert found.entries == ((0, 0), (2, 10))


def test_truncated_at_the_start() -> None:
    found = epochs((0, 0), (2, 10), (5, 20))
    assert found.truncate_start(15)
    assert found.entries == ((2, 15), (5, 20))
    assert not found.truncate_start(15)
    assert found.truncate_start(20)
    assert found.entries == ((5, 20),)


def test_epoch_of_an_offset() -> None:
    found = epochs((0, 3), (2, 10))
    assert [found.epoch_of(offset) for offset in (2, 3, 9, 10, 99)] == [-1, 0, 0, 2, 2]


def test_where_a_reader_has_left_this_history() -> None:
    known = epochs((1, 3), (4, 10))
    assert known.divergence(20, 4, 20) is None
    assert known.divergence(21, 4, 20) == (4, 20)
    assert known.divergence(10, 1, 20) is None
    assert known.divergence(11, 1, 20) == (1, 10)
    assert known.divergence(8, 3, 20) == (1, 10)
    for unknown in (5, -1):
        with pytest.raises(LookupError):
            known.divergence(10, unknown, 20)
