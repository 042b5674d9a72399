"""BrokerRegistration, ControllerRegistration and UnregisterBroker at the controller (C12-C19, C25).

Source: Apache's `ClusterControlManager.registerBroker`, `ReplicationControlManager.handleBrokerShutdown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.core.controller.elections import leader_and_isr_updates
from barnabas.core.controller.result import ApiError, Result
from barnabas.core.metadata.directory_ids import is_reserved
from barnabas.core.metadata.features import METADATA_VERSION, MV_3_7_IV0_CONTROLLER_REGISTRATION, MV_3_7_IV2_DIRECTORY_ASSIGNMENT
from barnabas.wire.errors import Error
from barnabas.wire.logs.cluster_metadata import RegisterBrokerRecord, RegisterControllerRecord, UnregisterBrokerRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barnabas.core.controller.controller import Controller
    from barnabas.core.metadata.registration import Broker
    from barnabas.wire.messages.broker_registration import BrokerRegistrationRequest
    from barnabas.wire.messages.controller_registration import ControllerRegistrationRequest
    from barnabas.wire.schema import Message

_FIRST_VERSION_WITH_PREVIOUS_EPOCH = 3


def register_broker(controller: Controller, request: BrokerRegistrationRequest, version: int, now_ms: int) -> Result:
    """BrokerRegistration (62). The response is the broker's epoch."""
    existing = controller.brokers.registrations.get(request.broker_id)
    is_same_incarnation = existing is not None and existing.incarnation_id == request.incarnation_id
    if existing is not None and not is_same_incarnation and _is_gone(controller, existing, request, now_ms):
        controller.heartbeats.end_session(existing.id, existing.epoch)
    _check_registration(controller, request, existing, is_same_incarnation, now_ms)
    record = _registration_record(controller, request)
    records: list[Message] = []
    if existing is not None and is_same_incarnation:
        record.fenced = existing.fenced
        record.in_controlled_shutdown = existing.in_controlled_shutdown
        record.broker_epoch = existing.epoch
    else:
        stored_epoch = -2 if existing is None else existing.epoch
        was_clean = version >= _FIRST_VERSION_WITH_PREVIOUS_EPOCH and request.previous_broker_epoch == stored_epoch
        records = _leave_everything(controller, request.broker_id, was_clean)
        record.broker_epoch = controller.next_write_offset
        controller.heartbeats.remove(request.broker_id)
    controller.heartbeats.register(request.broker_id, record.fenced)
    # The registration comes last: if only a part of the records survives, the broker registers again and the rest is made again.
    return Result([*records, record], record.broker_epoch, is_atomic=False)


def _is_gone(controller: Controller, existing: Broker, request: BrokerRegistrationRequest, now_ms: int) -> bool:
    """Whether the incarnation before is known to be: this one has its directories' locks, and that one didn't come to this controller (O3).

    After the whole cluster was lost, nobody waits for sessions of processes that are no more.
    """
    if not controller.settings.end_session_on_shutdown or request.cluster_id != controller.settings.cluster_id:
        return False
    return set(request.log_dirs) == set(existing.directories) and controller.heartbeats.is_missing(existing.id, existing.epoch, now_ms)


def _check_registration(
    controller: Controller, request: BrokerRegistrationRequest, existing: Broker | None, is_same_incarnation: bool, now_ms: int
) -> None:
    if request.cluster_id != controller.settings.cluster_id:
        raise ApiError(
            Error.INCONSISTENT_CLUSTER_ID, f"This is cluster {controller.settings.cluster_id}; broker {request.broker_id} wants {request.cluster_id}."
        )
    if existing is not None and not is_same_incarnation and controller.heartbeats.has_session(existing.id, existing.epoch, now_ms):
        raise ApiError(
            Error.DUPLICATE_BROKER_REGISTRATION,
            f"Another process is broker {existing.id}, or was until a moment ago; its session ends {controller.settings.session_timeout_ms} ms "
            "after its last heartbeat.",
        )
    if request.is_migrating_zk_broker:
        raise ApiError(Error.BROKER_ID_NOT_REGISTERED, "Brokers that use ZooKeeper can't register.")
    if controller.features.level >= MV_3_7_IV2_DIRECTORY_ASSIGNMENT:
        _check_directories(controller, request.broker_id, request.log_dirs)
    ranges = {feature.name: (feature.min_supported_version, feature.max_supported_version) for feature in request.features}
    finalized = controller.features.finalized()
    for name, bounds in ranges.items():
        _check_level(request.broker_id, name, finalized.get(name, 0), bounds)
    if METADATA_VERSION not in ranges:
        raise ApiError(Error.INVALID_REGISTRATION, f"The registration doesn't say which {METADATA_VERSION} the broker supports.")
    for name, level in finalized.items():
        if level != 0 and name not in ranges:
            _check_level(request.broker_id, name, level, (0, 0))


