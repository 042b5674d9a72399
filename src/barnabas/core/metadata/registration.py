"""Brokers and controllers as the cluster's metadata knows them: endpoints, features, directories, fencing.

Immutable values and the records that make and change them. Source: Apache's `BrokerRegistration`, `ControllerRegistration`; C12-C19, C70, C76.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.metadata import directory_ids
from barnabas.wire.logs.cluster_metadata import BrokerRegistrationChangeRecord, RegisterBrokerRecord, RegisterControllerRecord

if TYPE_CHECKING:
    from collections.abc import Collection

FENCE = 1
UNFENCE = -1
IN_CONTROLLED_SHUTDOWN = 1


class Endpoint(NamedTuple):
    host: str
    port: int
    security_protocol: int
    """0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL."""


class Broker(NamedTuple):
    id: int
    epoch: int
    incarnation_id: bytes
    listeners: dict[str, Endpoint]
    features: dict[str, tuple[int, int]]
    """Feature -> (least, greatest) supported level."""
    rack: str | None
    fenced: bool
    in_controlled_shutdown: bool
    directories: tuple[bytes, ...]
    """The online log directories' ids, ascending."""
    cordoned_directories: tuple[bytes, ...] | None
    """None until the broker has told."""
    is_migrating_zk_broker: bool = False

    @property
    def is_active(self) -> bool:
        """May lead and join ISRs."""
        return not (self.fenced or self.in_controlled_shutdown)

    @property
    def has_uncordoned_directory(self) -> bool:
        if not self.directories or self.cordoned_directories is None:
            return True
        return any(directory not in self.cordoned_directories for directory in self.directories)

    def has_online(self, directory_id: bytes) -> bool:
        return directory_ids.is_online(directory_id, self.directories)

    def cordoned_differ_from(self, directories: Collection[bytes]) -> bool:
        return self.cordoned_directories is None or set(self.cordoned_directories) != set(directories)

    def changed_by(self, change: BrokerRegistrationChangeRecord) -> Broker:
        """ValueError for a value that 4.3.1 doesn't know."""
        if change.fenced not in (UNFENCE, 0, FENCE) or change.in_controlled_shutdown not in (0, IN_CONTROLLED_SHUTDOWN):
            raise ValueError(f"unknown fencing or shutdown change in {change!r}")
        return self._replace(
            fenced=change.fenced == FENCE if change.fenced else self.fenced,
            in_controlled_shutdown=bool(change.in_controlled_shutdown) or self.in_controlled_shutdown,
            directories=tuple(sorted(change.log_dirs)) if change.log_dirs else self.directories,
            cordoned_directories=self.cordoned_directories if change.cordoned_log_dirs is None else tuple(change.cordoned_log_dirs),
        )


class RegisteredController(NamedTuple):
    id: int
    incarnation_id: bytes
    zk_migration_ready: bool
    listeners: dict[str, Endpoint]
    features: dict[str, tuple[int, int]]


def broker_from_record(record: RegisterBrokerRecord) -> Broker:
    return Broker(
        id=record.broker_id,
        epoch=record.broker_epoch,
        incarnation_id=record.incarnation_id,
        listeners={point.name: Endpoint(point.host, point.port, point.security_protocol) for point in record.end_points},
        features={feature.name: (feature.min_supported_version, feature.max_supported_version) for feature in record.features},
        rack=record.rack,
        fenced=record.fenced,
        in_controlled_shutdown=record.in_controlled_shutdown,
        directories=tuple(sorted(record.log_dirs)),
        cordoned_directories=None if record.cordoned_log_dirs is None else tuple(record.cordoned_log_dirs),
        is_migrating_zk_broker=record.is_migrating_zk_broker,
    )


def broker_to_record(broker: Broker) -> RegisterBrokerRecord:
    return RegisterBrokerRecord(
        broker_id=broker.id,
        is_migrating_zk_broker=broker.is_migrating_zk_broker,
        incarnation_id=broker.incarnation_id,
        broker_epoch=broker.epoch,
        end_points=[
            RegisterBrokerRecord.BrokerEndpoint(name=name, host=point.host, port=point.port, security_protocol=point.security_protocol)
            for name, point in broker.listeners.items()
        ],
        features=[
            RegisterBrokerRecord.BrokerFeature(name=name, min_supported_version=least, max_supported_version=greatest)
            for name, (least, greatest) in broker.features.items()
        ],
        rack=broker.rack,
        fenced=broker.fenced,
        in_controlled_shutdown=broker.in_controlled_shutdown,
        log_dirs=list(broker.directories),
        cordoned_log_dirs=None if broker.cordoned_directories is None else list(broker.cordoned_directories),
    )


def controller_from_record(record: RegisterControllerRecord) -> RegisteredController:
    return RegisteredController(
        id=record.controller_id,
        incarnation_id=record.incarnation_id,
        zk_migration_ready=record.zk_migration_ready,
        listeners={point.name: Endpoint(point.host, point.port, point.security_protocol) for point in record.end_points},
        features={feature.name: (feature.min_supported_version, feature.max_supported_version) for feature in record.features},
    )


def controller_to_record(controller: RegisteredController) -> RegisterControllerRecord:
    return RegisterControllerRecord(
        controller_id=controller.id,
        incarnation_id=controller.incarnation_id,
        zk_migration_ready=controller.zk_migration_ready,
        end_points=[
            RegisterControllerRecord.ControllerEndpoint(name=name, host=point.host, port=point.port, security_protocol=point.security_protocol)
            for name, point in controller.listeners.items()
        ],
        features=[
            RegisterControllerRecord.ControllerFeature(name=name, min_supported_version=least, max_supported_version=greatest)
            for name, (least, greatest) in controller.features.items()
        ],
    )
