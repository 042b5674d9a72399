"""Node: a broker and controller in one process. Holds its parts together; starting and stopping them in order is `lifecycle`.

What handlers may ask of a node is here: the metadata image, partitions, settings, the controller. Nothing here waits.
"""

from __future__ import annotations

import os
from errno import EMFILE, ENFILE
from threading import Lock
from typing import TYPE_CHECKING

from barnabas.core.fetch_sessions import MOST_PARTITIONS, SessionCache
from barnabas.core.metadata.image import BROKER, EMPTY, TOPIC
from barnabas.node.auto_topics import AutoTopics
from barnabas.node.call import clock_ms
from barnabas.node.console_log import DEBUG, ERROR, INFO, WARN, ConsoleLog
from barnabas.node.replication.throttle import Throttles
from barnabas.node.topic_views import INTERNAL_TOPICS
from barnabas.storage.errors import FULL, StorageError
from barnabas.wire.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable

    from barnabas.core.configs.topic_settings import TopicSettings
    from barnabas.core.metadata.delta import MetadataDelta
    from barnabas.core.metadata.image import MetadataImage
    from barnabas.node.broker_lifecycle import BrokerLifecycle
    from barnabas.node.config.node_config import NodeConfig
    from barnabas.node.controller_channel import ControllerChannel
    from barnabas.node.controller_host import ControllerHost
    from barnabas.node.controller_registration import ControllerRegistration
    from barnabas.node.coordinator import GroupCoordinators
    from barnabas.node.death_watch import BrokerDeaths
    from barnabas.node.directory_moves import DirectoryMoves
    from barnabas.node.directory_reports import DirectoryReports
    from barnabas.node.disk_duties import DiskDuties
    from barnabas.node.forwarding import Forwarding
    from barnabas.node.handlers.metadata import AllTopics
    from barnabas.node.network import Network
    from barnabas.node.partition import Partition
    from barnabas.node.producer_ids import ProducerIds
    from barnabas.node.replicas import Directory, Replicas
    from barnabas.node.replication.fetchers import Fetchers
    from barnabas.node.replication.in_sync import InSync

_WARN_AGAIN_MS = 10_000
_SESSION_EVICTION_MS = 120_000
_ADMIN_CLIENT = "__admin_client"  # the name under which Kafka's own tools may write internal topics


