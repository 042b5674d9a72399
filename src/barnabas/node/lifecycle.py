"""Starting a node and stopping it, in order (C11, M9).

Start: configuration, locks, whose directories these are, the metadata log, the data logs, one batch of registration, then the listeners open: nobody gets
in before everything is there. Stop: controlled shutdown, nobody gets in any more, what waits is answered, logs are synced and closed, the promise of a clean
stop, the locks. What goes wrong at start ends it with one line that says where and what to do.
"""

from __future__ import annotations

import socket
import sys
import threading
from typing import TYPE_CHECKING

from barnabas.core.controller.result import ApiError
from barnabas.core.metadata.delta import UnreplayableRecord
from barnabas.core.quorum.quorum import QuorumRefused
from barnabas.core.quorum.voters import Endpoint, Voter, VoterSet
from barnabas.node.broker_lifecycle import BrokerLifecycle, LocalBroker
from barnabas.node.call import clock_ms
from barnabas.node.config.node_config import InvalidNodeConfig, read_node_config
from barnabas.node.controller_channel import ControllerChannel
from barnabas.node.controller_host import ControllerHost
from barnabas.node.coordinator import GroupCoordinators
from barnabas.node.directory_reports import DirectoryReports
from barnabas.node.disk_duties import DiskDuties
from barnabas.node.listener import Listener
from barnabas.node.metadata_log import MetadataLog, MetadataLogSettings
from barnabas.node.metadata_snapshots import SnapshotRules
from barnabas.node.metadata_start import MetadataLogRefused, refuse_second_log
from barnabas.node.network import Network
from barnabas.node.producer_ids import ProducerIds
from barnabas.node.replicas import Directory, Replicas
from barnabas.node.replication.fetchers import Fetchers
from barnabas.node.replication.in_sync import InSync
from barnabas.node.router import Router
from barnabas.node.server import Node
from barnabas.storage.clean_shutdown import previous_broker_epoch
from barnabas.storage.directory_lock import DirectoryLock, DirectoryLockedError
from barnabas.storage.errors import FULL, NO_ROOM, StorageError
from barnabas.storage.log_directory import LogDirectory, LogDirectoryError, require_distinct, require_no_duplicates
from barnabas.storage.meta_properties import MetaPropertiesEnsemble, MetaPropertiesError
from barnabas.storage.metadata_snapshot import SnapshotError
from barnabas.storage.quorum_state import QuorumStateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.core.configs.addresses import Endpoint as Address
    from barnabas.node.config.node_config import NodeConfig

_PLAINTEXT = 0
_SWITCH_INTERVAL_S = 0.0005
_SHUTDOWN_TIMEOUT_S = 60
_REFUSALS = (
    LogDirectoryError,
    MetaPropertiesError,
    DirectoryLockedError,
    MetadataLogRefused,
    QuorumRefused,
    SnapshotError,
    QuorumStateError,
    StorageError,
    ApiError,
    UnreplayableRecord,
    OSError,
)


class CannotStart(Exception):
    """The node must not start; the text says why, and what to do."""


class Running:
    """A node that serves. `stop` ends it in order."""

    def __init__(self, node: Node, metadata_lock: DirectoryLock | None) -> None:
        self.node = node
        self._metadata_lock = metadata_lock

    def stop(self) -> None:
        node = self.node
        handed_over = threading.Event()
        node.broker.shut_down(handed_over.set)
        handed_over.wait(_SHUTDOWN_TIMEOUT_S)
        node.network.stop_accepting()
        node.network.stop()
        node.groups.stop()
        node.disk.stop()
        try:
            node.controller.stop()
        except (StorageError, OSError) as error:  # on a full disk, for instance; everything else is closed all the same
            node.log_warning(f"{error}. The metadata log is checked at the next start.")
        node.replicas.close(node.broker.epoch)
        if self._metadata_lock is not None:
            self._metadata_lock.release()


