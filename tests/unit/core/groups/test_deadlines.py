"""Timers as data: one deadline a key, moving is cheap, nothing runs too early or twice."""

from __future__ import annotations

from barnabas.core.groups.deadlines import Deadlines


def test_runs_in_order_and_once() -> None:
    ran: list[str] = []
    deadlines = Deadlines()
    deadlines.arm(("b",), 20, ran.append, "b")
    deadlines.arm(("a",), 10, ran.append, "a")
    assert deadlines.next_ms() == 10
    deadlines.run(9)
    assert not ran
    deadlines.run(20)
    deadlines.run(30)
    assert ran == ["a", "b"]
    assert deadlines.next_ms() is None


def test_moving_later_and_earlier() -> None:
    ran: list[str] = []
    deadlines = Deadlines()
    deadlines.arm(("k",), 10, ran.append, "first")
    deadlines.arm(("k",), 30, ran.append, "later")
    deadlines.run(10)
    assert (ran, deadlines.next_ms()) == ([], 30)
    deadlines.arm(("k",), 20, ran.append, "earlier")
    deadlines.run(20)
    deadlines.run(40)
    assert ran == ["earlier"]


def test_cancelled_and_armed_again() -> None:
    ran: list[str] = []
    deadlines = Deadlines()
    deadlines.arm(("k",), 10, ran.append, "old")
    deadlines.cancel(("k",))
    deadlines.cancel(("k",))
    assert deadlines.next_ms() is None
    deadlines.arm(("k",), 15, ran.append, "new")
    deadlines.run(10)
    deadlines.run(15)
    assert ran == ["new"]


def test_an_action_may_arm_itself_for_now() -> None:
    ran: list[int] = []
    deadlines = Deadlines()

    def again(count: int) -> None:
        ran.append(count)
        if count:
            deadlines.arm(("k",), 5, again, count - 1)

    deadlines.arm(("k",), 5, again, 2)
    deadlines.run(5)
    assert ran == [2, 1, 0]


def test_the_heap_stays_small() -> None:
    deadlines = Deadlines()
    for number in range(10_000):
        deadlines.arm(("k",), 1_000_000 - number, print)
        deadlines.cancel(("other",))
    assert len(deadlines) == 1
    assert len(deadlines._heap) < 100


def test_shifting_keeps_distances_and_order() -> None:
    ran: list[str] = []
    deadlines = Deadlines()
    deadlines.arm(("b",), 20, ran.append, "b")
    deadlines.arm(("a",), 10, ran.append, "a")
    deadlines.arm(("c",), 10, ran.append, "c")
    deadlines.shift(-100)
    assert deadlines.next_ms() == -90
    deadlines.run(-80)
    assert ran == ["a", "c", "b"]


def test_an_action_that_makes_the_heap_compact_itself() -> None:
    ran: list[int] = []
    deadlines = Deadlines()

    def churn() -> None:
        for number in range(200):
            deadlines.arm(("k",), 1000 - number, ran.append, number)

    deadlines.arm(("churn",), 1, churn)
    deadlines.run(1)
    deadlines.run(2000)
    assert ran == [199]
