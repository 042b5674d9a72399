"""One simulated node: its roles, its disk, its lives. Everything that it does happens inside of `run`, which its death ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.quorum import events as ev
from barnabas.core.quorum.settings import QuorumSettings
from barnabas.storage.errors import StorageError

from .broker import Broker
from .controller import ControllerHost
from .disk import PowerLost
from .metadata import MetadataHost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.metadata_batches import MetadataBatch
    from barnabas.wire.schema import Message

    from .cluster import Cluster
    from .disk import Disk


class Node:
    """`incarnation` counts its lives; what was begun in one means nothing in the next."""

    def __init__(self, node_id: int, cluster: Cluster, disk: Disk, directory_id: bytes, *, is_controller: bool, is_broker: bool) -> None:
        self.id = node_id
        self.cluster = cluster
        self.disk = disk
        self.directory_id = directory_id
        self.is_controller, self.is_broker = is_controller, is_broker
        self.incarnation = 0
        self.is_up = self.is_paused = False
        self.late: list[Callable[[], None]] = []
        self.metadata: MetadataHost
        self.controller: ControllerHost | None = None
        self.broker: Broker | None = None

    def __repr__(self) -> str:
        return f"node {self.id}"

    # --- life

    def start(self) -> None:
        if not self.is_up:
            self.incarnation += 1
            self.is_up, self.is_paused = True, False
            self.late.clear()
            self.disk.revive()
            self.disk.may_fail = lambda: self.cluster.may_be_lost(self)
            self.run(self._start)

    def _start(self) -> None:
        cluster = self.cluster
        self.controller = ControllerHost(self) if self.is_controller else None
        self.broker = Broker(self) if self.is_broker else None
        settings = QuorumSettings(
            can_become_voter=self.is_controller,
            auto_join=self.is_controller and cluster.joins_by_itself,
            fetch_max_bytes=cluster.fetch_max_bytes,
            fetch_snapshot_max_bytes=cluster.fetch_max_bytes,
        )
        self.metadata = MetadataHost(self, self.directory_id, cluster.static_voters, cluster.bootstrap, settings)
        if self.broker is not None:
            self.broker.load()
        self.metadata.happen(ev.Start())

    def run(self, call: Callable[[], None]) -> None:
        """Do something, unless the node is dead. What it can't go on after is its end, as production has it."""
        if not self.is_up:
            return
        if self.is_paused:
            self.late.append(call)
            return
        try:
            call()
        except PowerLost:
            self.cluster.died(self, loses_power=self.cluster.random.random() < 0.5)
        except (StorageError, OSError) as error:
            if not self.disk.errors:
                raise  # nothing was wrong with the disk
            self.cluster.died(self, loses_power=False, why=str(error))
        self.cluster.invariants.after_step(self)

    def after(self, delay_ms: int, call: Callable[[], None]) -> None:
        """Later, in this life."""
        incarnation = self.incarnation

        def due() -> None:
            if self.incarnation == incarnation:
                self.run(call)

        self.cluster.call_in(delay_ms, due)

    def resume(self) -> None:
        if self.is_up and self.is_paused:
            self.is_paused = False
            late, self.late = self.late, []
            for call in late:
                self.run(call)

    # --- what the metadata log tells the controller and the broker

    def controller_loads(self, records: Sequence[Message], last_offset: int) -> None:
        if self.controller is not None:
            self.controller.loads(records, last_offset)

    def controller_reloads(self) -> None:
        if self.controller is not None:
            self.controller.reloads()

    def controller_elected(self, epoch: int, start_offset: int) -> None:
        assert self.controller is not None
        self.controller.elected(epoch, start_offset)

    def controller_may_activate(self) -> None:
        if self.controller is not None:
            self.controller.may_activate()

    def controller_resigns(self) -> None:
        assert self.controller is not None
        self.controller.resigns()

    def controller_appended(self, batch: MetadataBatch) -> None:
        if self.controller is not None:
            self.controller.appended(batch)

    def controller_committed(self, batch: MetadataBatch) -> None:
        if self.controller is not None:
            self.controller.committed(batch)

    def published(self, image: MetadataImage) -> None:
        if self.broker is not None:
            self.broker.follow(image)
