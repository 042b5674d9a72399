"""Replies of one connection, in order, some of which become known on other threads."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from barnabas.node.config.node_config import read_node_config
from barnabas.node.console_log import ConsoleLog
from barnabas.node.listener import Listener
from barnabas.node.network import Network
from barnabas.node.replication.commits import RequestCommit, await_reply
from barnabas.node.router import Router
from barnabas.node.server import Node
from barnabas.wire.errors import Error
from barnabas.wire.messages.produce import ProduceResponse
from tests.nodes import combined_properties, write_properties

if TYPE_CHECKING:
    from pathlib import Path


def test_a_send_between_an_outcome_and_its_reply(tmp_path: Path) -> None:
    """Another thread has settled a request, and makes the reply: what is sent meanwhile must not take the reply for known, nor forget it."""
    node = Node(
        read_node_config(str(write_properties(tmp_path / "server.properties", combined_properties(tmp_path)))),
        "c",
        lambda status: None,
        ConsoleLog("x"),
    )
    node.network = Network(node, Router())
    (thread, *_) = node.network.threads
    listener = Listener("PLAINTEXT", "127.0.0.1", 0, is_controller=False)
    listener.socket.listen()
    with listener.socket, socket.create_connection((listener.host, listener.port)) as client:
        accepted, address = listener.socket.accept()
        thread.adopt(listener, accepted, address[0])
        (connection,) = thread.connections.values()

        def finish() -> bytes:
            assert connection.flush()
            return b"reply"

        commit = RequestCommit(connection, finish)
        part = commit.part(ProduceResponse.TopicProduce.PartitionProduce(index=0))
        part.place(0, -1)
        commit.begin()
        await_reply(connection, commit, 60_000)
        part.settle(Error.NONE)
        assert connection.flush()
        assert client.recv(100) == b"reply"
        connection.close()
