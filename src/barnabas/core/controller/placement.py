"""Where the replicas of new partitions go: striped over racks and brokers, ignoring load (C39, C40).

Source: Apache's `StripedReplicaPlacer`. Deterministic given the random bytes; better placements come from outside as manual assignments (O27).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from barnabas.core.controller.result import ApiError
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")


class UsableBroker(NamedTuple):
    id: int
    rack: str | None
    fenced: bool


class Dice:
    """Uniform choices from a source of random bytes."""

    __slots__ = ("_random_bytes",)

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes

    def below(self, bound: int) -> int:
        """0 to `bound` - 1; 64 bits make the bias of the remainder negligible."""
        return int.from_bytes(self._random_bytes(8), "big") % bound

    def shuffle(self, items: list[T]) -> None:
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]


class _Ring:
    """Brokers handed out in turn; the turn starts one further for each partition."""

    __slots__ = ("_index", "_offset", "_round", "brokers")

    def __init__(self) -> None:
        self.brokers: list[int] = []
        self._index = 0
        self._offset = 0
        self._round = 0

    def start(self, dice: Dice) -> None:
        if self.brokers:
            self.brokers.sort()
            self._offset = dice.below(len(self.brokers))

    def next(self, round_: int) -> int | None:
        """The next broker of this round; None when all had their turn."""
        if not self.brokers:
            return None
        if self._round != round_:
            self._round = round_
            self._index = 0
            self._offset = (self._offset + 1) % len(self.brokers)
        if self._index >= len(self.brokers):
            return None
        broker = self.brokers[(self._index + self._offset) % len(self.brokers)]
        self._index += 1
        return broker


class _Rack:
    __slots__ = ("fenced", "unfenced")

    def __init__(self) -> None:
        self.unfenced = _Ring()
        self.fenced = _Ring()

    def next(self, round_: int) -> int | None:
        broker = self.unfenced.next(round_)
        return self.fenced.next(round_) if broker is None else broker


class _Racks:
    __slots__ = ("_dice", "_names", "_offset", "_racks", "_round", "total", "unfenced")

    def __init__(self, dice: Dice, brokers: Iterable[UsableBroker]) -> None:
        self._dice = dice
        self._racks: dict[str | None, _Rack] = {}
        self.total = self.unfenced = 0
        for broker in brokers:
            rack = self._racks.setdefault(broker.rack, _Rack())
            (rack.fenced if broker.fenced else rack.unfenced).brokers.append(broker.id)
            self.total += 1
            self.unfenced += not broker.fenced
        for rack in self._racks.values():
            rack.fenced.start(dice)
            rack.unfenced.start(dice)
        self._names = sorted(self._racks, key=lambda name: (name is not None, name or ""))
        self._offset = dice.below(len(self._names)) if self._names else 0
        self._round = 0

    def place(self, replication_factor: int) -> list[int]:
        """Leader from an unfenced broker, the others from the next racks in turn."""
        if self._round == self.unfenced and self.unfenced > 1:
            self._reshuffle()
        self._offset %= len(self._names)
        at = self._offset
        leader = self._racks[self._names[at]].unfenced.next(self._round)
        while leader is None:
            at = (at + 1) % len(self._names)
            leader = self._racks[self._names[at]].unfenced.next(self._round)
        leader_rack: int | None = at
        replicas = [leader]
        at = self._offset
        while len(replicas) < replication_factor:
            broker: int | None = None
            if at == leader_rack:
                leader_rack = None  # it had its first turn by the leader
            else:
                broker = self._racks[self._names[at]].next(self._round)
            at = (at + 1) % len(self._names)
            if broker is not None:
                replicas.append(broker)
        self._round += 1
        self._offset += 1
        return replicas

    def _reshuffle(self) -> None:
        self._dice.shuffle(self._names)
        for rack in self._racks.values():
            self._dice.shuffle(rack.fenced.brokers)
            self._dice.shuffle(rack.unfenced.brokers)
        self._round = 0


def place(dice: Dice, brokers: Iterable[UsableBroker], partitions: int, replication_factor: int) -> list[list[int]]:
    """Replicas for each new partition. Raises INVALID_REPLICATION_FACTOR if the cluster has too few brokers."""
    racks = _Racks(dice, brokers)
    if racks.unfenced == 0:
        raise ApiError(Error.INVALID_REPLICATION_FACTOR, "All brokers are currently fenced, or have all their log directories cordoned.")
    if replication_factor > racks.total:
        raise ApiError(
            Error.INVALID_REPLICATION_FACTOR,
            f"The target replication factor of {replication_factor} cannot be reached because only {racks.total} broker(s) are registered "
            "or some brokers have all their log directories cordoned.",
        )
    return [racks.place(replication_factor) for _ in range(partitions)]