def start(path: str, overrides: Sequence[str], on_stop: Callable[[int], object]) -> Running:
    """Start a node from the server.properties at `path`. `on_stop(exit status)`: something happened after which it must stop. Raises CannotStart."""
    try:
        config = read_node_config(path, overrides)
    except InvalidNodeConfig as error:
        raise CannotStart("\n".join(error.problems)) from None
    try:
        return _start(config, on_stop)
    except _REFUSALS as error:
        raise CannotStart(_told(error)) from error


def _told(error: Exception) -> str:
    """What is wrong, and of a full disk what to do."""
    text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, OSError) and cause.errno in NO_ROOM:
        text += ". The disk is full: make room on it, then start the node again. What was acknowledged is kept."
    return text


def _start(config: NodeConfig, on_stop: Callable[[int], object]) -> Running:
    began_ms = clock_ms()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    paths = list(config.logs.directories)
    metadata_directory = config.logs.metadata_directory
    require_distinct(paths)
    ensemble = MetaPropertiesEnsemble.load(dict.fromkeys([*paths, metadata_directory]))
    ensemble.verify_for_start(metadata_directory, None, config.node_id)
    ensemble.complete_directory_ids()
    metadata_id = ensemble.found[metadata_directory].directory_id or b""
    cluster_id = ensemble.found[metadata_directory].cluster_id or ""
    refuse_second_log(paths, metadata_directory)
    failed: dict[str, Exception] = {path: MetaPropertiesError(why) for path, why in ensemble.failed.items()}
    previous_epoch = previous_broker_epoch(path for path in paths if path not in failed)
    directories = [_open_directory(path, ensemble, failed) for path in paths]
    _require_usable(directories, metadata_directory, failed)
    online = [directory for directory in directories if directory.is_online]
    metadata_lock = None if metadata_directory in paths else DirectoryLock(metadata_directory)
    require_no_duplicates(entry for directory in online for entry in directory.files.partitions())

    node = Node(config, cluster_id, on_stop)
    for warning in config.warnings:
        node.log_warning(warning)
    for directory in online:
        for repaired in directory.files.repaired:
            node.log_warning(f"Rebuilt an unreadable checkpoint: {repaired}")
    listeners = _bind(config)
    local = LocalBroker(
        _advertised(config.listeners.advertised, listeners),
        _advertised(config.listeners.advertised_controllers, listeners),
        previous_epoch,
    )
    node.in_sync = InSync(node)
    node.fetchers = Fetchers(node)
    node.replicas = Replicas(lambda: node.config, directories, node.on_storage_error, node.on_directory_error, node.in_sync, node.fetchers)
    node.groups = GroupCoordinators(node)
    node.controller = host = ControllerHost(node, metadata_directory, local)
    node.controllers = ControllerChannel(node)
    node.broker = BrokerLifecycle(node, host.loop, ControllerChannel(node), local)
    node.directory_reports = DirectoryReports(node)
    node.producer_ids = ProducerIds(node)
    host.quorum = MetadataLog(
        metadata_directory,
        Voter(config.node_id, metadata_id, tuple(Endpoint(name, address, port) for name, address, port, _ in local.controller_listeners)),
        VoterSet(Voter(voter_id, endpoints=(Endpoint(config.listeners.controllers[0], *place),)) for voter_id, place in config.voters.items()),
        _metadata_settings(config),
        host,
        host.loop,
        clock_ms,
        node.on_loop_error,
        cluster_id=node.cluster_id,
    )
    host.quorum.on_snapshot_failure = lambda error: node.log_warning(f"A snapshot of the metadata could not be written: {error}")
    loaded = host.loader.publish()
    if loaded is not None:
        node.adopt(loaded[1])
    node.replicas.load(node.image)
    failed.update(node.replicas.failed)
    _require_usable(directories, metadata_directory, failed)
    local.directories = [directory.id for directory in directories if directory.is_online]
    for stray in node.replicas.strays:
        node.log_warning(f"{stray} isn't a replica of this cluster; it is kept and not served. Remove it when you don't need it.")
    host.quorum.start()
    node.adopt(host.loader.image)
    unassigned = node.replicas.catch_up(node.image, config.node_id)
    host.begin()
    for path, error in failed.items():
        node.log_error(f"Starting without {path}, whose partitions are offline: {_told(error).rstrip('.')}. Repair it, then start the node again.")
    node.network = Network(node, Router())
    node.disk = DiskDuties(node)
    host.run()
    node.broker.start(is_ready=True)
    if unassigned:
        node.directory_reports.report([(p.topic_id, p.index, p.directory_id) for p in unassigned])
    node.groups.start()
    node.groups.catch_up(node.image, config.node_id)
    node.disk.start()
    node.network.start()
    host.loop.call(node.fetchers.start)
    node.in_sync.start()
    for listener in listeners:
        node.network.listen(listener, config.network.backlog)
    where = ", ".join(f"{listener.name}://{listener.host or '0.0.0.0'}:{listener.port}" for listener in listeners)
    node.log_info(f"Kafka Server started: node {config.node_id} of cluster {cluster_id} on {where}, {clock_ms() - began_ms} ms")
    return Running(node, metadata_lock)


