from __future__ import annotations

from barnabas.core.rate import Rate


def test_a_burst_of_ten_windows_is_free() -> None:
    rate = Rate(1000, 11)
    waits = []
    for _ in range(103):
        rate.record(0)
        waits.append(rate.throttle_ms(10, 0, 1000))
    assert waits[:100] == [0] * 100
    assert [round(wait) for wait in waits[100:]] == [100, 200, 300]


def test_a_wait_is_bounded_and_long_enough() -> None:
    rate = Rate(1000, 11)
    for _ in range(105):
        rate.record(5)
    wait = rate.throttle_ms(10, 5, 10_000)
    assert round(wait) == 500
    assert rate.throttle_ms(10, 5 + wait, 10_000) == 0
    assert rate.throttle_ms(10, 5, 100) == 100
    assert rate.throttle_ms(0, 5, 100) == 100


def test_what_is_long_ago_counts_no_more() -> None:
    rate = Rate(1000, 11)
    for _ in range(1000):
        rate.record(0)
    assert rate.throttle_ms(10, 0, 1000) == 1000
    assert rate.throttle_ms(10, 10_999, 1000) == 1000
    assert rate.throttle_ms(10, 11_000, 1000) == 0


def test_what_is_taken_back_was_not() -> None:
    rate = Rate(1000, 11)
    for _ in range(101):
        rate.record(0)
    rate.record(0, -1)
    assert rate.throttle_ms(10, 0, 1000) == 0


def test_steady_at_the_bound_for_minutes() -> None:
    rate = Rate(1000, 11)
    for step in range(10_000):
        rate.record(step * 100)
        assert rate.throttle_ms(10.2, step * 100, 1000) == 0


def test_the_rate_itself() -> None:
    rate = Rate(1000, 3)
    rate.record(0, 3000)
    assert rate.per_second(0) == 1500, "a burst counts as two windows"
    assert rate.per_second(1000) == 1500
    assert rate.per_second(2999) == 3000 / 2.999
    assert rate.per_second(3000) == 0
