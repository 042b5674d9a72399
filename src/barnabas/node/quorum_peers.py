"""Connections to the other nodes of the metadata quorum: what `core.quorum` wants sent goes out, what comes of it goes back as events (Q1, Q2).

Owns the connections. Whom to ask what, when to give up waiting and when to try again is decided in `core.quorum`. On the control thread.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from barnabas.core.quorum.peer_events import Failed, Response
from barnabas.node.outbound import Failure, Outbound

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.quorum.peer_events import Send
    from barnabas.node.loop import Loop
    from barnabas.wire.schema import Message


class QuorumPeers:
    """`happen` takes the events."""

    __slots__ = ("_client_id", "_connections", "_happen", "_loop")

    def __init__(self, loop: Loop, node_id: int, happen: Callable[[Response | Failed], object]) -> None:
        self._loop = loop
        self._client_id = f"raft-client-{node_id}"
        self._happen = happen
        self._connections: dict[int, Outbound] = {}

    def send(self, send: Send) -> None:
        """Whoever still owes an answer is asked anew on another connection: that answer is of no use any more."""
        peer = send.peer
        known = self._connections.get(peer.id)
        if known is not None and (known.is_closed or known.unanswered or known.address != (peer.host, peer.port)):
            known.close()
            known = None
        if known is None:
            known = self._connections[peer.id] = Outbound(self._loop, peer.host, peer.port, self._client_id)
        known.ask(send.message, partial(self._answered, peer.id, send.correlation_id))

    def _answered(self, peer_id: int, correlation_id: int, answer: Message | Failure) -> None:
        if isinstance(answer, Failure):
            self._happen(Failed(peer_id, correlation_id, answer.is_unsupported, answer.is_refused))
        else:
            self._happen(Response(peer_id, correlation_id, answer))

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