def _check_level(broker_id: int, name: str, level: int, bounds: tuple[int, int]) -> None:
    least, greatest = bounds
    if not least <= level <= greatest:
        raise ApiError(Error.UNSUPPORTED_VERSION, f"{name} is at level {level}; broker {broker_id} supports {least} to {greatest}.")


def _check_directories(controller: Controller, broker_id: int, directories: Sequence[bytes]) -> None:
    if not directories:
        raise ApiError(Error.INVALID_REGISTRATION, f"Broker {broker_id} names no log directory.")
    if any(is_reserved(directory) for directory in directories):
        raise ApiError(Error.INVALID_REGISTRATION, f"Broker {broker_id} names a reserved log directory id.")
    if len(set(directories)) != len(directories):
        raise ApiError(Error.INVALID_REGISTRATION, f"Broker {broker_id} names a log directory id twice.")
    for directory in directories:
        owner = controller.brokers.directories.get(directory)
        if owner is not None and owner != broker_id:
            raise ApiError(Error.INVALID_REGISTRATION, f"Log directory {directory.hex()} of broker {broker_id} belongs to broker {owner}.")


def _registration_record(controller: Controller, request: BrokerRegistrationRequest) -> RegisterBrokerRecord:
    return RegisterBrokerRecord(
        broker_id=request.broker_id,
        broker_epoch=-1,
        incarnation_id=request.incarnation_id,
        end_points=[
            RegisterBrokerRecord.BrokerEndpoint(name=point.name, host=point.host, port=point.port, security_protocol=point.security_protocol)
            for point in request.listeners
        ],
        features=[
            RegisterBrokerRecord.BrokerFeature(
                name=feature.name, min_supported_version=feature.min_supported_version, max_supported_version=feature.max_supported_version
            )
            for feature in request.features
        ],
        rack=request.rack,
        log_dirs=list(request.log_dirs) if controller.features.level >= MV_3_7_IV2_DIRECTORY_ASSIGNMENT else [],
    )


def _leave_everything(controller: Controller, broker_id: int, was_clean: bool) -> list[Message]:
    """A new process took the id: what its predecessor was trusted with ends (C14)."""
    topics = controller.topics
    if controller.features.elr_enabled and not was_clean:
        in_isr = leader_and_isr_updates(controller, topics.in_isr.of(broker_id), unclean_shutdown=broker_id)
        return in_isr + leader_and_isr_updates(controller, topics.in_elr.of(broker_id), unclean_shutdown=broker_id)
    return leader_and_isr_updates(controller, topics.in_isr.of(broker_id), remove=broker_id)


def register_controller(controller: Controller, request: ControllerRegistrationRequest) -> Result:
    """ControllerRegistration (70). The response is None."""
    if controller.features.level < MV_3_7_IV0_CONTROLLER_REGISTRATION:
        raise ApiError(Error.UNSUPPORTED_VERSION, "The current MetadataVersion is too old to support controller registrations.")
    record = RegisterControllerRecord(
        controller_id=request.controller_id,
        incarnation_id=request.incarnation_id,
        zk_migration_ready=False,
        end_points=[
            RegisterControllerRecord.ControllerEndpoint(name=point.name, host=point.host, port=point.port, security_protocol=point.security_protocol)
            for point in request.listeners
        ],
        features=[
            RegisterControllerRecord.ControllerFeature(
                name=feature.name, min_supported_version=feature.min_supported_version, max_supported_version=feature.max_supported_version
            )
            for feature in request.features
        ],
    )
    return Result([record], None)


def unregister_broker(controller: Controller, broker_id: int) -> Result:
    """UnregisterBroker (64): out of every ISR and ELR; its replicas stay assigned. The response is None."""
    existing = controller.brokers.registrations.get(broker_id)
    if existing is None:
        raise ApiError(Error.BROKER_ID_NOT_REGISTERED, f"Broker ID {broker_id} is not currently registered")
    records = leader_and_isr_updates(controller, controller.topics.in_isr.of(broker_id), remove=broker_id)
    records += leader_and_isr_updates(controller, controller.topics.in_elr.of(broker_id), remove=broker_id)
    records.append(UnregisterBrokerRecord(broker_id=broker_id, broker_epoch=existing.epoch))
    controller.check_record_count(records)
    return Result(records, None, is_atomic=False)
