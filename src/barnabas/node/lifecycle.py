"""Starting a node and stopping it, in order (C11, M9).

Start of a node that is alone: configuration, locks, whose directories these are, the metadata log, the data logs, one batch of registration, then the
listeners open: nobody gets in before everything is there. Among others: the controllers' listener opens first, since they need one another to have a leader;
once the metadata is caught up with, the data logs are loaded, the broker registers, and clients get in when the controller has unfenced it.

Stop: controlled shutdown, nobody gets in any more, what waits is answered, logs are synced and closed, the promise of a clean stop, the locks. What goes wrong
at start ends it with one line that says where and what to do.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import TYPE_CHECKING, NamedTuple

from barnabas.core.controller.result import ApiError
from barnabas.core.metadata.delta import UnreplayableRecord
from barnabas.core.quorum.quorum import QuorumRefused
from barnabas.core.quorum.voters import Endpoint, Voter, VoterSet
from barnabas.node.broker_lifecycle import BrokerLifecycle, LocalBroker
from barnabas.node.call import clock_ms, steady_ms
from barnabas.node.config.node_config import InvalidNodeConfig, read_node_config
from barnabas.node.controller_channel import CONTROLLER_PATIENCE_MS, ControllerChannel
from barnabas.node.controller_host import ControllerHost
from barnabas.node.controller_registration import ControllerRegistration
from barnabas.node.coordinator import GroupCoordinators
from barnabas.node.death_watch import BrokerDeaths
from barnabas.node.directory_moves import DirectoryMoves
from barnabas.node.directory_reports import DirectoryReports
from barnabas.node.disk_duties import DiskDuties
from barnabas.node.forwarding import Forwarding
from barnabas.node.listener import bind
from barnabas.node.metadata_files import MetadataLogSettings
from barnabas.node.metadata_log import MetadataLog
from barnabas.node.metadata_snapshots import SnapshotRules
from barnabas.node.metadata_start import MetadataLogRefused, refuse_second_log, require_way_in
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
from barnabas.storage.log_directory import LogDirectory, LogDirectoryError, require_distinct, require_one_of_each
from barnabas.storage.meta_properties import MetaPropertiesEnsemble, MetaPropertiesError
from barnabas.storage.metadata_snapshot import SnapshotError
from barnabas.storage.quorum_state import QuorumStateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from barnabas.core.configs.addresses import Endpoint as Address
    from barnabas.core.quorum.peer_events import Peer
    from barnabas.node.config.node_config import NodeConfig
    from barnabas.node.console_log import ConsoleLog
    from barnabas.node.listener import Listener

_PLAINTEXT = 0
_SWITCH_INTERVAL_S = 0.0005
_SHUTDOWN_TIMEOUT_S = 60
_FAREWELL_S = 1.0  # a leader of the quorum that goes tells the others; those who are away themselves don't hear it
_STOP_CHECK_S = 0.05
_PATIENCE_S = 5.0
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
    """A node that serves, or is about to. `stop` ends it in order."""

    def __init__(self, node: Node, metadata_lock: DirectoryLock | None) -> None:
        self.node = node
        self.is_stopping = False
        self.bringing_up: threading.Thread | None = None
        """While the node waits for its quorum and loads its logs."""
        self.is_broker = False
        """It takes part as a broker."""
        self._metadata_lock = metadata_lock

    def stop(self) -> None:
        node = self.node
        self.is_stopping = True
        if self.bringing_up is not None:
            self.bringing_up.join(_SHUTDOWN_TIMEOUT_S)
        if self.is_broker and node.config.quorum.controlled_shutdown:
            _wait_for(node.broker.shut_down, _SHUTDOWN_TIMEOUT_S)
        node.network.stop_accepting()
        _wait_for(node.controller.resign, _FAREWELL_S)
        node.network.stop()
        node.groups.stop()
        node.moves.stop()
        node.disk.stop()
        try:
            node.controller.stop()
        except (StorageError, OSError) as error:  # on a full disk, for instance; everything else is closed all the same
            node.log_warning(f"{error}. The metadata log is checked at the next start.")
        node.replicas.close(node.broker.epoch)
        if self._metadata_lock is not None:
            self._metadata_lock.release()


def _wait_for(step: Callable[[Callable[[], object]], object], timeout_s: float) -> None:
    """Until `step` calls what it is given, or for so long."""
    done = threading.Event()
    step(done.set)
    done.wait(timeout_s)


def start(path: str, overrides: Sequence[str], on_stop: Callable[[int], object], log: ConsoleLog) -> Running:
    """Start a node from the server.properties at `path`. `on_stop(exit status)`: something happened after which it must stop. Raises CannotStart."""
    try:
        config = read_node_config(path, overrides)
    except InvalidNodeConfig as error:
        raise CannotStart("\n".join(error.problems)) from None
    try:
        return _start(config, on_stop, log)
    except _REFUSALS as error:
        raise CannotStart(_told(error)) from error


def _told(error: Exception) -> str:
    """What is wrong, and of a full disk what to do."""
    text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, OSError) and cause.errno in NO_ROOM:
        text += ". The disk is full: make room on it, then start the node again. What was acknowledged is kept."
    return text


def _start(config: NodeConfig, on_stop: Callable[[int], object], log: ConsoleLog) -> Running:
    began_ms = clock_ms()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    disks = _open_disks(config)
    node = Node(config, disks.cluster_id, on_stop, log)
    for warning in config.warnings:
        node.log_warning(warning)
    for directory in disks.directories:
        for repaired in directory.files.repaired if directory.is_online else ():
            node.log_warning(f"Rebuilt an unreadable checkpoint: {repaired}")
    starting = _Starting(config, node, disks, on_stop, began_ms)
    starting.make_parts()
    if node.controller.quorum.is_alone and "broker" in config.roles:
        starting.alone()
    else:
        starting.among_others()
    return starting.running


class _Disks(NamedTuple):
    cluster_id: str
    metadata_id: bytes
    directories: list[Directory]
    failed: dict[str, Exception]
    previous_epoch: int
    metadata_lock: DirectoryLock | None


def _open_disks(config: NodeConfig) -> _Disks:
    """Whose directories these are, and their locks. A node that is no broker has only the metadata's."""
    paths = list(config.logs.directories) if "broker" in config.roles else []
    metadata_directory = config.logs.metadata_directory
    require_distinct(paths)
    ensemble = MetaPropertiesEnsemble.load(dict.fromkeys([*paths, metadata_directory]))
    ensemble.verify_for_start(metadata_directory, None, config.node_id)
    ensemble.complete_directory_ids()
    properties = ensemble.found[metadata_directory]
    refuse_second_log(paths, metadata_directory)
    failed: dict[str, Exception] = {path: MetaPropertiesError(why) for path, why in ensemble.failed.items()}
    previous_epoch = previous_broker_epoch(path for path in paths if path not in failed)
    directories = [_open_directory(path, ensemble, failed) for path in paths]
    _require_usable(directories, metadata_directory, failed)
    metadata_lock = None if metadata_directory in paths else DirectoryLock(metadata_directory)
    require_one_of_each([directory.files for directory in directories if directory.is_online], clock_ms())
    return _Disks(properties.cluster_id or "", properties.directory_id or b"", directories, failed, previous_epoch, metadata_lock)


