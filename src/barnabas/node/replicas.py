"""Every partition replica that this node has: opening the logs at start, following the metadata, giving them back at the end.

Owns the table that the data handlers look partitions up in (plain dicts, replaced as a whole, read without a lock) and which directory holds what. The work
that goes on meanwhile (retention, checkpoints, syncing) is `disk_duties`. Source: Apache's `LogManager` and `ReplicaManager`; C63, D72, D127.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from barnabas.core.metadata.delta import PartitionChange
from barnabas.core.metadata.directory_ids import UNASSIGNED
from barnabas.core.partition.epochs import LeaderEpochs
from barnabas.core.partition.producers import ProducerStates
from barnabas.node.call import clock_ms
from barnabas.node.cleaner_offsets import CleanerOffsets
from barnabas.node.log_settings import append_rules, log_config
from barnabas.node.partition import Partition
from barnabas.node.replication.throttle import is_listed
from barnabas.node.side_by_side import side_by_side
from barnabas.storage.errors import FULL, StorageError
from barnabas.storage.log import Log
from barnabas.storage.log_directory import bytes_of_log, is_stray, place_partition
from barnabas.storage.partition_metadata import read_topic_id
from barnabas.storage.partition_name import DELETE, FUTURE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from barnabas.core.configs.topic_settings import TopicSettings
    from barnabas.core.metadata.delta import MetadataDelta
    from barnabas.core.metadata.image import MetadataImage, Topic
    from barnabas.node.config.node_config import NodeConfig
    from barnabas.node.directory_moves import DirectoryMoves
    from barnabas.node.replication.fetchers import Fetchers
    from barnabas.node.replication.leading import Cluster
    from barnabas.storage.log_directory import LogDirectory, PartitionDirectory

TopicTable = dict[int, Partition]

_LONG_BYTES = 1 << 20  # to verify so much takes longer than to open the log


class Directory:
    """A log directory. `is_online` turns false when its disk fails, and stays so until the node starts again (D7); it may have failed at the start already."""

    __slots__ = ("_files", "id", "is_online", "path")

    def __init__(self, path: str, files: LogDirectory | None, directory_id: bytes) -> None:
        """`files` is None when it can't be used, `directory_id` empty when it can't be read."""
        self.path = path
        self.id = directory_id
        self.is_online = files is not None
        self._files = files

    @property
    def files(self) -> LogDirectory:
        assert self._files is not None, f"{self.path} is offline"
        return self._files

    def let_go(self) -> None:
        """Unlock it, without a promise of a clean stop."""
        if self._files is not None:
            self._files.close()


class Replicas:
    def __init__(
        self,
        config: Callable[[], NodeConfig],
        directories: list[Directory],
        on_storage_error: Callable[[Partition, StorageError], object],
        on_directory_error: Callable[[Directory, StorageError], object],
        cluster: Cluster,
        fetchers: Fetchers,
        moves: DirectoryMoves,
    ) -> None:
        self._config = config
        self.directories = directories
        self._on_storage_error = on_storage_error
        self._on_directory_error = on_directory_error
        self._cluster = cluster
        self._fetchers = fetchers
        self._moves = moves
        self._by_directory = {directory.id: directory for directory in directories}
        self._lock = threading.Lock()
        self.checkpoints = threading.Lock()  # held while they are gathered and written: the younger ones come last
        self.by_name: dict[str, TopicTable] = {}
        self.by_id: dict[bytes, TopicTable] = {}
        self.strays: list[str] = []
        self.cleaner_offsets = CleanerOffsets(self)
        self.failed: dict[str, Exception] = {}  # directories that could not be loaded
        self.is_incomplete = False  # a replica could not be made for want of room: `catch_up` tries again

    # Looking up

    def __iter__(self) -> Iterator[Partition]:
        for table in list(self.by_name.values()):
            yield from list(table.values())

    def directory_of(self, partition: Partition) -> Directory:
        return self._by_directory[partition.directory_id]

    def partitions_in(self, path: str) -> list[Partition]:
        return [partition for partition in self if self.directory_of(partition).path == path]

    def logs_in(self, path: str) -> list[Partition]:
        """With the future replicas of those that move there."""
        return self.partitions_in(path) + self._moves.in_directory(path)

    def directories_online(self) -> dict[str, bool]:
        """Path of each directory -> whether it works."""
        return {directory.path: directory.is_online for directory in self.directories}

    # Start

    def load(self, image: MetadataImage) -> None:
        """Open every log that is on disk. Directories are loaded side by side, and so are logs: recovery waits for disks.

        A directory that fails is offline from then on, and why stands in `failed`. Raises what isn't its disk's fault, or is want of room.
        """
        online = [directory for directory in self.directories if directory.is_online]
        side_by_side(len(online), lambda directory: self._load_guarded(directory, image), online)

    def _load_guarded(self, directory: Directory, image: MetadataImage) -> None:
        try:
            self._load_directory(directory, image)
        except (OSError, StorageError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if isinstance(cause, OSError) and cause.errno in FULL:
                raise
            self.failed[directory.path] = error
            for partition in self.take_offline(directory):
                partition.log.close_without_sync()
                self._forget(partition)

    def _forget(self, partition: Partition) -> None:
        with self._lock:
            table = {index: other for index, other in self.by_id[partition.topic_id].items() if index != partition.index}
            self.by_name[partition.topic] = self.by_id[partition.topic_id] = table

    def _load_directory(self, directory: Directory, image: MetadataImage) -> None:
        files = directory.files
        clean = files.was_clean
        found = files.partitions()
        files.begin_loading()
        now_ms = clock_ms()
        for entry in found:
            if entry.suffix == DELETE:
                files.remove_later(entry.path, now_ms, self.delete_delay_ms())
        threads = self._config().logs.recovery_threads
        long: list[PartitionDirectory] = []
        short: list[PartitionDirectory] = []
        for entry in found:
            if entry.suffix in ("", FUTURE):
                (long if not clean and threads > 1 and bytes_of_log(entry.path) > _LONG_BYTES else short).append(entry)

        def load(entry: PartitionDirectory) -> None:
            self._load_partition(directory, entry, image, clean, now_ms)

        side_by_side(threads, load, long)
        side_by_side(1, load, short)  # Python for the most part: threads would only wait for one another

    def _load_partition(self, directory: Directory, entry: PartitionDirectory, image: MetadataImage, clean: bool, now_ms: int) -> None:
        topic_id = read_topic_id(entry.path)
        topic = None if topic_id is None else image.topics.by_id.get(topic_id)
        known = None if topic is None or topic.name != entry.topic else topic.partitions.get(entry.partition)
        if is_stray(topic_id, None if known is None else known.replicas, self._config().node_id):
            self.strays.append(directory.files.mark_stray(entry.path, entry.topic, entry.partition))
            return
        assert topic is not None
        partition = self._open(directory, entry.path, topic, entry.partition, self._settings(image, topic.name), clean=clean, now_ms=now_ms)
        if entry.suffix:
            self._moves.found(partition)
        else:
            self._add(partition)

    def open_new(self, directory: Directory, path: str, topic: Topic, index: int, image: MetadataImage) -> Partition:
        """A log that wasn't there, whatever checkpoints say of one that had its name. Raises OSError, StorageError."""
        with self.checkpoints:
            directory.files.forget(topic.name, index)
        return self._open(directory, path, topic, index, self._settings(image, topic.name), clean=True, now_ms=clock_ms())

    def delete_delay_ms(self) -> int:
        """A topic's own file.delete.delay.ms is gone with it: log.segment.delete.delay.ms counts."""
        return self._config().topic_settings({}).file_delete_delay_ms

    def _settings(self, image: MetadataImage, topic: str) -> TopicSettings:
        return self._config().topic_settings(image.config(2, topic))

    def _open(self, directory: Directory, path: str, topic: Topic, index: int, settings: TopicSettings, *, clean: bool, now_ms: int) -> Partition:
        key = (topic.name, index)
        expiration_ms = self._config().transactions.producer_id_expiration_ms
        producers, epochs = ProducerStates(expiration_ms), LeaderEpochs()
        log = Log.open(
            path,
            log_config(settings, expiration_ms),
            recovery_point=directory.files.recovery_points.get(key, 0),
            clean=clean,
            log_start_offset=directory.files.log_start_offsets.get(key, 0),
            producers=producers,
            epochs=epochs,
            now_ms=now_ms,
            topic_id=topic.id,
            was_compacted=key in directory.files.cleaner_offsets,
        )
        partition = Partition(topic.name, index, topic.id, log, producers, epochs, append_rules(settings), directory.id, self._on_storage_error)
        partition.min_isr = settings.min_insync_replicas
        self._throttle(partition, settings)
        partition.high_watermark = max(log.start_offset, min(directory.files.high_watermarks.get(key, 0), log.end_offset))
        return partition

    def _add(self, partition: Partition) -> None:
        with self._lock:
            table = {**self.by_name.get(partition.topic, {}), partition.index: partition}
            self.by_name[partition.topic] = table
            self.by_id[partition.topic_id] = table

    # Following the metadata

    def publish(self, delta: MetadataDelta, image: MetadataImage, broker_id: int) -> list[Partition]:
        """Do what `delta` asks of this broker's replicas (C63). Returns replicas whose directory the controller doesn't know yet (C26)."""
        changes = delta.local_changes(broker_id)
        for topic, index in changes.deleted:
            self._delete(topic, index)
        unassigned = [partition for change in changes.leaders if (partition := self._lead(change, image, broker_id)) is not None]
        unassigned += [partition for change in changes.followers if (partition := self._follow(change, image, broker_id)) is not None]
        self.reconfigure(delta, image)
        return unassigned

    def catch_up(self, image: MetadataImage, broker_id: int) -> list[Partition]:
        """At start: create what is missing and lead what this broker leads. Returns replicas whose directory the metadata doesn't know."""
        self.is_incomplete = False
        for partition in self._moves.recover(image, broker_id):
            self._add(partition)
        changes = (
            PartitionChange(topic, index, None, partition)
            for topic in image.topics.by_id.values()
            for index, partition in topic.partitions.items()
            if broker_id in partition.replicas
        )
        unassigned = [
            found
            for change in changes
            if (found := (self._lead if change.current.leader == broker_id else self._follow)(change, image, broker_id)) is not None
        ]
        self._moves.resume(image, broker_id)
        return unassigned

    def _replica(self, change: PartitionChange, image: MetadataImage, broker_id: int) -> Partition | None:
        """The replica, made if it isn't there; None when it can't be, or went offline: it must not seem to be in sync as long as nothing is written."""
        partition = self.by_id.get(change.topic.id, {}).get(change.partition_id)
        if partition is not None:
            return None if partition.retired else partition
        return self._create(change.topic, change.partition_id, change.current.directory_of(broker_id), image)

    def _lead(self, change: PartitionChange, image: MetadataImage, broker_id: int) -> Partition | None:
        """Lead it from here on. The replica, when the metadata doesn't know its directory."""
        current = change.current
        partition = self._replica(change, image, broker_id)
        if partition is None:
            return None
        self._fetchers.leave(partition)
        try:
            if current.replicas == (broker_id,):
                partition.lead(current.leader_epoch)
            else:
                partition.lead_replicas(current, self._cluster)
        except StorageError as error:
            if not error.offline:
                self.is_incomplete = True
            self._on_storage_error(partition, error)
        return self._if_elsewhere(partition, current.directory_of(broker_id))

    def _follow(self, change: PartitionChange, image: MetadataImage, broker_id: int) -> Partition | None:
        """Have it follow its leader, if there is one. The replica, when the metadata doesn't know its directory."""
        current = change.current
        partition = self._replica(change, image, broker_id)
        if partition is None:
            return None
        if partition.follow(current.leader_epoch):
            if current.leader >= 0:
                self._fetchers.follow(partition, current.leader, current.leader_epoch)
                if partition.retired:  # just now
                    self._fetchers.leave(partition)
            else:
                self._fetchers.leave(partition)
        return self._if_elsewhere(partition, current.directory_of(broker_id))

    def _if_elsewhere(self, partition: Partition, directory_id: bytes) -> Partition | None:
        """The replica, if it isn't in that directory and isn't on its way there."""
        return partition if partition.directory_id != directory_id and not self._moves.is_bound_for(partition, directory_id) else None

    def _create(self, topic: Topic, index: int, wanted_directory: bytes, image: MetadataImage) -> Partition | None:
        """A new replica in the directory that it was given, else in the one with the fewest. None when there is none to take (D127, D128)."""
        online = [directory for directory in self.directories if directory.is_online]
        directory = self._moves.take_wanted(topic.name, index) or self._by_directory.get(wanted_directory)
        if directory not in (None, *online):
            return None
        if directory is None:
            if not online or (len(online) < len(self.directories) and wanted_directory != UNASSIGNED):
                return None  # it may be there, in a directory that is away
            counts = {found.path: 0 for found in online}
            for partition in (*self, *self._moves.futures()):
                path = self.directory_of(partition).path
                if path in counts:
                    counts[path] += 1
            order = place_partition(counts, self._config().logs.cordoned)
            directory = next(found for found in online if found.path == order[0])
        try:
            self._moves.set_aside(topic.id, index, directory)
            path = directory.files.create_partition(topic.name, index)
            self.cleaner_offsets.begin(directory, topic.name, index)
            partition = self.open_new(directory, path, topic, index, image)
        except (OSError, StorageError) as error:
            self.fail(directory, error)
            if not directory.is_online and wanted_directory == UNASSIGNED:  # nobody knows of it there yet
                return self._create(topic, index, wanted_directory, image)
            if directory.is_online:
                self.is_incomplete = True
            return None
        self._add(partition)
        return partition

    def fail(self, directory: Directory, error: Exception) -> None:
        failure = error if isinstance(error, StorageError) else StorageError(directory.path, str(error))
        if isinstance(error, OSError):
            failure = StorageError.of(directory.path, "could not be changed", error)
        self._on_directory_error(directory, failure)

    def _delete(self, topic: Topic, index: int) -> None:
        self._moves.forget(topic.id, index)
        with self._lock:
            table = dict(self.by_id.get(topic.id, {}))
            partition = table.pop(index, None)
            if table:
                self.by_id[topic.id] = table
                self.by_name[topic.name] = table
            else:
                self.by_id.pop(topic.id, None)
                if partition is not None and self.by_name.get(topic.name, {}).get(index) is partition:
                    self.by_name.pop(topic.name, None)
        if partition is None:
            return
        partition.retire()
        self._fetchers.leave(partition)
        self.cleaner_offsets.forget(partition)
        directory = self.directory_of(partition)
        try:
            with partition.lock:
                partition.log.rename_for_deletion(directory.files, topic.name, index, clock_ms(), self.delete_delay_ms())
        except (OSError, StorageError) as error:
            self.fail(directory, error)

    def reconfigure(self, delta: MetadataDelta, image: MetadataImage) -> None:
        """Give changed settings to the logs: of the topics named, of all when the node's own settings changed."""
        changed = delta.configs_changed
        names = {name for kind, name in changed if kind == 2}
        if any(kind == 4 for kind, _ in changed):
            names = set(self.by_name)
        expiration_ms = self._config().transactions.producer_id_expiration_ms
        for name in names:
            table = self.by_name.get(name)
            if not table:
                continue
            settings = self._settings(image, name)
            rules, config = append_rules(settings), log_config(settings, expiration_ms)
            for partition in (*table.values(), *(future for future in self._moves.futures() if future.topic == name)):
                partition.rules = rules
                partition.set_min_isr(settings.min_insync_replicas)
                self._throttle(partition, settings)
                try:
                    with partition.lock:
                        partition.producers.expiration_ms = expiration_ms
                        partition.log.reconfigure(config)
                except (OSError, StorageError) as error:
                    self.fail(self.directory_of(partition), error)

    def _throttle(self, partition: Partition, settings: TopicSettings) -> None:
        broker_id = self._config().node_id
        partition.throttled_as_leader = is_listed(settings.leader_throttled_replicas, partition.index, broker_id)
        partition.throttled_as_follower = is_listed(settings.follower_throttled_replicas, partition.index, broker_id)

    # The end

    def take_offline(self, directory: Directory) -> list[Partition]:
        """A disk failed: its replicas are closed without a sync and gone from the tables. Returns them."""
        directory.is_online = False
        self._moves.take_offline(directory)
        gone = self.partitions_in(directory.path)
        for partition in gone:
            partition.retire()
            self._fetchers.leave(partition)
        return gone

    def close(self, broker_epoch: int) -> None:
        """A clean stop (M9): every log synced and closed, checkpoints, then the promise. A directory that fails gets no promise (M10)."""
        for directory in self.directories:
            if not directory.is_online:
                directory.let_go()
                continue
            partitions = self.logs_in(directory.path)
            try:
                side_by_side(self._config().logs.recovery_threads, _close, partitions)
                self.write_checkpoints(directory, partitions)
            except (OSError, StorageError):
                directory.let_go()
                continue
            directory.files.close(broker_epoch)

    def write_checkpoints(self, directory: Directory, partitions: list[Partition], limits: Mapping[Partition, int] | None = None) -> None:
        """Recovery points, log starts and high watermarks of one directory (D79-D81); none beyond where a log is about to be cut. Raises OSError."""
        recovery_points, log_starts, high_watermarks = {}, {}, {}
        for partition in partitions:
            key = (partition.topic, partition.index)
            limit = partition.log.end_offset if limits is None else limits.get(partition, partition.log.end_offset)
            recovery_points[key] = min(partition.log.recovery_point, limit)
            high_watermarks[key] = min(partition.high_watermark, limit)
            start_offset = min(partition.log.start_offset, limit)
            if start_offset > partition.log.first_base_offset:
                log_starts[key] = start_offset
        directory.files.write_recovery_points(recovery_points)
        directory.files.write_log_start_offsets(log_starts)
        directory.files.write_high_watermarks(high_watermarks)


def _close(partition: Partition) -> None:
    partition.retire()
    with partition.lock:
        partition.log.close()
