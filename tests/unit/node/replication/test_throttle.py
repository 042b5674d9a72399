from __future__ import annotations

import pytest

from barnabas.core.configs.definitions.broker import BROKER, DYNAMIC_QUOTAS
from barnabas.core.configs.values import Values
from barnabas.node.config.sections import Throttling
from barnabas.node.replication.throttle import Throttles, is_listed


@pytest.mark.parametrize(
    ("entries", "listed"),
    [
        ((), []),
        (("*",), [(0, 1), (0, 2), (1, 1), (1, 2)]),
        (("0:1",), [(0, 1)]),
        (("0:1", "1:2", "11:1"), [(0, 1), (1, 2)]),
        (("00:01",), [(0, 1)]),
        (("",), []),
    ],
)
def test_lists(entries: tuple[str, ...], listed: list[tuple[int, int]]) -> None:
    assert [place for place in [(0, 1), (0, 2), (1, 1), (1, 2)] if is_listed(entries, *place)] == listed


def test_bounds() -> None:
    throttles = Throttles(settings())
    throttles.leader.record(1 << 50)
    throttles.follower.record(1000)
    assert not throttles.leader.is_exceeded, "there is no bound at first"
    throttles.take(settings(**{"leader.replication.throttled.rate": 1000}))
    assert throttles.leader.is_exceeded
    assert not throttles.follower.is_exceeded
    throttles.take(settings(**{"follower.replication.throttled.rate": 0}))
    assert not throttles.leader.is_exceeded
    assert throttles.follower.is_exceeded


def settings(**rates: int) -> Throttling:
    return Throttling(Values(BROKER, {}), Values(DYNAMIC_QUOTAS, dict(rates)))
