"""Answers that come at different times: parts put together in their order, and no answer twice."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Gathering(Generic[T]):
    """Calls `done(parts)` when each of `count` parts has come; at once if there are none."""

    __slots__ = ("_done", "_missing", "_parts")

    def __init__(self, count: int, done: Callable[[list[T]], None]) -> None:
        self._parts: dict[int, T] = {}
        self._missing = count
        self._done = done
        if not count:
            done([])

    def part(self, place: int) -> Callable[[T], None]:
        """What to call with the part at `place`."""
        return partial(self._put, place)

    def _put(self, place: int, part: T) -> None:
        if place in self._parts:
            return
        self._parts[place] = part
        self._missing -= 1
        if not self._missing:
            self._done([self._parts[index] for index in range(len(self._parts))])


class Once:
    """An answer that may be given once; further ones are dropped."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Callable[[Any], None]) -> None:
        self._answer: Callable[[Any], None] | None = answer

    def __call__(self, response: Any) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer(response)