class Node:
    broker: BrokerLifecycle
    controller: ControllerHost
    controller_registration: ControllerRegistration
    controllers: ControllerChannel
    directory_reports: DirectoryReports
    disk: DiskDuties
    fetchers: Fetchers
    forwarding: Forwarding
    groups: GroupCoordinators
    in_sync: InSync
    moves: DirectoryMoves
    network: Network
    producer_ids: ProducerIds
    replicas: Replicas

    def __init__(self, config: NodeConfig, cluster_id: str, stop: Callable[[int], object], log: ConsoleLog) -> None:
        """`stop(exit status)` ends the process in order; it may be called from any thread."""
        self.static_config = config
        self.config = config
        self.cluster_id = cluster_id
        self.image: MetadataImage = EMPTY
        log.name = f"node {config.node_id}"
        self.log = log
        self.stop = stop
        self.fetch_sessions_lock = Lock()
        self.fetch_sessions = SessionCache(
            config.replication.fetch_session_slots, _SESSION_EVICTION_MS, lambda: int.from_bytes(os.urandom(4), "big") & 0x7FFFFFFF
        )
        self._parked = 0
        self.auto_topics = AutoTopics(self)
        self.throttles = Throttles(config.throttling)
        self.broker_deaths: BrokerDeaths | None = None  # a controller's
        self.all_topics: AllTopics | None = None
        self._settings: dict[str, TopicSettings] = {}
        self._going: set[bytes] = set()  # topics that the next image hasn't: their replicas go before it is shown
        self._warned_ms: dict[str, int] = {}

    # Partitions

    def partition_by_name(self, topic: str, index: int, *, any_replica: bool = False) -> Partition | Error:
        """A partition that this node leads, or, with `any_replica`, at least follows; or why there is none."""
        table = self.replicas.by_name.get(topic)
        partition = None if table is None else table.get(index)
        if partition is not None:
            return self._usable(partition, any_replica)
        known = self.image.topics.by_name.get(topic)
        if known is None or index not in known.partitions or known.id in self._going:
            return Error.UNKNOWN_TOPIC_OR_PARTITION
        return Error.NOT_LEADER_OR_FOLLOWER

    def partition_for_fetch(self, topic: str | bytes, index: int, *, any_replica: bool = False) -> Partition | Error:
        """As `partition_by_name`; ids are of Fetch and Produce 13 on."""
        if isinstance(topic, str):
            return self.partition_by_name(topic, index, any_replica=any_replica)
        table = self.replicas.by_id.get(topic)
        partition = None if table is None else table.get(index)
        if partition is not None:
            return self._usable(partition, any_replica)
        known = self.image.topics.by_id.get(topic)
        if known is None or topic in self._going:
            return Error.UNKNOWN_TOPIC_ID
        return Error.NOT_LEADER_OR_FOLLOWER if index in known.partitions else Error.UNKNOWN_TOPIC_OR_PARTITION

    def partition_for_produce(self, topic: str | bytes, index: int, client_id: str) -> Partition | Error:
        """As `partition_for_fetch`; the coordinators' topics are theirs to write (W25)."""
        found = self.partition_for_fetch(topic, index)
        if not isinstance(found, Error) and found.topic in INTERNAL_TOPICS and client_id != _ADMIN_CLIENT:
            return Error.INVALID_TOPIC_EXCEPTION
        return found

    def _usable(self, partition: Partition, any_replica: bool) -> Partition | Error:
        if not self.replicas.directory_of(partition).is_online:
            return Error.KAFKA_STORAGE_ERROR
        is_served = partition.leader_epoch >= 0 or (any_replica and partition.followed_epoch >= 0)
        return partition if is_served and not partition.retired else Error.NOT_LEADER_OR_FOLLOWER

    def topic_exists(self, topic: str) -> bool:
        return topic in self.image.topics.by_name

    def topic_settings(self, topic: str) -> TopicSettings:
        """In force now; computed once for each change."""
        settings = self._settings  # first: what is computed of an image goes with it, whichever is shown meanwhile
        found = settings.get(topic)
        if found is None:
            found = settings[topic] = self.config.topic_settings(self.image.config(TOPIC, topic))
        return found

    def park(self, partitions: int) -> bool:
        """Whether a fetch of so many partitions may wait; negative: it waits no longer. Those who wait keep all that they asked for."""
        with self.fetch_sessions_lock:
            if self._parked + partitions > MOST_PARTITIONS:
                return False
            self._parked += partitions
            return True

    # The cluster

    def finalized_features(self) -> tuple[dict[str, int], int]:
        """Levels by name, and the offset of the image that they are from (W6)."""
        image = self.image
        levels = dict(image.features.finalized)
        kraft_version = self.controller.kraft_version
        if kraft_version > 0:
            levels["kraft.version"] = kraft_version
        return levels, image.offset

    def any_broker_id(self, image: MetadataImage) -> int:
        """What clients are told is the controller: a live broker, it forwards what must be (C69). -1: none."""
        return next((broker.id for broker in image.cluster.brokers.values() if not broker.fenced), -1)

    def adopt(self, image: MetadataImage) -> None:
        """Take an image as the present one, and with it the configuration that it holds."""
        self._configure(image)
        self._show(image)

    def _configure(self, image: MetadataImage) -> None:
        own = image.config(BROKER, str(self.static_config.node_id))
        self.config = self.static_config.reconfigured(image.config(BROKER, ""), own, self.config)
        self.throttles.take(self.config.throttling)

    def _show(self, image: MetadataImage) -> None:
        self.image = image
        self._settings = {}

    def publish(self, delta: MetadataDelta, image: MetadataImage, broker_id: int) -> list[Partition]:
        """The metadata changed: settings, then replicas, then what clients see of it, then coordinators. On the publisher's thread; where nothing of all that
        changed, on the control thread.

        So whoever is told that this broker leads a partition finds it led; Apache Kafka tells before it does (C63). Returns replicas whose directory the
        metadata doesn't know.
        """
        brokers_changed = delta.brokers_changed
        if not (delta.topics_changed or delta.configs_changed):
            self.image = image
            if brokers_changed:
                self._tell_of(brokers_changed)
            return []
        if delta.configs_changed:
            self._configure(image)
            self.network.reconfigured()
            self.fetchers.reconfigured()
            self.disk.reconfigured()
        self._going = {topic.id for topic in delta.topics_deleted}
        unassigned = self.replicas.publish(delta, image, broker_id)
        self._show(image)
        self._going = set()
        if brokers_changed:
            self._tell_of(brokers_changed)
        self.groups.publish(delta, broker_id)
        return unassigned

    def _tell_of(self, brokers: set[int]) -> None:
        self.in_sync.brokers_changed()
        self.fetchers.brokers_changed(brokers)

    def on_leader_change(self) -> None:
        """The quorum has another leader, or none that is known."""
        for channel in (self.broker.channel, self.controllers, self.forwarding.channel):
            channel.leader_changed()

    # Failures

    def on_storage_error(self, partition: Partition, error: StorageError) -> None:
        """An append or a sync failed. A log that was cut back goes on, unless others can go on in its place; else its directory's disk is given up (D7)."""
        directory = self.replicas.directory_of(partition)
        if error.offline:
            self.on_directory_error(directory, error)
        elif partition.leading is not None and len(partition.leading.state.isr) > 1:
            self._take_offline(directory, error)
        else:
            self.warn_seldom(directory.path, f"{error}. Producers get KAFKA_STORAGE_ERROR until there is room again.")

    def on_directory_error(self, directory: Directory, error: Exception) -> None:
        """Take a directory offline; without any, or without the metadata log's, the node ends."""
        if not directory.is_online:
            return
        if _is_full(error):
            self.warn_seldom(directory.path, f"{error}. {_remedy(error)}; it is tried again.")
            return
        self._take_offline(directory, error)

    def _take_offline(self, directory: Directory, error: Exception) -> None:
        if not directory.is_online:
            return
        self.log.write(ERROR, f"Taking {directory.path} offline: {error}")
        self.groups.lost(self.replicas.take_offline(directory))
        if self.controller.is_metadata_directory(directory.path) or not any(found.is_online for found in self.replicas.directories):
            self.log.write(
                ERROR,
                "Shutting down: no log directory is left that this node can work with. Repair the disk or make room, then start the node again.",
            )
            self.stop(1)
        else:
            self.broker.directory_failed(directory.id)

    def on_network_error(self, error: BaseException) -> None:
        """A handler raised: the connection that it worked for is of no use any more, the others are."""
        self.log.write(ERROR, _traceback(error))

    def on_loop_error(self, error: BaseException) -> None:
        """Something that must not fail did: nobody knows in which state it left the node. Or the metadata log has no room, and other nodes go on with it."""
        if _is_full(error):
            self.log.write(ERROR, f"Shutting down: {error}. {_remedy(error)}, then start the node again.")
        else:
            self.log.write(ERROR, _traceback(error))
        self.stop(1)

    # Saying so

    def log_debug(self, text: str) -> None:
        self.log.write(DEBUG, text)

    def log_info(self, text: str) -> None:
        self.log.write(INFO, text)

    def warn_seldom(self, subject: str, text: str) -> None:
        """Warn, but of one subject (a directory, a listener) not for every request that meets the same trouble."""
        now_ms = clock_ms()
        if now_ms - self._warned_ms.get(subject, 0) >= _WARN_AGAIN_MS:
            self._warned_ms[subject] = now_ms
            self.log.write(WARN, text)

    def log_error(self, text: str) -> None:
        self.log.write(ERROR, text)

    def log_warning(self, text: str) -> None:
        self.log.write(WARN, text)


def _is_full(error: BaseException) -> bool:
    """Whether no room, or no descriptor, was all that was missing."""
    return (isinstance(error, OSError) and error.errno in FULL) or (isinstance(error, StorageError) and not error.offline)


def _remedy(error: BaseException) -> str:
    """Of what `_is_full` says."""
    cause = error if isinstance(error, OSError) else error.__cause__
    out_of_files = isinstance(cause, OSError) and cause.errno in (EMFILE, ENFILE)
    return "Raise the limit of open files (ulimit -n)" if out_of_files else "Make room on the disk"


def _traceback(error: BaseException) -> str:
    from traceback import format_exception

    return "".join(format_exception(error)).rstrip()
