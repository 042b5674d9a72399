"""Which of the running nodes kafka-server-stop means. Nothing is stopped here."""

from __future__ import annotations

import pytest

from barnabas.cli.kafka.server_stop import RunningNode, chosen

NODES = [
    RunningNode(100, "/a", {"node.id": "1", "process.roles": "broker,controller"}),
    RunningNode(101, "/b", {"node.id": " 2 ", "process.roles": "broker"}),
    RunningNode(102, "/c", {"node.id": "12", "process.roles": "controller"}),
]


@pytest.mark.parametrize(
    "arguments, pids",
    [
        ("", [100, 101, 102]),
        ("--node-id=1", [100]),
        ("--node-id 2", [101]),
        ("--node-id=3", []),
        ("--process-role=broker", [101]),
        ("--process-role=controller,broker", [100]),
        ("--process-role=nonsense", []),
        ("--process-role=broker --node-id=12", [102]),
    ],
)
def test_chosen(arguments: str, pids: list[int]) -> None:
    assert [node.pid for node in chosen(NODES, arguments.split())] == pids
