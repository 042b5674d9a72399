"""Order, timers, and what a loop survives."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from barnabas.node.loop import READ, Loop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def errors() -> list[BaseException]:
    return []


@pytest.fixture
def loop(errors: list[BaseException]) -> Iterator[Loop]:
    made = Loop("test", errors.append)
    made.start()
    yield made
    made.stop()
    assert made.join(5)


def run(loop: Loop, *calls: object) -> None:
    """Hand the calls over, and wait until they were made."""
    done = threading.Event()
    for call in calls:
        loop.call(call)  # type: ignore[arg-type]
    loop.call(done.set)
    assert done.wait(5)


def test_calls_in_order_from_any_thread(loop: Loop) -> None:
    seen: list[tuple[int, int]] = []
    threads = [threading.Thread(target=lambda who=who: [loop.call(seen.append, (who, turn)) for turn in range(500)]) for who in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run(loop)
    for who in range(3):
        assert [turn for found, turn in seen if found == who] == list(range(500))


def test_timers(loop: Loop) -> None:
    seen: list[str] = []
    done = threading.Event()

    def plan() -> None:
        loop.call_later(20, seen.append, "later")
        loop.call_later(1, seen.append, "sooner")
        cancelled = loop.call_later(5, seen.append, "never")
        cancelled.cancel()
        cancelled.cancel()
        loop.call_later(30, done.set)
        for _ in range(1000):  # cancelled ones are swept
            loop.call_later(60_000, seen.append, "never").cancel()

    run(loop, plan)
    assert done.wait(5)
    assert seen == ["sooner", "later"]
    run(loop)
    assert len(loop._timers) < 300


@pytest.mark.parametrize("delay_ms", [2**31 - 1, 2**31, 2**63 - 1])
def test_a_timer_due_in_years(loop: Loop, errors: list[BaseException], delay_ms: int) -> None:
    """log.flush.scheduler.interval.ms is 2^63 - 1 by default, max_wait_ms may be 2^31 - 1; epoll takes less."""
    run(loop, lambda: loop.call_later(delay_ms, print))
    time.sleep(0.02)
    run(loop)
    assert not errors


def test_what_raises_is_reported_and_the_loop_goes_on(loop: Loop, errors: list[BaseException]) -> None:
    import os

    reader, writer = os.pipe()
    seen: list[str] = []

    def broken(_mask: int) -> None:
        os.read(reader, 1)
        raise ValueError("event")

    def settle() -> None:
        if not seen:
            seen.append("settled")
            raise ValueError("settle")

    run(loop, lambda: loop.register(reader, READ, broken))
    loop.settle = settle  # type: ignore[method-assign]
    run(loop, lambda: [].pop())
    run(loop, lambda: loop.call_later(0, lambda: {}[0]))
    os.write(writer, b"x")
    deadline = time.monotonic() + 5
    while len(errors) < 4 and time.monotonic() < deadline:
        run(loop)
        time.sleep(0.005)
    assert sorted(type(error).__name__ for error in errors) == ["IndexError", "KeyError", "ValueError", "ValueError"]
    run(loop, lambda: loop.unregister(reader))
    os.close(reader)
    os.close(writer)


@pytest.fixture
def gathering(errors: list[BaseException]) -> Iterator[Loop]:
    made = Loop("gathering", errors.append, gathers=True)
    made.start()
    yield made
    made.stop()
    assert made.join(5)


def asleep(loop: Loop) -> Loop:
    deadline = time.monotonic() + 5
    while not loop._asleep:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return loop


def test_what_a_gathering_loop_hands_over_is_found_when_its_turn_ends(gathering: Loop, loop: Loop) -> None:
    found, seen = threading.Event(), []

    def turn() -> None:
        asleep(loop).hand(found.set)
        seen.append(found.wait(0.05))

    run(gathering, turn)
    assert found.wait(5)
    assert seen == [False]


def test_who_waits_is_woken_before_something_that_takes_long(gathering: Loop, loop: Loop) -> None:
    found, seen = threading.Event(), []

    def turn() -> None:
        asleep(loop).hand(found.set)
        gathering.wake_others()
        seen.append(found.wait(5))

    run(gathering, turn)
    assert seen == [True]


def test_others_hand_over_at_once(gathering: Loop, loop: Loop) -> None:
    for found in (threading.Event(), threading.Event()):
        asleep(gathering).hand(found.set)
        assert found.wait(5)
    found, seen = threading.Event(), []

    def turn() -> None:
        asleep(gathering).hand(found.set)
        seen.append(found.wait(5))

    run(loop, turn)  # it doesn't gather
    assert seen == [True]


def test_who_found_it_asleep_may_wake_it_after_its_end(errors: list[BaseException], tmp_path: Path) -> None:
    ended = Loop("ended", errors.append)
    ended.start()
    ended.stop()
    assert ended.join(5)
    with (tmp_path / "file").open("wb", buffering=0) as file:  # it gets the lowest number that is free
        ended._asleep = True
        ended.call(print)
        assert file.tell() == 0
    assert errors == []
