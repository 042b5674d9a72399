"""A follower's place in its leader's log, as Apache's AbstractFetcherThread keeps it (R5-R15)."""

from __future__ import annotations

import pytest

from barnabas.core.partition.epochs import LeaderEpochs
from barnabas.core.partition.following import Append, AskOffsets, Failed, Following, LogEnd, Pause, Position, StartAt, TruncateTo, truncation_offset
from barnabas.wire.errors import Error


def log(offset: int, *epochs: tuple[int, int]) -> LogEnd:
    known = LeaderEpochs()
    known.load(epochs)
    return LogEnd(offset, known)


OWN = log(50, (1, 0), (3, 20), (4, 40))


def follower(own: LogEnd = OWN) -> tuple[Following, Position]:
    found = Following(7, 1000)
    assert found.begin(own, own.offset) is None
    asked = found.position(0)
    assert asked is not None
    return found, asked


def test_it_goes_on_where_its_log_ends() -> None:
    found, asked = follower()
    assert asked == Position(50, 7, 4)
    assert found.answered(asked, Error.NONE, None, OWN, 0) == Append()
    found.appended(log(60, (1, 0), (3, 20), (4, 40), (7, 55)))
    assert found.position(0) == Position(60, 7, 7)


def test_without_an_epoch_it_goes_back_to_its_high_watermark() -> None:
    found = Following(7, 1000)
    assert found.begin(log(50), 30) == TruncateTo(30)
    found.truncated(log(30))
    assert found.position(0) == Position(30, 7, -1)
    assert Following(7, 1000).begin(log(50), 50) is None
    assert Following(7, 1000).begin(OWN, 30) is None, "the leader will say where they part"


@pytest.mark.parametrize(
    ("epoch", "end_offset", "offset"),
    [
        (4, 45, 45),  # both know epoch 4; the leader has less of it
        (4, 70, 50),
        (3, 30, 30),
        (3, 60, 40),  # the own log has less of epoch 3
        (2, 35, 20),  # unknown here: keep what was before, ask again
        (0, 5, 0),  # older than everything here
        (-1, 33, 33),
        (4, -1, 50),
    ],
)
def test_where_to_cut(epoch: int, end_offset: int, offset: int) -> None:
    assert truncation_offset(epoch, end_offset, OWN) == offset
    found, asked = follower()
    assert found.answered(asked, Error.NONE, (epoch, end_offset), OWN, 0) == TruncateTo(offset)
    found.truncated(log(offset, (1, 0)))
    assert found.position(0) == Position(offset, 7, 1)


def test_a_log_without_epochs_is_cut_where_the_leader_says() -> None:
    assert truncation_offset(4, 33, log(50)) == 33


def test_an_answer_for_somewhere_else_is_dropped() -> None:
    found, asked = follower()
    found.appended(log(60, (1, 0)))
    assert found.answered(asked, Error.NONE, None, log(60, (1, 0)), 0) is None
    older = Position(50, 6, 4)
    assert follower()[0].answered(older, Error.NONE, None, OWN, 0) is None


def test_a_log_that_somebody_else_wrote_to_fails() -> None:
    found, asked = follower()
    assert isinstance(found.answered(asked, Error.NONE, None, log(51, (1, 0)), 0), Failed)
    assert found.position(0) is None


@pytest.mark.parametrize(
    "error",
    [Error.UNKNOWN_LEADER_EPOCH, Error.NOT_LEADER_OR_FOLLOWER, Error.UNKNOWN_TOPIC_OR_PARTITION, Error.UNKNOWN_TOPIC_ID, Error.CORRUPT_MESSAGE],
)
def test_it_waits_after_an_error(error: Error) -> None:
    """Longer from time to time, and replica.fetch.backoff.ms in the end; shortly again once there was an answer."""
    found, asked = follower()
    now_ms, waited_ms = 5, 0
    for _ in range(10):
        assert found.answered(asked, error, None, OWN, now_ms) == Pause()
        assert found.ready_ms - now_ms >= waited_ms
        waited_ms = found.ready_ms - now_ms
        assert found.position(found.ready_ms - 1) is None
        now_ms = found.ready_ms
        assert found.position(now_ms) == asked
    assert waited_ms == 1000
    found.answered(asked, Error.NONE, None, OWN, now_ms)
    found.answered(asked, error, None, OWN, now_ms)
    assert found.ready_ms - now_ms < 50


def test_a_newer_leader_ends_it() -> None:
    found, asked = follower()
    assert isinstance(found.answered(asked, Error.FENCED_LEADER_EPOCH, None, OWN, 0), Failed)
    assert found.failure == "the leader has a newer epoch"


@pytest.mark.parametrize(
    ("latest", "earliest", "effect", "left"),
    [(45, 0, TruncateTo(45), 45), (100, 70, StartAt(70), 70), (100, 10, None, 50), (50, 50, None, 50)],
)
def test_out_of_the_leaders_log(latest: int, earliest: int, effect: TruncateTo | StartAt | None, left: int) -> None:
    found, asked = follower()
    assert found.answered(asked, Error.OFFSET_OUT_OF_RANGE, None, OWN, 0) == AskOffsets()
    assert found.position(0) is None, "not until it knows"
    assert found.learned(latest, earliest, OWN) == effect
    if effect is not None:
        found.truncated(log(left, (1, 0)))
    assert found.position(0) == Position(left, 7, 4 if effect is None else 1)


def test_offsets_that_cannot_be_had() -> None:
    found, asked = follower()
    found.answered(asked, Error.OFFSET_OUT_OF_RANGE, None, OWN, 0)
    assert found.not_learned(Error.NOT_LEADER_OR_FOLLOWER, 10) == Pause()
    assert found.position(1010) == asked
    found.answered(asked, Error.OFFSET_OUT_OF_RANGE, None, OWN, 1010)
    assert isinstance(found.not_learned(Error.FENCED_LEADER_EPOCH, 1010), Failed)
