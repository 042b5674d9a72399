"""Where replicas go (C39, C40)."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from barnabas.core.controller.placement import Dice, UsableBroker, place
from barnabas.core.controller.result import ApiError
from barnabas.wire.errors import Error


def dice(seed: int = 1) -> Dice:
    return Dice(Random(seed).randbytes)


def brokers(*ids: int, rack: str | None = None, fenced: bool = False) -> list[UsableBroker]:
    return [UsableBroker(broker, rack, fenced) for broker in ids]


def test_one_broker() -> None:
    assert place(dice(), brokers(7), 5, 1) == [[7]] * 5


@pytest.mark.parametrize("seed", range(20))
def test_leaders_are_spread_and_replicas_differ(seed: int) -> None:
    placed = place(dice(seed), brokers(1, 2, 3, 4), 40, 3)
    assert all(len(set(replicas)) == 3 for replicas in placed)
    assert Counter(replicas[0] for replicas in placed) == dict.fromkeys((1, 2, 3, 4), 10)


@pytest.mark.parametrize("seed", range(20))
def test_each_replica_in_another_rack(seed: int) -> None:
    rack_of = {1: "a", 2: "a", 3: "b", 4: "b", 5: "c"}
    usable = [UsableBroker(broker, rack, False) for broker, rack in rack_of.items()]
    for replicas in place(dice(seed), usable, 20, 3):
        assert {rack_of[replica] for replica in replicas} == {"a", "b", "c"}


@pytest.mark.parametrize("seed", range(20))
def test_fenced_brokers_come_last_and_never_lead(seed: int) -> None:
    usable = brokers(1, 2) + brokers(3, 4, fenced=True)
    for replicas in place(dice(seed), usable, 20, 2):
        assert set(replicas) == {1, 2}
    for replicas in place(dice(seed), usable, 20, 4):
        assert replicas[0] in (1, 2) and set(replicas) == {1, 2, 3, 4}


@pytest.mark.parametrize("usable", [[], brokers(1, 2, fenced=True)])
def test_nobody_to_lead(usable: list[UsableBroker]) -> None:
    with pytest.raises(ApiError) as refused:
        place(dice(), usable, 1, 1)
    assert refused.value.error == Error.INVALID_REPLICATION_FACTOR


def test_more_replicas_than_brokers() -> None:
    with pytest.raises(ApiError) as refused:
        place(dice(), brokers(1, 2), 1, 3)
    assert refused.value.error == Error.INVALID_REPLICATION_FACTOR


def test_the_same_bytes_give_the_same_placement() -> None:
    assert place(dice(5), brokers(1, 2, 3), 9, 2) == place(dice(5), brokers(1, 2, 3), 9, 2)
