"""The network between simulated nodes: late, lossy, doubling, reordering between connections, cut one way or both. Messages travel as bytes."""

from __future__ import annotations

from random import Random


class Network:
    def __init__(self, random: Random) -> None:
        self._random = random
        self.loss = 0.0
        self.doubling = 0.0
        self.slowest_ms = 3
        self._cut: set[tuple[int, int]] = set()

    def cut(self, sender: int, receiver: int) -> None:
        """One way."""
        self._cut.add((sender, receiver))

    def heal(self) -> None:
        self._cut.clear()
        self.loss = self.doubling = 0.0
        self.slowest_ms = 3

    def is_cut(self, sender: int, receiver: int) -> bool:
        return (sender, receiver) in self._cut

    def arrivals(self, sender: int, receiver: int) -> list[int]:
        """After how many ms a message arrives: never, once or twice."""
        if (sender, receiver) in self._cut or self._random.random() < self.loss:
            return []
        copies = 2 if self._random.random() < self.doubling else 1
        return [1 + self._random.randint(0, self.slowest_ms) for _ in range(copies)]
