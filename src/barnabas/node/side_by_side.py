"""Work that waits for disks or runs in native code, on several threads for as long as it takes."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Item = TypeVar("_Item")


def side_by_side(threads: int, work: Callable[[_Item], object], items: Iterable[_Item]) -> None:
    """Do `work` for every item, on so many threads, this one among them. Once it raised, nothing more is begun; raises what was raised first."""
    waiting = deque(items)
    failures: list[BaseException] = []

    def take() -> None:
        while not failures:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            try:
                work(item)
            except BaseException as error:
                failures.append(error)

    others = [threading.Thread(target=take, name=f"side-{index}") for index in range(1, min(threads, len(waiting)))]
    for thread in others:
        thread.start()
    take()
    for thread in others:
        thread.join()
    if failures:
        raise failures[0]
