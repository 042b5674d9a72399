"""Histories: requests that depend on one another, on several connections, in lockstep on Apache Kafka and Barnabas. Each answer is compared when it comes.

STEPS=2000 ROUNDS=10 SEED=7 says how long, and which; a failure names the seed and the last steps before it; STORY=file has all of them.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.differential.history_data import KINDS as DATA
from tests.differential.history_data import DataWorld
from tests.differential.history_groups import KINDS as GROUPS
from tests.differential.history_groups import GroupWorld
from tests.differential.lockstep import play
from tests.nodes import LONG_SESSION, SHORT_SESSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.differential.lockstep import World
    from tests.nodes import Node

pytestmark = [pytest.mark.apache, pytest.mark.node]

STEPS = int(os.environ.get("STEPS", "60"))
ROUNDS = int(os.environ.get("ROUNDS", "2"))
SEED = int(os.environ.get("SEED", "1"))
_SETTINGS = {
    "log.flush.start.offset.checkpoint.interval.ms": "50",
    "log.initial.task.delay.ms": "0",  # in Apache Kafka deleted records return else
    "group.min.session.timeout.ms": "1",
}
_OLD_MS = 1_700_000_000_000


def _story(step: str) -> None:
    if "STORY" in os.environ:
        with open(os.environ["STORY"], "a") as file:
            file.write(step + "\n")


def test_the_same_answers(apache_nodes: Callable[..., Node], barnabas_nodes: Callable[..., Node]) -> None:
    """Data's history, then groups', one after the other: busy nodes come to rest later. Between two rounds both are started again, stopped and killed in turn.

    Every other seed with records of today: producers aren't forgotten at a start. With old ones, segments roll when LogAppendTime comes.
    After a kill Apache Kafka forgets producers of old records at once, we do at the next check (docs/differences.md): then both are only stopped.
    """
    is_recent = SEED % 2 == 1
    when_ms = (int(time.time()) - 3600) * 1000 if is_recent else _OLD_MS
    settings = _SETTINGS | (SHORT_SESSION if ROUNDS > 2 else LONG_SESSION)  # only then is a node killed
    with ThreadPoolExecutor(2) as pool:
        nodes = list(pool.map(lambda make: make(settings), (apache_nodes, barnabas_nodes)))
    data: list[World] = [DataWorld(node, when_ms) for node in nodes]
    groups: list[World] = [GroupWorld(node) for node in nodes]
    try:
        for number in range(ROUNDS):
            if number:
                _start_again(nodes, [*data, *groups], is_kill=is_recent and number % 2 == 0)
            for worlds, kinds in ((data, DATA), (groups, GROUPS)):
                difference = play(worlds, SEED + 1000 * number, STEPS, kinds, _story)
                assert not difference, f"round {number}, {difference}"
    finally:
        for world in (*data, *groups):
            world.close()


def _start_again(nodes: list[Node], worlds: list[World], *, is_kill: bool) -> None:
    for world in worlds:
        world.before_stop(is_kill=is_kill)

    def again(node: Node) -> None:
        node.kill() if is_kill else node.stop()
        node.start()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(again, nodes))
    for world in worlds:
        world.reconnect()
