"""What must be done to logs from time to time, on a thread that may wait for disks: retention, deletion, syncing, checkpoints, expiry.

Owns the intervals; the work itself is the log's and the directory's. Intervals are Apache Kafka's keys (D79-D81, D98, D108, D113, D69).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barnabas.node.call import clock_ms
from barnabas.node.loop import Loop
from barnabas.storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from barnabas.node.compaction import Cleaners
    from barnabas.node.partition import Partition
    from barnabas.node.replicas import Directory
    from barnabas.node.server import Node

_DELETION_CHECK_MS = 1_000
_FIRST_LOOK_MS = 1_000


class DiskDuties:
    def __init__(self, node: Node) -> None:
        self._node = node
        self.loop = Loop("disk", node.on_loop_error)
        self._cleaners: Cleaners | None = None

    def start(self) -> None:
        self.loop.start()
        logs, replication = self._node.config.logs, self._node.config.replication
        self._every(logs.retention_check_interval_ms, self._apply_retention, first_ms=logs.initial_task_delay_ms)
        self._every(logs.flush_offset_checkpoint_interval_ms, self._checkpoint)
        self._every(replication.high_watermark_checkpoint_interval_ms, self._checkpoint_high_watermarks)
        self._every(self._node.config.transactions.producer_id_expiration_check_interval_ms, self._expire_producers)
        self._every(_DELETION_CHECK_MS, self._remove_deleted)
        compaction = self._node.config.compaction
        if compaction.enabled:
            self.loop.call(self.loop.call_later, min(compaction.backoff_ms, _FIRST_LOOK_MS), self._start_cleaners)

    def stop(self) -> None:
        self.loop.stop()
        self.loop.join(30)
        if self._cleaners is not None:
            self._cleaners.stop()

    def _start_cleaners(self) -> None:
        from barnabas.node.compaction import Cleaners  # what few nodes need in their first second

        self._cleaners = Cleaners(self._node)
        self._cleaners.start()

    def reconfigured(self) -> None:
        """The node's settings changed. From any thread."""
        if self._cleaners is not None:
            self.loop.call(self._cleaners.start)

    def _every(self, interval_ms: float, duty: Callable[[], None], first_ms: float | None = None) -> None:
        def again() -> None:
            try:
                duty()
            finally:  # a duty that failed once is reported by the loop, and tried again
                self.loop.call_later(interval_ms, again)

        self.loop.call(self.loop.call_later, interval_ms if first_ms is None else first_ms, again)

    def _online(self) -> Iterator[Partition]:
        replicas = self._node.replicas
        return (partition for partition in (*replicas, *self._node.moves.futures()) if replicas.directory_of(partition).is_online)

    def _on_each(self, partitions: Iterable[Partition], work: Callable[[Partition], object]) -> None:
        """`work` on partitions, under their locks; a failing disk is reported."""
        for partition in partitions:
            try:
                with partition.lock:
                    if not partition.retired:
                        work(partition)
            except StorageError as error:
                self._node.on_storage_error(partition, error)
            except OSError as error:
                self._node.on_storage_error(partition, StorageError.of(partition.log.directory, "could not be tended", error))

    def _apply_retention(self) -> None:
        """Logs that are compacted are the cleaners': those that read them don't want them to become shorter."""
        self.delete_old_segments(partition for partition in self._online() if not partition.log.config.compact)

    def delete_old_segments(self, partitions: Iterable[Partition]) -> None:
        """Let go what retention and log starts don't keep. From any thread."""
        now_ms = clock_ms()
        moved: list[Partition] = []

        def delete(partition: Partition) -> None:
            if partition.log.delete_old_segments(now_ms, partition.high_watermark):
                moved.append(partition)

        self._on_each(partitions, delete)
        for partition in moved:
            partition.start_moved()

    def _expire_producers(self) -> None:
        now_ms = clock_ms()
        self._on_each(self._online(), lambda partition: partition.producers.expire(now_ms))

    def _remove_deleted(self) -> None:
        now_ms = clock_ms()
        for partition in self._online():
            if partition.log.has_deleted_files:
                settings = self._node.topic_settings(partition.topic)
                try:
                    partition.log.remove_deleted_files(now_ms - settings.file_delete_delay_ms)
                except StorageError as error:
                    self._node.on_storage_error(partition, error)
        for directory in self._node.replicas.directories:
            if directory.is_online:
                try:
                    directory.files.remove_due(now_ms)
                except OSError as error:
                    self._node.on_directory_error(directory, error)
        self._flush_by_time(now_ms)

    def _flush_by_time(self, now_ms: int) -> None:
        """Rolled segments are synced behind the roll (D98); flush.ms beside that, where a topic has it."""
        for partition in self._online():
            if partition.log.needs_flush(now_ms):
                self.sync(partition)

    def sync(self, partition: Partition) -> None:
        """Make a log durable without holding its writers up."""
        try:
            partition.log.flush_in_background(partition.lock)
        except (StorageError, OSError) as error:
            self._node.on_storage_error(
                partition, error if isinstance(error, StorageError) else StorageError.of(partition.log.directory, "could not be synced", error)
            )

    def checkpoint_log_starts(self, then: Callable[[], object]) -> None:
        """Make moved log starts durable, then call back: deleted records don't return after a crash. From any thread."""

        def checkpoint() -> None:
            self._checkpoint()
            then()

        self.loop.call(checkpoint)

    def cut(self, partition: Partition, offset: int, truncate: Callable[[], object]) -> None:
        """Have `truncate` shorten a log to `offset`, and checkpoints know it before: what is appended from there on must neither be taken for synced, nor for
        deleted because the log began behind it once. On any thread. Raises StorageError.
        """
        log, replicas = partition.log, self._node.replicas
        directory = replicas.directory_of(partition)
        if not directory.is_online or offset >= max(log.recovery_point, log.start_offset, partition.high_watermark):
            truncate()
            return
        with replicas.checkpoints:
            try:
                replicas.write_checkpoints(directory, replicas.logs_in(directory.path), {partition: offset})
            except OSError as error:
                raise StorageError.of(directory.path, "could not write the recovery points", error) from error
            truncate()

    def write_checkpoints(self, directory: Directory) -> None:
        """Of one directory. Raises OSError."""
        replicas = self._node.replicas
        with replicas.checkpoints:
            replicas.write_checkpoints(directory, replicas.logs_in(directory.path))

    def _checkpoint(self) -> None:
        for directory in self._node.replicas.directories:
            if directory.is_online:
                try:
                    self.write_checkpoints(directory)
                except OSError as error:
                    self._node.on_directory_error(directory, error)

    def _checkpoint_high_watermarks(self) -> None:
        replicas = self._node.replicas
        for directory in replicas.directories:
            if directory.is_online:
                try:
                    with replicas.checkpoints:
                        offsets = {(p.topic, p.index): p.high_watermark for p in replicas.logs_in(directory.path)}
                        directory.files.write_high_watermarks(offsets)
                except OSError as error:
                    self._node.on_directory_error(directory, error)
