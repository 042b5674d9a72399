"""Whether a broker's process is dead, by what its connections show: what may be done sooner than at the end of its session (O1-O3).

Pure: the host tells what it sees, and looks where it is told to. A broker is dead when its heartbeats' connection has ended, or it hasn't come to a new active
controller, and connects to its listener are refused twice in a row: not when they time out, which is what a hang or a lost network looks like. The listener
must have answered this controller before at the same address, or a proxy may have refused (O2). Fencing is always permitted to the controller, so a wrong guess
costs moves of leaders; after the second one a broker is left to its session.
"""

from __future__ import annotations

from typing import NamedTuple

ANSWERED = "answered"
REFUSED = "refused"
UNCLEAR = "unclear"

_REFUSALS = 2
_LOOKS_MS = (0, 20, 30, 50, 100, 200, 400)  # between looks; a dying process's listener may be there longer than its connections
_MOST_FALSE_ALARMS = 2

Address = tuple[str, int]


class Look(NamedTuple):
    """Connect to a broker's listener in `delay_ms`, and tell `looked` what came of it."""

    broker_id: int
    address: Address
    delay_ms: int


class _Suspect:
    __slots__ = ("address", "epoch", "looks", "refusals")

    def __init__(self, epoch: int, address: Address) -> None:
        self.epoch = epoch
        self.address = address
        self.looks = 0
        self.refusals = 0


class DeathWatch:
    __slots__ = ("_answered", "_false_alarms", "_fenced", "_suspects")

    def __init__(self) -> None:
        self._answered: dict[int, Address] = {}
        self._suspects: dict[int, _Suspect] = {}
        self._fenced: dict[int, int] = {}
        """Broker -> the epoch in which it was taken for dead."""
        self._false_alarms: dict[int, int] = {}

    def is_known(self, broker_id: int, address: Address) -> bool:
        """Whether its listener has answered there: only then can its silence mean something."""
        return self._answered.get(broker_id) == address

    def heard(self, broker_id: int, epoch: int) -> None:
        """A heartbeat came."""
        self._suspects.pop(broker_id, None)
        if self._fenced.pop(broker_id, None) == epoch:
            self._false_alarms[broker_id] = self._false_alarms.get(broker_id, 0) + 1

    def lost(self, broker_id: int, epoch: int, address: Address) -> Look | None:
        """The connection of its heartbeats has ended, or it has none to this controller, which became active a moment ago."""
        if not self.is_known(broker_id, address) or self._false_alarms.get(broker_id, 0) >= _MOST_FALSE_ALARMS or broker_id in self._suspects:
            return None
        self._suspects[broker_id] = _Suspect(epoch, address)
        return Look(broker_id, address, _LOOKS_MS[0])

    def looked(self, broker_id: int, address: Address, found: str) -> tuple[Look | None, int | None]:
        """What a connect showed: the next look, or the epoch of the incarnation that is dead, or neither."""
        if found == ANSWERED:
            self._answered[broker_id] = address
        suspect = self._suspects.get(broker_id)
        if suspect is None or suspect.address != address:
            return None, None
        suspect.looks += 1
        suspect.refusals = suspect.refusals + 1 if found == REFUSED else 0
        if suspect.refusals >= _REFUSALS:
            del self._suspects[broker_id]
            self._fenced[broker_id] = suspect.epoch
            return None, suspect.epoch
        if suspect.looks == len(_LOOKS_MS):
            del self._suspects[broker_id]
            return None, None
        return Look(broker_id, address, _LOOKS_MS[suspect.looks]), None

    def activate(self) -> None:
        """This controller has become the active one."""
        self._suspects.clear()
        self._fenced.clear()
        self._false_alarms.clear()
