"""This node among the controllers: told to the active one, so that clients and upgrades of features know of it (C19, KIP-919).

Owns the incarnation, and telling it until the metadata shows it. On the control thread. Source: Apache's `ControllerRegistrationManager`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from barnabas.core.metadata.features import MV_3_7_IV0_CONTROLLER_REGISTRATION, SUPPORTED
from barnabas.wire.errors import Error
from barnabas.wire.messages.controller_registration import ControllerRegistrationRequest

if TYPE_CHECKING:
    from barnabas.core.metadata.delta import MetadataDelta
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.server import Node

_FIRST_RETRY_MS = 100
_LAST_RETRY_MS = 120_000


class ControllerRegistration:
    __slots__ = ("_is_asking", "_is_registered", "_is_started", "_listeners", "_node", "_retry_ms", "incarnation_id")

    def __init__(self, node: Node, listeners: list[tuple[str, str, int, int]]) -> None:
        """`listeners`: (name, host, port, security protocol) of this controller, as advertised."""
        self._node = node
        self._listeners = listeners
        self.incarnation_id = os.urandom(16)
        self._is_started = self._is_registered = self._is_asking = False
        self._retry_ms = _FIRST_RETRY_MS

    def request(self) -> ControllerRegistrationRequest:
        request = ControllerRegistrationRequest
        return request(
            controller_id=self._node.config.node_id,
            incarnation_id=self.incarnation_id,
            zk_migration_ready=False,
            listeners=[request.Listener(name=name, host=host, port=port, security_protocol=kind) for name, host, port, kind in self._listeners],
            features=[
                request.Feature(name=name, min_supported_version=least, max_supported_version=most) for name, (least, most) in SUPPORTED.items()
            ],
        )

    def start(self) -> None:
        """The control loop runs. From any thread."""
        self._node.controller.loop.call(self._start)

    def _start(self) -> None:
        self._is_started = True
        self._look(self._node.image)

    def applied(self, delta: MetadataDelta, image: MetadataImage) -> None:
        if delta.controllers_changed or not self._is_registered:
            self._look(image)

    def _look(self, image: MetadataImage) -> None:
        known = image.cluster.controllers.get(self._node.config.node_id)
        self._is_registered = known is not None and known.incarnation_id == self.incarnation_id
        level = image.features.metadata_version or 0
        if self._is_started and not (self._is_registered or self._is_asking) and level >= MV_3_7_IV0_CONTROLLER_REGISTRATION:
            self._is_asking = True
            self._node.controllers.ask(self.request(), self._answered)

    def _answered(self, answer: Any) -> None:
        """Accepted: the metadata will show it. Whatever else: again after a while, unless it does by then."""
        if answer is not None and answer.error_code != Error.NONE:
            self._node.warn_seldom("controller registration", f"Registration as a controller refused: {Error(answer.error_code).name}")
        self._node.controller.loop.call_later(self._retry_ms, self._again)
        self._retry_ms = min(2 * self._retry_ms, _LAST_RETRY_MS)

    def _again(self) -> None:
        self._is_asking = False
        self._look(self._node.image)