def _open_directory(path: str, ensemble: MetaPropertiesEnsemble, failed: dict[str, Exception]) -> Directory:
    """One directory of log.dirs; what is wrong with it goes into `failed`. Raises what isn't its disk's fault, or is want of room."""
    properties = ensemble.found.get(path)
    directory_id = (properties.directory_id if properties is not None else None) or b""
    if path not in failed:
        try:
            return Directory(path, LogDirectory(path), directory_id)
        except DirectoryLockedError:
            raise
        except OSError as error:
            if error.errno in FULL:
                raise
            failed[path] = error
    return Directory(path, None, directory_id)


def _require_usable(directories: Sequence[Directory], metadata_directory: str, failed: dict[str, Exception]) -> None:
    """Raise what is wrong when there is no metadata directory, or none for data (D7)."""
    if metadata_directory in failed:
        raise failed[metadata_directory]
    if not any(directory.is_online for directory in directories):
        raise next(iter(failed.values()))


def _bind(config: NodeConfig) -> list[Listener]:
    controllers = set(config.listeners.controllers)
    network = config.network
    found: list[Listener] = []
    for bound in config.listeners.bound:
        try:
            found.append(
                Listener(
                    bound.name,
                    bound.host,
                    bound.port,
                    is_controller=bound.name in controllers,
                    send_buffer_bytes=network.send_buffer_bytes,
                    receive_buffer_bytes=network.receive_buffer_bytes,
                )
            )
        except OSError as error:
            raise CannotStart(
                f"listeners: cannot bind {bound.name}://{bound.host}:{bound.port}: {error.strerror or error}. Stop what uses the port, or choose another one."
            ) from None
    return found


def _advertised(endpoints: Sequence[Address], listeners: list[Listener]) -> list[tuple[str, str, int, int]]:
    """(name, host, port, security protocol) with the gaps filled: this machine's name, the port that was bound."""
    ports = {listener.name: listener.port for listener in listeners}
    return [(found.name, found.host or socket.getfqdn(), found.port or ports[found.name], _PLAINTEXT) for found in endpoints]


def _metadata_settings(config: NodeConfig) -> MetadataLogSettings:
    quorum = config.quorum
    return MetadataLogSettings(
        segment_bytes=quorum.segment_bytes,
        segment_ms=quorum.segment_ms,
        snapshots=SnapshotRules(
            max_bytes_between=quorum.max_bytes_between_snapshots,
            max_interval_ms=quorum.max_snapshot_interval_ms,
            max_retention_bytes=quorum.max_retention_bytes,
            max_retention_ms=quorum.max_retention_ms,
            delete_delay_ms=quorum.snapshot_delete_delay_ms,
        ),
    )
