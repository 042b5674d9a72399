"""Watching brokers die: the connections of their heartbeats to this controller, and looks at their listeners when one ends (O1, O2).

Owns the sockets and when to look; what they show is `core.controller.death_watch`'s to judge. Everything but what says otherwise happens on the control thread.
Standbys make themselves known to listeners too: the next active controller must have seen them answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.death_watch import ANSWERED, REFUSED, UNCLEAR, DeathWatch, Look
from barnabas.wire.messages.api_versions import ApiVersionsRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.controller.controller import Controller
    from barnabas.core.controller.death_watch import Address
    from barnabas.core.controller.result import Result
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.core.metadata.registration import Broker
    from barnabas.node.connection import Connection
    from barnabas.node.server import Node

_INTRODUCE_MS = (20, 50, 100, 200, 500)  # a listener is opened when its broker has been let in
_ARRIVAL_MS = 150  # within which living brokers find a new active controller
_LOOK_MS = 500


class BrokerDeaths:
    """One a controller node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._host = node.controller
        self._watch = DeathWatch()
        self._connections: dict[int, Connection] = {}
        """Broker -> what its heartbeats come by."""
        self._introduces = False

    # Heartbeats

    def heard(self, broker_id: int, epoch: int, connection: Connection) -> None:
        """A heartbeat was taken. On the control thread."""
        self._watch.heard(broker_id, epoch)
        if self._connections.get(broker_id) is not connection:
            self._connections[broker_id] = connection
            connection.on_close = lambda: self._host.loop.call(self._closed, broker_id, epoch, connection)
            if connection.closed:
                self._closed(broker_id, epoch, connection)

    def _closed(self, broker_id: int, epoch: int, connection: Connection) -> None:
        if self._connections.get(broker_id) is not connection:
            return
        del self._connections[broker_id]
        broker = self._host.controller.brokers.registrations.get(broker_id)
        if self._host.controller.is_active and broker is not None and broker.epoch == epoch:
            self._lost(broker)

    def activated(self) -> None:
        """This node has become the active controller: who was killed with the last one doesn't come to it."""
        self._watch.activate()
        self._connections.clear()
        self._host.loop.call_later(_ARRIVAL_MS, self._miss)

    def _miss(self) -> None:
        if self._host.controller.is_active:
            for broker in list(self._host.controller.brokers.registrations.current.values()):
                if not broker.fenced and broker.id not in self._connections:
                    self._lost(broker)

    def _lost(self, broker: Broker) -> None:
        address = self._address(broker)
        if address is not None and broker.id != self._node.config.node_id:
            self._look(self._watch.lost(broker.id, broker.epoch, address))

    # Listeners

    def applied(self, image: MetadataImage) -> None:
        """Brokers came, or moved: their listeners are looked at until they answer once."""
        if not self._introduces and any(self._unknown(broker) for broker in image.cluster.brokers.values()):
            self._introduces = True
            self._host.loop.call(self._introduce, 0)

    def _introduce(self, times: int) -> None:
        unknown = [
            (broker.id, address) for broker in self._host.loader.image.cluster.brokers.values() if (address := self._unknown(broker)) is not None
        ]
        for broker_id, address in unknown:
            self._look(Look(broker_id, address, 0))
        self._introduces = bool(unknown)
        if unknown:
            self._host.loop.call_later(_INTRODUCE_MS[min(times, len(_INTRODUCE_MS) - 1)], self._introduce, times + 1)

    def _unknown(self, broker: Broker) -> Address | None:
        """The address of an unfenced broker whose listener hasn't answered yet."""
        if broker.fenced or broker.id == self._node.config.node_id:
            return None
        address = self._address(broker)
        return None if address is None or self._watch.is_known(broker.id, address) else address

    def _address(self, broker: Broker) -> Address | None:
        endpoint = broker.listeners.get(self._node.config.listeners.inter_broker) or next(iter(broker.listeners.values()), None)
        return None if endpoint is None else (endpoint.host, endpoint.port)

    def _look(self, look: Look | None) -> None:
        if look is not None:
            self._host.loop.call_later(look.delay_ms, Probe, self._node, look.address, lambda found: self._looked(look, found))

    def _looked(self, look: Look, found: str) -> None:
        following, dead_epoch = self._watch.looked(look.broker_id, look.address, found)
        self._look(following)
        if dead_epoch is not None:
            self._fence(look.broker_id, dead_epoch)

    def _fence(self, broker_id: int, epoch: int) -> None:
        from barnabas.core.controller.broker_life import fence_broker

        def fence(controller: Controller, now_ms: int) -> Result:
            return fence_broker(controller, broker_id, epoch)

        def done(_: None) -> None:
            self._node.log_warning(f"Broker {broker_id} is fenced: the connection of its heartbeats has ended, and its listener refuses connections.")

        self._host.submit(fence, done, lambda error, message: None)  # it has registered again, or another controller is active


class Probe:
    """One look at a listener: `on_found` is called once with ANSWERED, REFUSED or UNCLEAR."""

    def __init__(self, node: Node, address: Address, on_found: Callable[[str], object]) -> None:
        from barnabas.node.outbound import Outbound

        self._on_found = on_found
        self._is_done = False
        loop = node.controller.loop
        self._connection = Outbound(loop, *address, str(node.config.node_id))
        self._timer = loop.call_later(_LOOK_MS, self._found, None)
        self._connection.ask(ApiVersionsRequest(client_software_name="barnabas", client_software_version="0"), self._found)

    def _found(self, answer: object) -> None:
        from barnabas.node.outbound import Failure

        if self._is_done:
            return
        self._is_done = True
        self._timer.cancel()
        self._connection.close()
        if answer is None:
            self._on_found(UNCLEAR)
        elif isinstance(answer, Failure):
            self._on_found(REFUSED if answer.is_refused else UNCLEAR)
        else:
            self._on_found(ANSWERED)
