"""A simulated run that failed: what went wrong in it, the line that replays it, and the search for a shorter one that fails, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class Violation(AssertionError):
    """The simulated cluster did what it must not."""


class Run(Protocol):
    """`kind`: what `make simulate` calls such seeds. `without`: the numbers of misfortunes that don't happen; `until_ms`: when they end, `default_until_ms`
    if nobody says. Without one misfortune the others must be as they were."""

    kind: str
    seed: int
    now_ms: int
    misfortunes: int
    faults: list[str]
    without: Collection[int]
    until_ms: int
    default_until_ms: int


class Failure(Violation):
    """A run that failed, and how to see it again."""

    def __init__(self, run: Run, error: Exception) -> None:
        self.run = run
        without = f" WITHOUT={','.join(map(str, sorted(run.without)))}" if run.without else ""
        until = f" UNTIL={run.until_ms}" if run.until_ms != run.default_until_ms else ""
        text = str(error) if type(error) is Violation else f"{type(error).__name__}: {error}"
        super().__init__("\n".join((text, *run.faults, f"replay: make simulate {run.kind}={run.seed}{without}{until}")))


def shrink(failure: Failure, simulate: Callable[[int, Collection[int], int], object]) -> Failure:
    """The same seed with fewer misfortunes and a shorter time for them, as long as it fails, whatever it fails of."""

    def fails(without: Collection[int], until_ms: int) -> Failure | None:
        try:
            simulate(seed, without, until_ms)
        except Failure as found:
            return found
        return None

    seed, numbers = failure.run.seed, range(failure.run.misfortunes, 0, -1)
    for number in numbers:
        failure = fails({*failure.run.without, number}, failure.run.until_ms) or failure
    return fails(failure.run.without, min(failure.run.now_ms + 1, failure.run.until_ms)) or failure
