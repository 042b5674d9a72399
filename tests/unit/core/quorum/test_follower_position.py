"""Where a replica's log stands to the leader's (Q39, Q40, Q46)."""

from __future__ import annotations

import pytest

from barnabas.core.partition.epochs import LeaderEpochs
from barnabas.core.quorum.follower_position import Diverging, LogView, NeedsSnapshot, judge_position

BOOTSTRAP = (0, 0)


def view(start: int, end: int, epochs: list[tuple[int, int]], snapshots: list[tuple[int, int]]) -> LogView:
    known = LeaderEpochs()
    known.load(epochs)
    last = known.latest if known.latest >= 0 else snapshots[-1][0] if snapshots else 0
    return LogView(start, end, last, snapshots, lambda epoch: known.end_offset_for(epoch, end))


WHOLE = view(0, 100, [(1, 0), (3, 40), (5, 70)], [])
"""Epoch 1 ends at 40, 3 at 70, 5 goes on at 100."""


@pytest.mark.parametrize(
    ("offset", "epoch", "expected"),
    [
        (0, 0, None),
        (40, 1, None),
        (20, 1, None),
        (100, 5, None),
        (50, 1, Diverging(1, 40)),  # more of epoch 1 than the leader has
        (80, 3, Diverging(3, 70)),
        (60, 2, Diverging(1, 40)),  # an epoch that the leader never saw
        (101, 5, Diverging(5, 100)),
        (90, 7, Diverging(5, 100)),
    ],
)
def test_a_whole_log(offset: int, epoch: int, expected: Diverging | None) -> None:
    assert judge_position(offset, epoch, WHOLE) == expected


def test_an_empty_replica_gets_a_snapshot_if_there_is_a_real_one() -> None:
    assert judge_position(0, 0, WHOLE._replace(snapshots=[BOOTSTRAP])) is None
    assert judge_position(0, 0, WHOLE._replace(snapshots=[BOOTSTRAP, (3, 50), (3, 60)])) == NeedsSnapshot(3, 60)


def test_a_log_without_its_head() -> None:
    log = view(50, 100, [(3, 50), (5, 70)], [(3, 50), (5, 90)])
    assert judge_position(49, 3, log) == NeedsSnapshot(5, 90)
    assert judge_position(50, 3, log) is None
    assert judge_position(50, 2, log) == NeedsSnapshot(5, 90)
    assert judge_position(60, 2, log) == NeedsSnapshot(5, 90)
    assert judge_position(80, 3, log) == Diverging(3, 70)
    assert judge_position(90, 5, log) is None


def test_a_log_that_is_nothing_but_its_snapshot() -> None:
    log = view(50, 50, [], [(3, 50)])
    assert judge_position(50, 3, log) is None
    assert judge_position(51, 3, log) == Diverging(3, 50)
