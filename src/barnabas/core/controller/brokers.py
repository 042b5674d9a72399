"""Registered brokers and controllers as the controller replays them. Registering is `registration`, heartbeats' meaning is `broker_life`.

Source: Apache's `ClusterControlManager`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.result import ApiError
from barnabas.core.metadata import registration
from barnabas.core.metadata.directory_ids import MIGRATING, UNASSIGNED
from barnabas.core.timeline import TimelineDict
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from barnabas.core.controller.heartbeats import Heartbeats
    from barnabas.core.metadata.registration import Broker, RegisteredController
    from barnabas.core.timeline import SnapshotRegistry
    from barnabas.wire.logs import cluster_metadata as records


class Brokers:
    __slots__ = ("_heartbeats", "controllers", "directories", "register_offsets", "registrations")

    def __init__(self, registry: SnapshotRegistry, heartbeats: Heartbeats) -> None:
        self._heartbeats = heartbeats
        self.registrations: TimelineDict[int, Broker] = TimelineDict(registry)
        self.register_offsets: TimelineDict[int, int] = TimelineDict(registry)
        """Broker id -> offset of its latest RegisterBroker record."""
        self.controllers: TimelineDict[int, RegisteredController] = TimelineDict(registry)
        self.directories: TimelineDict[bytes, int] = TimelineDict(registry)
        """Directory id -> the broker that has it."""

    def is_active(self, broker_id: int) -> bool:
        """Neither fenced nor shutting down; False for an unknown broker."""
        broker = self.registrations.current.get(broker_id)
        return broker is not None and broker.is_active

    def has_online_directory(self, broker_id: int, directory_id: bytes) -> bool:
        broker = self.registrations.current.get(broker_id)
        return broker is not None and broker.has_online(directory_id)

    def check_epoch(self, broker_id: int, broker_epoch: int) -> Broker:
        broker = self.registrations.get(broker_id)
        if broker is None:
            raise ApiError(Error.STALE_BROKER_EPOCH, f"No broker registration found for broker id {broker_id}")
        if broker.epoch != broker_epoch:
            raise ApiError(Error.STALE_BROKER_EPOCH, f"Expected broker epoch {broker.epoch}, but got broker epoch {broker_epoch}")
        return broker

    def default_directory(self, broker_id: int) -> bytes:
        """Where a new replica goes on this broker: its only directory, else it decides itself."""
        broker = self.registrations.get(broker_id)
        if broker is None:
            return UNASSIGNED
        if not broker.directories:
            return MIGRATING
        return broker.directories[0] if len(broker.directories) == 1 else UNASSIGNED

    def replay_register(self, record: records.RegisterBrokerRecord, offset: int) -> None:
        broker = registration.broker_from_record(record)
        before = self.registrations.get(broker.id)
        self.register_offsets[broker.id] = offset
        self.registrations[broker.id] = broker
        self._move_directories(broker.id, before.directories if before else (), broker.directories)
        if before is not None:
            self._heartbeats.remove(broker.id)
        self._heartbeats.register(broker.id, broker.fenced)

    def replay_unregister(self, record: records.UnregisterBrokerRecord) -> None:
        before = self._registered(record.broker_id, record.broker_epoch)
        self.register_offsets.pop(record.broker_id, None)
        self.registrations.pop(record.broker_id, None)
        self._move_directories(before.id, before.directories, ())
        self._heartbeats.remove(before.id)

    def replay_change(self, record: records.BrokerRegistrationChangeRecord) -> None:
        before = self._registered(record.broker_id, record.broker_epoch)
        self._replace(before, before.changed_by(record))

    def replay_fence(self, record: records.FenceBrokerRecord) -> None:
        before = self._registered(record.id, record.epoch)
        self._replace(before, before._replace(fenced=True))

    def replay_unfence(self, record: records.UnfenceBrokerRecord) -> None:
        before = self._registered(record.id, record.epoch)
        self._replace(before, before._replace(fenced=False))

    def replay_controller(self, record: records.RegisterControllerRecord) -> None:
        self.controllers[record.controller_id] = registration.controller_from_record(record)

    def _replace(self, before: Broker, after: Broker) -> None:
        if after != before:
            self.registrations[after.id] = after
            self._move_directories(after.id, before.directories, after.directories)
        self._heartbeats.register(after.id, after.fenced)

    def _registered(self, broker_id: int, broker_epoch: int) -> Broker:
        broker = self.registrations.get(broker_id)
        if broker is None or broker.epoch != broker_epoch:
            raise ValueError(f"no registration of broker {broker_id} with epoch {broker_epoch} to change")
        return broker

    def _move_directories(self, broker_id: int, before: tuple[bytes, ...], after: tuple[bytes, ...]) -> None:
        if before == after:
            return
        for directory_id in before:
            self.directories.pop(directory_id, None)
        for directory_id in after:
            owner = self.directories.get(directory_id)
            if owner is not None and owner != broker_id:
                raise ValueError(f"directory {directory_id.hex()} of broker {broker_id} belongs to broker {owner} already")
            self.directories[directory_id] = broker_id