class _Starting:
    """The steps of a start, and what they share."""

    def __init__(self, config: NodeConfig, node: Node, disks: _Disks, on_stop: Callable[[int], object], began_ms: int) -> None:
        self.config = config
        self.node = node
        self.disks = disks
        self.on_stop = on_stop
        self.began_ms = began_ms
        self.is_broker = "broker" in config.roles
        self.listeners = _bind(config)
        self.local = LocalBroker(
            _advertised(config.listeners.advertised, self.listeners),
            _advertised(config.listeners.advertised_controllers, self.listeners) if "controller" in config.roles else [],
            disks.previous_epoch,
        )
        self.running = Running(node, disks.metadata_lock)

    def make_parts(self) -> None:
        """Everything that a node consists of, the metadata log loaded, nothing running."""
        node, config = self.node, self.config
        node.in_sync = InSync(node)
        node.fetchers = Fetchers(node)
        node.moves = DirectoryMoves(node)
        node.replicas = Replicas(
            lambda: node.config, self.disks.directories, node.on_storage_error, node.on_directory_error, node.in_sync, node.fetchers, node.moves
        )
        node.network = Network(node, Router())
        node.groups = GroupCoordinators(node)
        node.controller = host = ControllerHost(node, config.logs.metadata_directory)
        node.controllers = ControllerChannel(node, CONTROLLER_PATIENCE_MS)
        node.forwarding = Forwarding(node)
        node.broker = BrokerLifecycle(node, self.local)
        node.controller_registration = ControllerRegistration(node, self.local.controller_listeners)
        host.on_leader_change = node.on_leader_change
        if "controller" in config.roles:
            node.broker_deaths = BrokerDeaths(node)
        node.directory_reports = DirectoryReports(node)
        node.producer_ids = ProducerIds(node)
        node.disk = DiskDuties(node)
        endpoints = tuple(Endpoint(name, address, port) for name, address, port, _ in self.local.controller_listeners)
        voter = Voter(config.node_id, self.disks.metadata_id, endpoints)
        listener = config.listeners.controllers[0]
        bootstrap = _bootstrap(config)
        host.quorum = MetadataLog(
            config.logs.metadata_directory,
            voter,
            VoterSet(Voter(voter_id, endpoints=(Endpoint(listener, *place),)) for voter_id, place in config.voters.items()),
            _metadata_settings(config),
            host,
            host.loop,
            steady_ms,
            node.on_loop_error,
            cluster_id=node.cluster_id,
            bootstrap=bootstrap,
            quorum_settings=config.quorum.protocol,
            random_below=lambda bound: int.from_bytes(os.urandom(4), "big") % bound,
        )
        require_way_in(voter, host.quorum.quorum.voters, has_bootstrap=bool(bootstrap), is_controller="controller" in config.roles)
        host.quorum.on_snapshot_failure = lambda error: node.log_warning(f"A snapshot of the metadata could not be written: {error}")
        host.quorum.on_contradiction = node.log_error
        loaded = host.loader.publish()
        if loaded is not None:
            node.adopt(loaded[1])

    def alone(self) -> None:
        """The only controller, and a broker: all that is to be written is known now, and nobody else is needed for it."""
        node, host = self.node, self.node.controller
        self._load_replicas()
        host.quorum.start()
        node.adopt(host.loader.image)
        unassigned = node.replicas.catch_up(node.image, self.config.node_id)
        host.begin()
        host.run()
        self.running.is_broker = True
        node.broker.start(is_ready=True)
        node.controller_registration.start()
        if unassigned:
            node.directory_reports.report([(p.topic_id, p.index, p.directory_id) for p in unassigned])
        node.groups.start()
        node.groups.catch_up(node.image, self.config.node_id)
        node.disk.start()
        node.network.start()
        host.publisher.loop.call(node.fetchers.start)
        node.in_sync.start()
        self._listen(self.listeners)
        node.network.follow_configuration()
        self._say_started()

    def among_others(self) -> None:
        """Take part in the quorum at once; the rest follows when it is known what the cluster is, on a thread of its own."""
        node, host = self.node, self.node.controller
        self._caught_up = threading.Event()
        host.on_caught_up = self._caught_up.set
        node.groups.start()
        node.disk.start()
        node.network.start()
        self._listen([listener for listener in self.listeners if listener.is_controller])
        host.loop.call(host.quorum.start)
        host.run()
        self.running.bringing_up = threading.Thread(target=self._bring_up, name="start", daemon=True)
        self.running.bringing_up.start()

    def _bring_up(self) -> None:
        try:
            self._catch_up_and_serve()
        except _Stopping:
            pass
        except (*_REFUSALS, CannotStart) as error:
            self.node.log_error(_told(error))
            self.on_stop(1)

    def _catch_up_and_serve(self) -> None:
        node, host = self.node, self.node.controller
        patience_ms = self.config.quorum.registration_timeout_ms if self.is_broker else None
        began_ms = steady_ms()
        self._wait(
            self._caught_up, "the active controller: no leader of the metadata quorum is known, or nothing of it is committed yet", patience_ms
        )
        searched_ms = steady_ms() - began_ms
        node.adopt(host.loader.image)
        if self.is_broker:
            self._load_replicas()
        live, unfenced = threading.Event(), threading.Event()
        host.go_live(live.set)
        self._wait(live, "its replicas to be there")
        if "controller" in self.config.roles:
            node.controller_registration.start()
        if self.is_broker:
            node.in_sync.start()
            self.running.is_broker = True
            node.broker.on_running = unfenced.set
            node.broker.start(is_ready=True, within_ms=None if patience_ms is None else patience_ms - searched_ms)
            self._wait(unfenced, "the active controller to let this broker in")
            self._listen([listener for listener in self.listeners if not listener.is_controller])
            node.network.follow_configuration()
        self._say_started()

    def _wait(self, event: threading.Event, whom: str, patience_ms: int | None = None) -> None:
        """Raises _Stopping when the node is to stop before it is up, CannotStart when it is to wait no longer."""
        waited_s = 0.0
        while not event.wait(_STOP_CHECK_S):
            if self.running.is_stopping:
                raise _Stopping
            waited_s += _STOP_CHECK_S
            if patience_ms is not None and waited_s * 1000 >= patience_ms:
                raise CannotStart(f"Shutting down after initial.broker.registration.timeout.ms={patience_ms}, still waiting for {whom}.")
            if waited_s >= _PATIENCE_S:
                self.node.warn_seldom("start", f"Still waiting for {whom}.")

    def _load_replicas(self) -> None:
        """Open the logs of this node's partitions, and say what is in the way of some."""
        node, disks = self.node, self.disks
        node.replicas.load(node.image)
        disks.failed.update(node.replicas.failed)
        _require_usable(disks.directories, self.config.logs.metadata_directory, disks.failed)
        self.local.directories = [directory.id for directory in disks.directories if directory.is_online]
        for stray in node.replicas.strays:
            node.log_warning(f"{stray} isn't a replica of this cluster; it is kept and not served. Remove it when you don't need it.")
        for path, error in disks.failed.items():
            node.log_error(
                f"Starting without {path}, whose partitions are offline: {_told(error).rstrip('.')}. Repair it, then start the node again."
            )

    def _listen(self, listeners: Sequence[Listener]) -> None:
        for listener in listeners:
            self.node.network.listen(listener, self.config.network.backlog)

    def _say_started(self) -> None:
        where = ", ".join(f"{listener.name}://{listener.host or '0.0.0.0'}:{listener.port}" for listener in self.listeners)
        node_id, cluster_id = self.config.node_id, self.node.cluster_id
        self.node.log_info(f"Kafka Server started: node {node_id} of cluster {cluster_id} on {where}, {clock_ms() - self.began_ms} ms")


