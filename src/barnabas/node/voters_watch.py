"""Whether the metadata quorum can have a leader, by what its voters' listeners show: who wants to go needn't wait for a controller that can't come.

Connects that are refused say that no process listens: where the other voters are no majority, nobody is elected until some are started again. A hang, or a lost
network, isn't told by refusals. Everything happens on the control thread.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from barnabas.core.controller.death_watch import REFUSED
from barnabas.node.death_watch import Probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.node.server import Node

_LOOK_MS = 100
_REFUSALS = 10  # in a row: within a second a voter that is being restarted is back


class VotersWatch:
    """Looks at the other voters until `on_lost` is called, once so many are gone that the rest is no majority, or `is_needed` is false."""

    __slots__ = ("_is_needed", "_node", "_on_lost", "_refusals", "_unanswered")

    def __init__(self, node: Node, is_needed: Callable[[], bool], on_lost: Callable[[], object]) -> None:
        self._node = node
        self._is_needed = is_needed
        self._on_lost = on_lost
        self._refusals: dict[int, int] = {}
        """Voter -> how often it has refused since it was last there."""
        self._unanswered = 0
        self._look()

    def _look(self) -> None:
        if not self._is_needed():
            return
        voters = self._node.controller.quorum.quorum.voters
        addresses = [(voter.id, voter.endpoints[0]) for voter in voters.by_id.values() if voter.id != self._node.config.node_id and voter.endpoints]
        self._unanswered = len(addresses)
        for voter_id, endpoint in addresses:
            Probe(self._node, (endpoint.host, endpoint.port), partial(self._looked, voter_id))

    def _looked(self, voter_id: int, found: str) -> None:
        self._refusals[voter_id] = self._refusals.get(voter_id, 0) + 1 if found == REFUSED else 0
        self._unanswered -= 1
        if self._unanswered:
            return
        voters = self._node.controller.quorum.quorum.voters
        gone = sum(self._refusals.get(voter, 0) >= _REFUSALS for voter in voters.ids)
        if 2 * gone < len(voters):
            self._node.controller.loop.call_later(_LOOK_MS, self._look)
        elif self._is_needed():
            self._on_lost()
