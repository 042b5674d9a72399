"""Work on several threads: everything is done once, together where that is allowed, and what goes wrong is raised."""

from __future__ import annotations

import threading

import pytest

from barnabas.node.side_by_side import side_by_side


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_together(threads: int) -> None:
    barrier = threading.Barrier(min(threads, 4))
    done: list[int] = []

    def work(item: int) -> None:
        barrier.wait(10)  # goes on only when so many are at it
        done.append(item)

    side_by_side(threads, work, range(4))
    assert sorted(done) == [0, 1, 2, 3]


def test_nothing_to_do() -> None:
    side_by_side(3, lambda _: pytest.fail("called"), ())


@pytest.mark.parametrize("threads", [1, 3])
def test_failure_ends_it(threads: int) -> None:
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        raise OSError(f"disk {item}")

    with pytest.raises(OSError, match="disk"):
        side_by_side(threads, work, range(1000))
    assert len(begun) <= threads