class _Stopping(Exception):
    """The node is to stop before it is up."""


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
    if directories and not any(directory.is_online for directory in directories):
        raise next(iter(failed.values()))


def _bind(config: NodeConfig) -> list[Listener]:
    controllers = set(config.listeners.controllers)
    try:
        return [bind(found, config.network, is_controller=found.name in controllers) for found in config.listeners.bound]
    except OSError as error:
        raise CannotStart(error.strerror) from None


def _advertised(endpoints: Sequence[Address], listeners: list[Listener]) -> list[tuple[str, str, int, int]]:
    """(name, host, port, security protocol) with the gaps filled: this machine's name, the port that was bound."""
    ports = {listener.name: listener.port for listener in listeners}
    return [(found.name, found.host or socket.getfqdn(), found.port or ports[found.name], _PLAINTEXT) for found in endpoints]


def _bootstrap(config: NodeConfig) -> list[Peer]:
    """Whom to ask for the leader: static voters, or the bootstrap servers (Q14). A node that is its only voter asks nobody."""
    if set(config.voters) == {config.node_id} or not (config.voters or config.bootstrap_servers):
        return []
    from barnabas.core.quorum.peer_events import Peer

    if config.voters:
        return [Peer(voter_id, *place) for voter_id, place in config.voters.items()]
    return [Peer(-2 - number, *place) for number, place in enumerate(config.bootstrap_servers)]


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
